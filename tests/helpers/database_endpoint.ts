/** Servers of every runtime that keep their watches in one database. */
import type { Settings } from "./endpoint.ts";
import { type Process, serverArgs, start } from "./process.ts";
import { bunCommand, type ServerName } from "./servers.ts";

/** A server that can be killed and started again. */
export interface RestartableServer extends AsyncDisposable {
  readonly origin: string;
  readonly process: Process;
  /** Kills the process and starts another. */
  restart(): Promise<void>;
}

/** Options of {@linkcode startRestartable}. */
export interface RestartableOptions {
  /** The folder of the bundles, made by `bundleEntries`. */
  bundles: URL;
  settings: Settings;
  /** Ends each process after so many ms. @default 60_000 */
  patience?: number;
}

/** Starts a server whose settings name a database. */
export async function startRestartable(
  name: ServerName,
  { bundles, settings, patience = 240_000 }: RestartableOptions,
): Promise<RestartableServer> {
  const file = new URL(`${name}.js`, bundles).pathname;
  const command = { deno: Deno.execPath(), node: "node", bun: "" }[name] || await bunCommand();
  const args = name === "deno" ? serverArgs() : [file];

  async function begin(): Promise<{ process: Process; origin: string }> {
    const process = start(command, args, { PORT: "0", ...settings }, "", patience);
    const port = await process.waitForOutput(/http:\/\/[^/\s]+:(\d+)\b/);
    return { process, origin: `http://127.0.0.1:${port}` };
  }

  let running = await begin();
  return {
    get origin() {
      return running.origin;
    },
    get process() {
      return running.process;
    },
    async restart() {
      await running.process.end("SIGKILL");
      running = await begin();
    },
    [Symbol.asyncDispose]: () => running.process[Symbol.asyncDispose](),
  };
}
