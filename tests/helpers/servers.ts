/** The server entries as processes, and connections that send them bytes as they are. */
import { assertEquals } from "@std/assert";
import { KEY, RUNNING, TOKEN } from "./endpoint.ts";
import { createFakePlatform, type FakePlatform } from "./fake_platform.ts";
import { listenAs } from "./listen.ts";
import { type Process, start } from "./process.ts";
import { deno } from "./run_deno.ts";

/** A server entry: `deno task start`, or the bundle of `functions/node.ts` or `functions/bun.ts`. */
export type ServerName = "deno" | "node" | "bun";

/** All server entries. */
export const SERVER_NAMES: readonly ServerName[] = ["deno", "node", "bun"];

/** Options of {@linkcode startServer}. */
export interface StartServerOptions {
  /** Settings of the process. `PORT` is 0 unless given. @default {} */
  settings?: Record<string, string>;
  /** The folder of the bundles, made by {@linkcode bundleEntries}. */
  bundles: URL;
  /** Limit of open file descriptors. @default the limit of this process */
  openFiles?: number;
  /** Lines after which the reader of standard output ends. @default reads all */
  logLines?: number;
  /** Ends the process after so many ms. @default 60_000 */
  patience?: number;
}

/** A server that listens. */
export interface ServerProcess extends Process {
  readonly port: number;
}

/** Bundles entries as the README does, into a folder of `dist/`. */
export async function bundleEntries(folder: URL, names: readonly string[]): Promise<void> {
  const entries = names.map((name) => `functions/${name}.ts`);
  const args = ["bundle", "--frozen", "--outdir", folder.pathname, ...entries];
  const { code, output } = await deno(args, { quiet: true });
  assertEquals(code, 0, output);
  await Deno.writeTextFile(new URL("package.json", folder), '{ "type": "module" }\n');
}

/** Finds the command of an npm package: a child of npx would outlive it. */
async function commandOf(name: string, version: string): Promise<string> {
  const find = ["-y", "-p", `${name}@${version}`, "-c", `command -v ${name}`];
  await using found = start("npx", find, {});
  return await found.waitForOutput(/^(\/.+)\n/m);
}

/** Finds Bun. */
export function bunCommand(): Promise<string> {
  return commandOf("bun", "1.4.5");
}

async function commandLine(name: ServerName, bundles: URL): Promise<string[]> {
  if (name === "deno") return [Deno.execPath(), "task", "start"];
  const file = new URL(`${name}.js`, bundles).pathname;
  return [name === "bun" ? await bunCommand() : "node", file];
}

/** Starts a server and waits until it listens. */
export async function startServer(
  name: ServerName,
  { settings = {}, bundles, openFiles, logLines, patience }: StartServerOptions,
): Promise<ServerProcess> {
  const command = await commandLine(name, bundles);
  const limit = openFiles === undefined ? "" : `ulimit -n ${openFiles}; `;
  const reader = logLines === undefined ? "" : ` > >(head -n ${logLines})`;
  const args = ["-c", `${limit}exec "$@"${reader}`, "bash", ...command];
  const server = start("bash", args, { PORT: "0", ...settings }, "", patience);
  const port = await server.waitForOutput(/http:\/\/[^/\s]+:(\d+)\b/);
  return { ...server, port: Number(port) };
}

/** A server in front of a fake platform that has the task `RUNNING`. */
export interface EndpointProcess extends AsyncDisposable {
  readonly platform: FakePlatform;
  readonly server: ServerProcess;
}

/** Starts a server with a key, in front of a fake platform. */
export async function startEndpointProcess(
  name: ServerName,
  options: StartServerOptions,
): Promise<EndpointProcess> {
  const platform = createFakePlatform({ token: TOKEN });
  const upstream = listenAs(platform);
  platform.add(RUNNING);
  const settings = {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: platform.origin,
    RESOLVE_API_KEYS: KEY,
    ...options.settings,
  };
  const server = await startServer(name, { ...options, settings });
  return {
    platform,
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    },
  };
}

/** Starts an endpoint. The first call builds the bundles of Node and Bun. */
export type StartEndpoint = (
  name: ServerName,
  settings?: Record<string, string>,
) => Promise<EndpointProcess>;

/** Returns a function that starts endpoints whose bundles are in a folder. */
export function endpointsIn(
  bundles: URL,
  options: Omit<StartServerOptions, "bundles" | "settings"> = {},
): StartEndpoint {
  let bundled: Promise<void> | undefined;
  return async (name, settings = {}) => {
    await (bundled ??= bundleEntries(bundles, ["node", "bun"]));
    return await startEndpointProcess(name, { ...options, bundles, settings });
  };
}

/** Everything that a server sent. */
export interface RawResponse {
  readonly text: string;
  /** The status of each response, interim ones included. */
  readonly statuses: number[];
}

/** Options of {@linkcode sendRaw}. */
export interface SendRawOptions {
  /** The address to connect to. @default "127.0.0.1" */
  hostname?: string;
  /** Stops reading at text that matches. @default reads until the server closes the connection */
  until?: RegExp;
  /** Gives up after so many ms. @default 20_000 */
  timeout?: number;
}

const RAW_TIMEOUT_MS = 20_000;

/** Sends bytes and reads the response, by default until the server closes the connection. */
export async function sendRaw(
  port: number,
  text: string,
  { hostname = "127.0.0.1", until, timeout = RAW_TIMEOUT_MS }: SendRawOptions = {},
): Promise<RawResponse> {
  using connection = await Deno.connect({ hostname, port });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    connection.close();
  }, timeout);
  try {
    // the server may respond, and read no further, before all of it is sent
    const sent = writeAll(connection, text).catch(() => {});
    const received = await readAll(connection, until);
    if (until === undefined) await sent;
    if (timedOut) throw new Error(`the server keeps the connection open: ${received}`);
    const statuses = [...received.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, it]) => Number(it));
    return { text: received, statuses };
  } finally {
    clearTimeout(timer);
    if (timedOut) Object.assign(connection, { [Symbol.dispose]() {} });
  }
}

async function writeAll(connection: Deno.TcpConn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

async function readAll(connection: Deno.TcpConn, until?: RegExp): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (;;) {
    // a reset also ends the connection
    const size = await connection.read(buffer).catch(() => null);
    if (size === null) return text;
    text += decoder.decode(buffer.subarray(0, size), { stream: true });
    if (until?.test(text)) return text;
  }
}
