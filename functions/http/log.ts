/** The log: one JSON line per request. */
import type { TraceContext } from "../../mod.ts";

/** Longer methods are cut in the log. */
export const MAX_METHOD_LENGTH = 20;

/** Kind of authentication of a request; `none` also after a failed one. */
export type AuthKind = "bearer" | "webhook" | "link" | "unauthenticated" | "none";

/** The log entry of a request. It never contains a token, key, signature, body or query. */
export interface LogEntry {
  /** Time of arrival, ISO 8601. */
  time: string;
  /** Id of the request, also in `X-Request-Id`. */
  request_id: string;
  /** Method of the request, cut to 20 characters. */
  method: string;
  /** Pattern of the route, not the path; `null` if no route matches. */
  route: string | null;
  /** Status of the response. */
  status: number;
  /** Time to the response in ms. */
  ms: number;
  /** Kind of authentication. */
  auth: AuthKind;
  /** Id of the caller's trace, from a valid `traceparent`. */
  trace_id?: string;
  /** Origin of the task's information. */
  upstream?: "fetched" | "shared" | "cached";
  /** Time of the upstream request in ms. */
  upstream_ms?: number;
  /** Status of the upstream response; 0 without a response. */
  upstream_status?: number;
  /** `X-Request-Id` of the upstream response, cut to 200 printable characters. */
  upstream_request_id?: string;
  /** Status of the task. */
  task_status?: string;
  /** Type of the problem in the response. */
  problem?: string;
  /** Detail for the operator; never sent to the caller. */
  hint?: string;
}

/** Arguments of `fetch` in addition to the request. */
export interface Platform {
  /** Bindings, or under Deno information about the connection. */
  readonly info: { readonly remoteAddr?: { readonly hostname?: string } } | null | undefined;
  /** Keeps the invocation alive until the promise settles, where the platform supports it. */
  readonly waitUntil: ((promise: Promise<unknown>) => void) | undefined;
}

/** Hono environment of the endpoint. */
export interface AppEnv {
  Bindings: Platform;
  Variables: {
    /** Log entry of the request. */
    entry: LogEntry;
    /** Headers of the caller's trace for upstream requests. */
    trace: TraceContext | undefined;
    /** Parsed JSON body of an authenticated request. */
    json: unknown;
  };
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
