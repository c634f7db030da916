/**
 * A server: `deno task start`. Separate from `main.ts`, because `deno run` warns about a default export
 * with `fetch`.
 */
import { createErrorLog, logListening } from "./http/log.ts";
import { config, createHandler, watches } from "./main.ts";

const RESTART_DELAY_MS = 250;
const encoder = new TextEncoder();

type Server = Deno.HttpServer<Deno.NetAddr>;

const { allowUnauthenticated, basePath, port, timeout } = config;
// without authentication, only this machine may connect
const host = config.host ?? (allowUnauthenticated ? "127.0.0.1" : undefined);

const stop = new AbortController();
const watching = watches?.run(stop.signal);

/** The server that accepts connections, and failed ones that still finish requests. */
const servers = new Set<Server>();
const logError = createErrorLog();

function printLine(line: string): void {
  // deno-lint-ignore no-console -- standard error is for people
  console.error(line);
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function logOutage(error: unknown): void {
  logError(`cannot accept connections: ${reason(error)}`);
}

/**
 * Writes a log entry as a line, and returns when the system has it: no signal can lose it.
 * `console.log` takes 2 to 8 times as long.
 */
function writeLine(entry: object): void {
  const line = encoder.encode(`${JSON.stringify(entry)}\n`);
  try {
    for (let at = 0; at < line.length;) at += Deno.stdout.writeSync(line.subarray(at));
  } catch {
    // nobody reads the log any more
  }
}

const { fetch } = createHandler({ log: writeLine });

function serve(hostname: string, port: number): Server {
  const server = Deno.serve({ hostname, port, onListen() {} }, fetch);
  servers.add(server);
  return server;
}

/** Listens on `HOST`; without it on every address, IPv4 only where the host lacks IPv6. */
function listen(): Server {
  if (host !== undefined) return serve(host, port);
  try {
    return serve("::", port);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return serve("0.0.0.0", port);
  }
}

/** Listens again after a failure, as soon as that is possible. */
async function listenAgain({ hostname, port }: Deno.NetAddr): Promise<Server> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, RESTART_DELAY_MS));
    try {
      return serve(hostname, port);
    } catch (error) {
      logOutage(error);
    }
  }
}

/**
 * Replaces the server whenever it fails: Deno ends a server that cannot accept a connection, for
 * example because the process has no file descriptor left. The failed server closes its idle
 * connections, which frees descriptors, and finishes its requests.
 */
async function keepListening(server: Server): Promise<void> {
  while (!stop.signal.aborted) {
    try {
      return await server.finished;
    } catch (error) {
      logOutage(error);
    }
    const failed = server;
    failed.shutdown().catch(logOutage).finally(() => servers.delete(failed));
    server = await listenAgain(failed.addr);
  }
}

/** Finishes the requests in progress for at most `RESOLVE_TIMEOUT_MS`, then exits. */
async function shutdown(): Promise<void> {
  // an idle connection, or one that never completes its request, must not hold the process
  setTimeout(() => Deno.exit(0), timeout);
  stop.abort();
  await Promise.allSettled([...[...servers].map((server) => server.shutdown()), watching]);
  Deno.exit(0);
}

function listenOrExit(): Server {
  try {
    return listen();
  } catch (error) {
    const isPort = host === undefined || error instanceof Deno.errors.AddrInUse;
    const address = isPort
      ? `PORT: cannot listen on port ${port}`
      : `HOST: cannot listen on ${host}`;
    printLine(`${address}: ${reason(error)}`);
    Deno.exit(1);
  }
}

const server = listenOrExit();
printLine(`Listening on ${logListening(server.addr.hostname, server.addr.port, basePath)}`);
for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, shutdown);
keepListening(server);
