/** The measured processes. */
import { type Process, serverArgs, start } from "../helpers/process.ts";
import type { Plan, Round } from "./loader.ts";
import { TOKEN } from "./task.ts";

/** Key of the caller of the endpoint and of the proxy with the same duties. */
export const KEY = "bench-key-0123456789";
const TIMEOUT_MS = 600_000;

/** A server on loopback. */
export interface Server extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  readonly origin: string;
}

/** Starts a server of `servers.ts`. */
export async function startServer(kind: string, upstream = ""): Promise<Server> {
  return await listening([
    ...["run", "--no-prompt", "--allow-net=127.0.0.1"],
    ...["tests/bench/servers.ts", kind, upstream, KEY],
  ]);
}

/** Starts the endpoint like `deno task start`. */
export async function startEndpoint(upstream: string): Promise<Server> {
  return await listening(serverArgs(), {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: upstream,
    RESOLVE_API_KEYS: KEY,
    PORT: "0",
  });
}

/** Returns ten ids of tasks for each of `connections`, so that no two request the same task at a time. */
export function taskIds(connections: number): string[] {
  return Array.from({ length: 10 * connections }, (_, at) => `task-${String(at).padStart(4, "0")}`);
}

/** Runs the load generator with a plan. */
export async function load(plan: Plan): Promise<Record<string, Round[]>> {
  const permissions = ["--allow-net=127.0.0.1", "--allow-run=sh"];
  return JSON.parse(
    await outputOf(["run", ...permissions, "tests/bench/loader.ts", JSON.stringify(plan)]),
  );
}

/** Runs `deno` and returns its standard output. */
export async function outputOf(
  args: string[],
  settings: Record<string, string> = {},
): Promise<string> {
  await using child = start(Deno.execPath(), args, settings, "", TIMEOUT_MS);
  const { code } = await child.status;
  if (code !== 0) throw new Error(`deno ${args[0]} ended with ${code}: ${child.output.stderr}`);
  return child.output.stdout;
}

async function listening(args: string[], settings: Record<string, string> = {}): Promise<Server> {
  // discard the log: a reader would take CPU time
  const quiet = ["-c", 'exec "$0" "$@" > /dev/null', Deno.execPath(), ...args];
  const process: Process = start("sh", quiet, settings, "", TIMEOUT_MS);
  const port = Number(await process.waitForOutput(/http:\/\/[^/\s]+:(\d+)\b/));
  return {
    pid: process.pid,
    port,
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}
