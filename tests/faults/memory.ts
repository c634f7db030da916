/**
 * A process that measures the memory of a client or an endpoint while a platform fails. Arguments: the
 * caller (see {@linkcode CALLERS}), an origin and the ids of faults. Prints a line of JSON per fault. Runs
 * with `--v8-flags=--expose-gc`.
 */
import { load, resolve } from "./table.ts";

/** Memory growth after a fault. */
export interface Growth {
  readonly id: string;
  /** Peak memory so far, above the memory before the first fault, in bytes. */
  readonly bytes: number;
}

const PATIENCE = 400;

/** Callers that request a task. */
const CALLERS = {
  client: (origin: string, id: string) => load(origin, id, PATIENCE),
  async endpoint(origin: string, id: string) {
    const { response } = await resolve(origin, id, PATIENCE);
    await response.body?.cancel();
  },
  /** Reads the whole body, which a client must not do. It proves that the test measures memory. */
  async reader(origin: string, id: string) {
    await (await fetch(`${origin}/api/v1/workspace/w-1/task/${id}`)).text();
  },
};

if (import.meta.main) {
  const [who = "", origin = "", ...ids] = Deno.args;
  const ask = CALLERS[who as keyof typeof CALLERS];
  // compile and allocate once before measuring
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
