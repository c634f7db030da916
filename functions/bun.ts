/** Bun, which serves what the module that it runs exports. */
import process from "node:process";
import { readConfig } from "./app.ts";
import { lazyHandler } from "./lazy_handler.ts";

/** The part of Bun's server that is used here. */
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

/** Handles signals from the first request on: until then there is nothing to finish. */
function keepServer(it: BunServer): void {
  server = it;
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, shutdown);
}

export default {
  /** The port to listen on. Bun reads it when all is loaded, and exits if a setting is wrong. */
  get port(): number {
    return readConfig(process.env).port;
  },
  /** The address to listen on. @default IPv6 and IPv4 */
  get hostname(): string | undefined {
    return readConfig(process.env).host;
  },
  /** Seconds: Bun's own 10 would end a poll that `RESOLVE_TIMEOUT_MS` gives up to 60. */
  idleTimeout: 120,
  fetch(request: Request, it?: BunServer): Response | Promise<Response> {
    if (it && !server) keepServer(it);
    const peer = it?.requestIP(request);
    // the URL is a path if an HTTP/1.0 request has no Host
    const { url } = request;
    const full = url.startsWith("/") ? new Request(`http://localhost${url}`, request) : request;
    return handler(full, peer && { remoteAddr: { hostname: peer.address } });
  },
};
