/**
 * The server for Node 20 and later, run as a bundle. It reads the environment when it is loaded, and
 * exits if a setting is wrong.
 */
import process from "node:process";
import { createAdaptorServer, type Http2Bindings, type HttpBindings } from "@hono/node-server";
import { type Config, ConfigError, createApp, readConfig, type Watches } from "./app.ts";
import { createErrorLog, logListening } from "./http/log.ts";
import { createUndiciFetch } from "./http/undici_fetch.ts";

/** Longer than the 60 s for which common load balancers keep idle connections. */
const KEEP_ALIVE_MS = 65_000;
const HEADERS_TIMEOUT_MS = 66_000;

/** Limit of the unread part of a body that is received after the response. */
const MAX_UNREAD_BYTES = 1_048_576;

type Server = ReturnType<typeof createAdaptorServer>;

function exitWithError(line: string): never {
  // deno-lint-ignore no-console -- the reason goes to standard error
  console.error(line);
  process.exit(1);
}

/**
 * Returns the number of connections to accept: half of the file descriptors. The other half is for
 * upstream requests. Without a limit, Node drops connections silently when no descriptor is left.
 */
function maxConnections(): number | undefined {
  const { userLimits } = process.report.getReport() as {
    userLimits?: { open_files?: { soft?: number | string } };
  };
  const limit = Number(userLimits?.open_files?.soft); // "unlimited" is possible
  return limit > 0 ? Math.max(1, Math.floor(limit / 2)) : undefined;
}

/**
 * Closes the connection of a caller that sends more than {@linkcode MAX_UNREAD_BYTES} after a response.
 * Closing the connection immediately would keep some clients from reading the response. Without a limit,
 * Node receives the whole body, with 34 MB of memory.
 */
function limitUnread({ incoming, outgoing }: HttpBindings | Http2Bindings): void {
  // before Node's own listener, which discards the rest of a body that nothing has read
  outgoing.prependOnceListener("finish", () => {
    if (incoming.complete) return;
    let unread = 0;
    incoming.on("data", ({ length }: Uint8Array) => {
      unread += length;
      if (unread > MAX_UNREAD_BYTES) incoming.socket.destroySoon();
    });
    incoming.read(0);
  });
}

function createServer(config: Config, watches: Watches | undefined): Server {
  const { fetch } = createApp(config, { fetch: createUndiciFetch(), watches });
  const server = createAdaptorServer({
    hostname: "localhost", // used for HTTP/1.0 requests without a Host header
    fetch(request, bindings) {
      limitUnread(bindings);
      const { remoteAddress: hostname } = bindings.incoming.socket;
      return fetch(request, { remoteAddr: { hostname } });
    },
    serverOptions: { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_TIMEOUT_MS },
  });
  const limit = maxConnections();
  if (limit !== undefined) server.maxConnections = limit;
  const logError = createErrorLog();
  server.on("drop", () => logError(`refused connections: ${limit} are open`));
  server.on("error", ({ message }) => {
    if (server.listening) return logError(`cannot accept connections: ${message}`);
    const isPort = config.host === undefined || message.includes("EADDRINUSE");
    exitWithError(`${isPort ? "PORT" : "HOST"}: ${message}`);
  });
  return server;
}

/** Finishes the requests and the steps of watches in progress for at most `RESOLVE_TIMEOUT_MS`, then exits. */
async function closeServer(
  server: Server,
  { timeout, watching }: { timeout: number; watching: Promise<void> | undefined },
): Promise<void> {
  setTimeout(() => process.exit(0), timeout);
  // let requests in progress finish, but don't wait for idle keep-alive connections
  if ("keepAliveTimeout" in server) server.keepAliveTimeout = 1;
  await Promise.all([new Promise((resolve) => server.close(resolve)), watching]);
  // exit after the log: Node keeps lines in memory while their reader is slow
  process.stdout.write("", () => process.exit(0));
}

process.stdout.on("error", () => {}); // the reader of the log has ended

try {
  const database = process.env.RESOLVE_CALLBACK_HOSTS
    ? await import("./watches/database.ts")
    : undefined;
  const config = readConfig(process.env, database);
  const open = config.callbackHosts && database?.openDatabase(config);
  const server = createServer(config, open?.routes);
  server.listen(config.port, config.host, () => {
    const address = server.address();
    if (address === null || typeof address === "string") return; // a pipe, never a port
    logListening(address.address, address.port, config.basePath);
  });
  const stop = new AbortController();
  const watching = open?.loop.run(stop.signal);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      stop.abort();
      closeServer(server, { timeout: config.timeout, watching });
    });
  }
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  exitWithError(error.message);
}
