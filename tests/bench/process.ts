/** The measured processes. */
import { type Process, serverArgs, start } from "../helpers/process.ts";
import { deno, root } from "../helpers/run_deno.ts";
import { binaryIn, freePort, install, path } from "../runtime/packages.ts";
import type { Plan, Round } from "./loader.ts";
import { TOKEN } from "./task.ts";

/** Key of the caller of the endpoint and of the servers with the same duties. */
export const KEY = "bench-key-0123456789";
const TIMEOUT_MS = 600_000;
const START_MS = 10_000;
const BUNDLED = ["functions/node.ts", "functions/bun.ts", "tests/bench/peer.ts"];
const CLIENT = "tests/bench/client_loads.ts";
const bundles = new URL("dist/bench/", root);

/** A runtime that the endpoint and the client run on. */
export type RuntimeName = "deno" | "node" | "bun";

/** All runtimes. */
export const RUNTIMES: readonly RuntimeName[] = ["deno", "node", "bun"];

/** A server on loopback. */
export interface Server extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly origin: string;
}

/** Bundles what runs on Node and Bun. */
export async function prepare(): Promise<void> {
  const args = ["bundle", "--quiet", "--frozen", `--outdir=${bundles.pathname}`];
  const { code, output } = await deno([...args, ...BUNDLED, CLIENT], { quiet: true });
  if (code !== 0) throw new Error(`cannot bundle:\n${output}`);
  await Deno.writeTextFile(new URL("package.json", bundles), '{ "type": "module" }\n');
  await install();
}

/** Returns the command that runs a module of the project on a runtime. */
async function commandOf(runtime: RuntimeName, module: string): Promise<string[]> {
  if (runtime === "deno") {
    const permissions = ["--allow-net=127.0.0.1", "--allow-env"];
    return [Deno.execPath(), "run", "--quiet", "--no-prompt", ...permissions, module];
  }
  const file = new URL(module.replace(/ts$/, "js"), bundles).pathname;
  return [runtime === "node" ? "node" : await binaryIn("@oven", "bun"), file];
}

/** Starts a command without its standard output: reading the log would take CPU time. */
function startQuiet(command: string[], settings: Record<string, string> = {}): Process {
  return start("sh", ["-c", 'exec "$0" "$@" > /dev/null', ...command], settings, "", TIMEOUT_MS);
}

function server(process: Process, port: number): Server {
  return {
    pid: process.pid,
    port,
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** Starts a command that prints its address on standard error. */
async function listening(command: string[]): Promise<Server> {
  const process = startQuiet(command);
  const port = Number(await process.waitForOutput(/http:\/\/[^/\s]+:(\d+)\b/));
  return server(process, port);
}

/** Waits for the first response of a server. Returns the time of it, in ms from `startedAt`. */
export async function waitForResponse(
  url: string,
  startedAt: number = performance.now(),
): Promise<number> {
  while (performance.now() - startedAt < START_MS) {
    try {
      await (await fetch(url)).body?.cancel();
      return performance.now() - startedAt;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  throw new Error(`no server responds at ${url}`);
}

/** Starts the upstream of all servers. */
export async function startUpstream(): Promise<Server> {
  return await listening(await commandOf("deno", "tests/bench/upstream.ts"));
}

/** Starts a server of `peer.ts`. */
export async function startPeer(
  runtime: RuntimeName,
  kind: "forward" | "duties",
  upstream: Server,
): Promise<Server> {
  const command = await commandOf(runtime, "tests/bench/peer.ts");
  return await listening([...command, kind, upstream.origin, KEY]);
}

/** Starts the server of `express.js`, which runs on Node. */
export async function startExpress(upstream: Server): Promise<Server> {
  const file = new URL("tests/bench/express.js", root).pathname;
  return await listening(["node", file, upstream.origin, KEY, TOKEN, path("package.json")]);
}

/** Starts the endpoint, under Deno like `deno task start`. */
export async function startEndpoint(runtime: RuntimeName, upstream: Server): Promise<Server> {
  const command = runtime === "deno"
    ? [Deno.execPath(), ...serverArgs()]
    : await commandOf(runtime, `functions/${runtime}.ts`);
  const port = freePort();
  const process = startQuiet(command, {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: upstream.origin,
    RESOLVE_API_KEYS: KEY,
    HOST: "127.0.0.1",
    PORT: String(port),
  });
  await waitForResponse(`http://127.0.0.1:${port}/health`);
  return server(process, port);
}

/** Runs `client_loads.ts` on a runtime and returns its output. */
export async function runClient(runtime: RuntimeName, upstream: Server): Promise<string> {
  const [command = "", ...args] = await commandOf(runtime, CLIENT);
  return await outputOf(command, [...args, upstream.origin]);
}

/** Returns ten ids of tasks for each of `connections`, so that no two request the same task at a time. */
export function taskIds(connections: number): string[] {
  return Array.from({ length: 10 * connections }, (_, at) => `task-${String(at).padStart(4, "0")}`);
}

/** Runs the load generator with a plan. */
export async function load(plan: Plan): Promise<Record<string, Round[]>> {
  const permissions = ["--allow-net=127.0.0.1", "--allow-run=sh"];
  const args = ["run", ...permissions, "tests/bench/loader.ts", JSON.stringify(plan)];
  return JSON.parse(await outputOf(Deno.execPath(), args));
}

/** Runs a command and returns its standard output. */
export async function outputOf(
  command: string,
  args: string[],
  settings: Record<string, string> = {},
): Promise<string> {
  await using child = start(command, args, settings, "", TIMEOUT_MS);
  const { code } = await child.status;
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${child.output.stderr}`);
  return child.output.stdout;
}
