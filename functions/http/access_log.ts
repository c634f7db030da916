/** Access log: the id, the timing and the log entry of each request; also counts responses. */
import type { MiddlewareHandler } from "hono";
import { type Counter, increment } from "./counters.ts";
import { type AppEnv, type LogEntry, MAX_METHOD_LENGTH } from "./log.ts";
import { getRequestId } from "./response.ts";
import { parseTrace } from "./trace.ts";

/** Options of {@linkcode accessLog}. */
export interface AccessLogOptions {
  /** Receives the entry of each request; must not throw. */
  log: (entry: LogEntry) => void;
  /** The clock, in ms since 1970. */
  now: () => number;
  /** Counts responses by route and status. */
  requests: Counter;
}

/** Creates the middleware that adds a log entry to the context and writes it after the response. */
export function accessLog({ log, now, requests }: AccessLogOptions): MiddlewareHandler<AppEnv> {
  return async function accessLog(c, next) {
    const startedAt = now();
    const { headers } = c.req.raw;
    const entry: LogEntry = {
      time: new Date(startedAt).toISOString(),
      request_id: getRequestId(headers),
      method: c.req.method.slice(0, MAX_METHOD_LENGTH),
      route: null,
      status: 0,
      ms: 0,
      auth: "none",
    };
    c.set("entry", entry);
    if (headers.has("traceparent")) {
      const trace = parseTrace(headers);
      if (trace) entry.trace_id = trace.id;
      c.set("trace", trace?.headers);
    }
    await next();
    entry.status = c.res.status;
    entry.ms = now() - startedAt;
    increment(requests, `${entry.route ?? "none"} ${entry.status}`);
    // health checks would fill the log
    if (entry.route !== "/health" || entry.status !== 200) log(entry);
  };
}
