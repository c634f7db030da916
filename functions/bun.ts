/** The server for Bun, which serves the default export of the module that it runs. */
import process from "node:process";
import { readConfig } from "./app.ts";
import { lazyHandler } from "./lazy_handler.ts";

/** The methods of Bun's server that this entry calls. */
export interface BunServer {
  /** Returns the address of the request's peer. */
  requestIP(request: Request): { address: string } | null;
  /** Stops accepting connections; resolves when the requests in progress are finished. */
  stop(): Promise<void>;
}

const handler = lazyHandler((name) => process.env[name]);

let server: BunServer | undefined;

/** Finishes the requests in progress for at most `RESOLVE_TIMEOUT_MS`, then exits. */
async function shutdown(): Promise<void> {
  setTimeout(() => process.exit(0), readConfig(process.env).timeout);
  await server?.stop();
  process.exit(0);
}

/** Installs the signal handlers on the first request: before it, there is nothing to finish. */
function keepServer(it: BunServer): void {
  server = it;
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, shutdown);
}

export default {
  /** The port to listen on. Bun reads it after the modules are loaded and exits if it throws. */
  get port(): number {
    return readConfig(process.env).port;
  },
  /** The address to listen on. @default IPv6 and IPv4 */
  get hostname(): string | undefined {
    return readConfig(process.env).host;
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
