/**
 * A process of its own for `faults_test.ts`: what a client, or an endpoint, takes of memory while a
 * platform fails it. Arguments: who it is (see {@linkcode WHO}), an origin, and the ids of faults.
 * Writes a line of JSON for each fault. Runs with `--v8-flags=--expose-gc`.
 */
import { load, resolve } from "./table.ts";

/** What one fault came to. */
export interface Growth {
  readonly id: string;
  /** The most memory until now above what there was before the first fault, in bytes. */
  readonly bytes: number;
}

const PATIENCE = 400;

/** Who asks a platform for a task. */
const WHO = {
  client: (origin: string, id: string) => load(origin, id, PATIENCE),
  async endpoint(origin: string, id: string) {
    const { response } = await resolve(origin, id, PATIENCE);
    await response.body?.cancel();
  },
  /** Reads to the end, which no client should: shows that the measure sees it. */
  async reader(origin: string, id: string) {
    await (await fetch(`${origin}/api/v1/workspace/w-1/task/${id}`)).text();
  },
};

if (import.meta.main) {
  const [who = "", origin = "", ...ids] = Deno.args;
  const ask = WHO[who as keyof typeof WHO];
  // what is compiled and allocated once is no part of a request's memory
  for (let round = 0; round < 100; round++) await ask(origin, "sound");
  (globalThis as { gc?: () => void }).gc?.();
  const idle = Deno.memoryUsage().rss;
  let most = idle;
  const look = () => most = Math.max(most, Deno.memoryUsage().rss);
  const timer = setInterval(look, 1);
  for (const id of ids) {
    await ask(origin, id);
    look();
    const line: Growth = { id, bytes: most - idle };
    // deno-lint-ignore no-console -- for the test
    console.log(JSON.stringify(line));
  }
  clearInterval(timer);
}
