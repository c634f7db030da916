/** CORS headers, for the configured origins. */
import type { MiddlewareHandler } from "hono";
import type { AppEnv } from "./log.ts";
import { sendResponse } from "./response.ts";

/** Options of {@linkcode lazyCors}. */
export interface LazyCorsOptions {
  /** The allowed origins. */
  origins: readonly string[];
  /** Pattern of the route, for the log. */
  route: string;
}

/** Creates the CORS middleware of a `GET` route. It loads `hono/cors` on the first request. */
export function lazyCors({ origins, route }: LazyCorsOptions): MiddlewareHandler<AppEnv> {
  return async function corsMiddleware(c, next) {
    const { cors } = await import("hono/cors"); // 0.5 kB that few deployments need
    const addHeaders = cors({
      origin: [...origins],
      allowMethods: ["GET"],
      allowHeaders: ["Authorization", "If-None-Match"],
      exposeHeaders: ["Retry-After", "Location", "ETag", "X-Request-Id"],
    });
    if (c.req.method !== "OPTIONS") return await addHeaders(c, next);
    if (c.req.header("access-control-request-method") === undefined) return await next();
    c.get("entry").route = route;
    const preflight = await addHeaders(c, next);
    const headers = Object.fromEntries(preflight?.headers ?? []);
    return sendResponse(c, { status: 204, body: null, headers });
  };
}
