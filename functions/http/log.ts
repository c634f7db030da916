/** What belongs to one request while it is handled. */
import type { AuthKind } from "../auth/webhook.ts";

/** The line that a request leaves in the log: no token, key, signature, body or query. */
export interface LogEntry {
  /** When the request came: ISO 8601. */
  time: string;
  /** The request's id, also in `X-Request-Id`. */
  request_id: string;
  /** The request's method. */
  method: string;
  /** The pattern of the route, not the path. */
  route: string | null;
  /** The status of the answer. */
  status: number;
  /** How long it took, in milliseconds. */
  ms: number;
  /** How the caller proved who it is. */
  auth: AuthKind;
  /** Where the task's information came from: a request of its own, a shared one, or a memory. */
  upstream?: "fetched" | "shared" | "cached";
  /** How long the upstream request took, in milliseconds. */
  upstream_ms?: number;
  /** The status of the upstream answer; 0 when there was none. */
  upstream_status?: number;
  /** The status of the task. */
  task_status?: string;
  /** The problem that was answered. */
  problem?: string;
  /** What the operator should know, and the caller not. */
  hint?: string;
}

/** What comes along with one request. */
export interface RequestContext {
  /** What will stand in the log. */
  readonly entry: LogEntry;
  /** What the platform hands over: bindings, or, under Deno, information on the connection. */
  readonly platform: { readonly remoteAddr?: { readonly hostname?: string } } | null | undefined;
  /** Keeps the invocation alive until the promise settles, where that can be asked for. */
  readonly waitUntil: ((promise: Promise<unknown>) => void) | undefined;
}

/** For Hono's types. */
export interface AppEnv {
  Bindings: RequestContext;
}

/** Writes a log entry as a line of JSON to standard output. */
export function writeLogEntry(entry: object): void {
  // deno-lint-ignore no-console -- the log is standard output
  console.log(JSON.stringify(entry));
}

const ERROR_INTERVAL_MS = 60_000;

/** Returns a function that logs an error of the server itself, at most once a minute. */
export function createErrorLog(): (error: string) => void {
  let loggedAt = -ERROR_INTERVAL_MS;
  return (error) => {
    const now = performance.now();
    if (now - loggedAt < ERROR_INTERVAL_MS) return;
    loggedAt = now;
    writeLogEntry({ time: new Date().toISOString(), error });
  };
}

/** Logs the URL of a server that listens, and returns it: `localhost` stands for all addresses. */
export function logListening(hostname: string, port: number, basePath: string): string {
  const isAny = hostname === "::" || hostname === "0.0.0.0";
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  const listening = `http://${isAny ? "localhost" : host}:${port}${basePath}/`;
  writeLogEntry({ time: new Date().toISOString(), listening });
  return listening;
}
