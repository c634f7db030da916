/** The Worker in workerd: its cold start, and the CPU time of a request. */
import { binaryIn, freePort, install, make, path, workerdConfig } from "../runtime/packages.ts";
import { start } from "../helpers/process.ts";
import { type Figure, median } from "./figure.ts";
import type { Target } from "./loader.ts";
import { resolving } from "./endpoint.ts";
import { KEY, load, type Server, startUpstream, waitForResponse } from "./process.ts";
import { TOKEN } from "./task.ts";

const DATE = "2026-07-30";
const STARTS = 11;
const EMPTY = `export default { fetch: () => new Response("ok") };\n`;

/** Measures the cold start and the CPU time. */
export async function workerdFigures(): Promise<Figure[]> {
  await install();
  const binary = await binaryIn("@cloudflare", "workerd");
  await Deno.writeTextFile(path("empty.mjs"), EMPTY);
  await make("functions/cloudflare.ts", path("bench.mjs"));
  await using upstream = await startUpstream();
  const bindings = {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: upstream.origin,
    RESOLVE_API_KEYS: KEY,
  };
  const boot = (module: string) => bootWorker(binary, module, bindings);

  const starts: { empty: number; worker: number }[] = [];
  for (let round = 0; round < STARTS; round++) {
    await using empty = await boot("empty.mjs");
    await using worker = await boot("bench.mjs");
    starts.push({ empty: empty.answered, worker: worker.answered });
  }
  const coldStart = (of: keyof typeof starts[0]) => median(starts.map((start) => start[of]));

  await using empty = await boot("empty.mjs");
  await using worker = await boot("bench.mjs");
  const { resolve = [], nothing = [] } = await load({
    targets: [resolving("resolve", worker), health("nothing", empty)],
    rounds: 5,
    limit: { ms: 500 },
    warmUp: { ms: 1_000 },
  });
  const cpu = (rounds: typeof resolve) => median(rounds.map((round) => round.cpu));
  return [
    {
      what: "workerd: cold start / empty Worker",
      value: median(starts.map(({ worker, empty }) => worker / empty)),
      unit: "×",
      budget: { most: 1.5 },
      detail: `${coldStart("worker").toFixed(0)} to ${
        coldStart("empty").toFixed(0)
      } ms, process and all`,
    },
    {
      what: "workerd: CPU of POST /resolve",
      value: cpu(resolve),
      unit: "ms",
      budget: { most: 1 },
      detail: `${cpu(nothing).toFixed(2)} ms of the empty Worker`,
    },
  ];
}

/** A started worker. */
interface Booted extends Server {
  answered: number;
}

async function bootWorker(
  binary: string,
  module: string,
  bindings: Record<string, string>,
): Promise<Booted> {
  const port = freePort();
  const config = path(`bench-${port}.capnp`);
  await Deno.writeTextFile(config, workerdConfig(module, port, DATE, bindings));
  const startedAt = performance.now();
  const process = start("sh", ["-c", 'exec "$0" serve "$1" > /dev/null', binary, config], {});
  const origin = `http://127.0.0.1:${port}`;
  const answered = await waitForResponse(`${origin}/health`, startedAt);
  return {
    pid: process.pid,
    port,
    origin,
    answered,
    async [Symbol.asyncDispose]() {
      await process[Symbol.asyncDispose]();
      await Deno.remove(config);
    },
  };
}

function health(name: string, { port, pid }: Server): Target {
  return { name, port, pid, method: "GET", path: "/health", status: 200, concurrency: 64 };
}
