/** The processes that are measured. */
import { type Process, serverArgs, start } from "../helpers/process.ts";
import type { Plan, Round } from "./loader.ts";
import { TOKEN } from "./task.ts";

/** Who calls the endpoint, and as whom the proxy with the same duties is called. */
export const KEY = "bench-key-0123456789";
const PATIENCE = 120_000;

/** A server that listens on loopback. */
export interface Server extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly origin: string;
}

/** Starts one of `servers.ts`. */
export async function startServer(kind: string, upstream = ""): Promise<Server> {
  return await listening([
    ...["run", "--no-prompt", "--allow-net=127.0.0.1"],
    ...["tests/bench/servers.ts", kind, upstream, KEY],
  ]);
}

/** Starts the endpoint as `deno task start` does. */
export async function startEndpoint(upstream: string): Promise<Server> {
  return await listening(serverArgs(), {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: upstream,
    RESOLVE_API_KEYS: KEY,
    PORT: "0",
  });
}

/** Runs the loader with a plan. */
export async function load(plan: Plan): Promise<Record<string, Round[]>> {
  const permissions = ["--allow-net=127.0.0.1", "--allow-run=sh"];
  return JSON.parse(
    await outputOf(["run", ...permissions, "tests/bench/loader.ts", JSON.stringify(plan)]),
  );
}

/** What Deno printed. */
export async function outputOf(
  args: string[],
  settings: Record<string, string> = {},
): Promise<string> {
  await using child = start(Deno.execPath(), args, settings, "", PATIENCE);
  const { code } = await child.status;
  if (code !== 0) throw new Error(`deno ${args[0]} ended with ${code}: ${child.output.stderr}`);
  return child.output.stdout;
}

async function listening(args: string[], settings: Record<string, string> = {}): Promise<Server> {
  // its log goes nowhere: a reader would take part of the machine
  const quiet = ["-c", 'exec "$0" "$@" > /dev/null', Deno.execPath(), ...args];
  const process: Process = start("sh", quiet, settings, "", PATIENCE);
  const port = Number(await process.waitForOutput(/Listening on http:\/\/localhost:(\d+)/));
  return {
    pid: process.pid,
    port,
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}
