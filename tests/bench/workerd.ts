/** The Worker in workerd: its cold start, and the CPU time of a request. */
import {
  binaryIn,
  freePort,
  install,
  make,
  output,
  path,
  workerdConfig,
} from "../runtime/packages.ts";
import { start } from "../helpers/process.ts";
import { type Figure, median } from "./figure.ts";
import type { Target } from "./loader.ts";
import { KEY, load, type Server, startServer, taskIds } from "./process.ts";
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
  await using upstream = await startServer("upstream");
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
  const began = performance.now();
  const process = start("sh", ["-c", 'exec "$0" serve "$1" > /dev/null', binary, config], {});
  const origin = `http://127.0.0.1:${port}`;
  const answered = await firstAnswer(`${origin}/health`, began);
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

async function firstAnswer(url: string, began: number): Promise<number> {
  while (performance.now() - began < 10_000) {
    try {
      const response = await fetch(url);
      await response.text();
      return performance.now() - began;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  throw new Error(`workerd does not listen (${output.pathname})`);
}

function resolving(name: string, { port, pid }: Server): Target {
  const ids = { organization_id: "organization-1", workspace_id: "workspace-1", task_id: "$task" };
  const headers = { "authorization": `Bearer ${KEY}`, "content-type": "application/json" };
  const request = { method: "POST", path: "/resolve", headers, body: JSON.stringify(ids) };
  return { name, port, pid, ...request, status: 202, concurrency: 32, tasks: taskIds(32) };
}

function health(name: string, { port, pid }: Server): Target {
  return { name, port, pid, method: "GET", path: "/health", status: 200, concurrency: 32 };
}
