/** The server for Bun, which serves the default export of the module that it runs. */
import process from "node:process";
import { type Config, ConfigError, readConfig } from "./app.ts";
import { lazyHandler } from "./lazy_handler.ts";

/** The methods of Bun's server that this entry calls. */
export interface BunServer {
  /** Returns the address of the request's peer. */
  requestIP(request: Request): { address: string } | null;
  /** Stops accepting connections; resolves when the requests in progress are finished. */
  stop(): Promise<void>;
}

/** Reads the settings, or exits with a line that names the wrong one. */
function readConfigOrExit(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // deno-lint-ignore no-console -- the reason goes to standard error
    console.error(error.message);
    process.exit(1);
  }
}

const handler = lazyHandler((name) => process.env[name]);

let server: BunServer | undefined;

/** Finishes the requests in progress for at most `RESOLVE_TIMEOUT_MS`, then exits. */
async function stopOnSignal(): Promise<void> {
  setTimeout(() => process.exit(0), readConfigOrExit().timeout);
  await server?.stop();
  process.exit(0);
}

/** Installs the signal handlers on the first request: before it, there is nothing to finish. */
function keepServer(it: BunServer): void {
  server = it;
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, stopOnSignal);
}

export default {
  /** The port to listen on. Bun reads it after the modules are loaded. */
  get port(): number {
    return readConfigOrExit().port;
  },
  /** The address to listen on. @default IPv6 and IPv4 */
  get hostname(): string | undefined {
    return readConfigOrExit().host;
  },
  /** Seconds. Bun's default of 10 would end polls, which may take 60 s (`RESOLVE_TIMEOUT_MS`). */
  idleTimeout: 120,
  fetch(request: Request, it?: BunServer): Response | Promise<Response> {
    if (it && !server) keepServer(it);
    const peer = it?.requestIP(request);
    // Bun's URL is only a path if an HTTP/1.0 request has no Host header
    const { url } = request;
    const full = url.startsWith("/") ? new Request(`http://localhost${url}`, request) : request;
    return handler(full, peer && { remoteAddr: { hostname: peer.address } });
  },
};
