/** The server for Bun, which serves the default export of the module that it runs. */
import process from "node:process";
import { type Config, ConfigError, readConfig } from "./app.ts";
import { type EntryOptions, lazyHandler } from "./lazy_handler.ts";

/** The methods of Bun's server that this entry calls. */
export interface BunServer {
  /** Returns the address of the request's peer. */
  requestIP(request: Request): { address: string } | null;
  /** Stops accepting connections; resolves when the requests in progress are finished. */
  stop(): Promise<void>;
}

function exitOnConfigError(error: unknown): never {
  if (!(error instanceof ConfigError)) throw error;
  // deno-lint-ignore no-console -- the reason goes to standard error
  console.error(error.message);
  process.exit(1);
}

/** Reads the settings of the server, or exits with a line that names the wrong one. */
function readConfigOrExit(): Config {
  try {
    return readConfig({ ...process.env, RESOLVE_CALLBACK_HOSTS: undefined });
  } catch (error) {
    exitOnConfigError(error);
  }
}

const stop = new AbortController();
let server: BunServer | undefined;
let watching: Promise<void> | undefined;
let opened: Promise<EntryOptions> | undefined;

/** Opens the watches and starts their loop. */
async function openWatches(): Promise<EntryOptions> {
  const { openDatabase, parseCallbackHosts } = await import("./watches/database.ts");
  const { loop, routes } = openDatabase(readConfig(process.env, { parseCallbackHosts }));
  watching = loop.run(stop.signal);
  return { parseCallbackHosts, watches: () => routes };
}

const load = () => opened ??= openWatches().catch(exitOnConfigError);

const handler = lazyHandler((name) => process.env[name], { load });

/** Finishes the requests and the steps of watches in progress for at most `RESOLVE_TIMEOUT_MS`, then exits. */
async function stopOnSignal(): Promise<void> {
  setTimeout(() => process.exit(0), readConfigOrExit().timeout);
  stop.abort();
  await Promise.all([server?.stop(), watching]);
  process.exit(0);
}

function handleSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, stopOnSignal);
}

/** Installs the signal handlers on the first request: before it, there is nothing to finish. */
function keepServer(it: BunServer): void {
  server = it;
  if (!opened) handleSignals();
}

/** Starts the watches as soon as Bun serves this module. */
function startWatches(): void {
  if (opened || !process.env.RESOLVE_CALLBACK_HOSTS) return;
  handleSignals();
  load();
}

/** The connection of a request. Looks up the address of the peer when it is read. */
class Connection {
  readonly #server: BunServer;
  readonly #request: Request;

  constructor(server: BunServer, request: Request) {
    this.#server = server;
    this.#request = request;
  }

  get remoteAddr(): { hostname: string } | undefined {
    const peer = this.#server.requestIP(this.#request);
    return peer ? { hostname: peer.address } : undefined;
  }
}

export default {
  /** The port to listen on. Bun reads it after the modules are loaded. */
  get port(): number {
    const { port } = readConfigOrExit();
    startWatches();
    return port;
  },
  /** The address to listen on. @default IPv6 and IPv4 */
  get hostname(): string | undefined {
    return readConfigOrExit().host;
  },
  /** Seconds. Bun's default of 10 would end polls, which may take 60 s (`RESOLVE_TIMEOUT_MS`). */
  idleTimeout: 120,
  /** Unless `NODE_ENV` is `production`, Bun's response to an error would show the source code. */
  development: false,
  fetch(request: Request, it?: BunServer): Response | Promise<Response> {
    if (it && !server) keepServer(it);
    // Bun's URL is only a path if an HTTP/1.0 request has no Host header
    const { url } = request;
    const full = url.startsWith("/") ? new Request(`http://localhost${url}`, request) : request;
    return handler(full, it && new Connection(it, request));
  },
};
