// Not hono/cors: +524 B of a Worker; exposes headers to origins that are not allowed.
/** CORS headers, for the configured origins. Loaded on demand: few deployments need it. */
import type { Context, Next } from "hono";
import type { AppEnv } from "./log.ts";
import type { ResponseParts } from "./response.ts";

/** Options of {@linkcode handleCors}. */
export interface HandleCorsOptions {
  /** The allowed origins. */
  origins: readonly string[];
  /** Pattern of the route, for the log. */
  route: string;
}

/**
 * Adds CORS headers to the response of a `GET` route, or returns the response to a preflight. HTML has no
 * CORS headers: the status page is read by its own origin only.
 */
export async function handleCors(
  c: Context<AppEnv>,
  next: Next,
  { origins, route }: HandleCorsOptions,
): Promise<ResponseParts | undefined> {
  const origin = c.req.header("origin") ?? "";
  const isAllowed = origins.includes(origin);
  const isOptions = c.req.method === "OPTIONS";
  const isPreflight = isOptions && !c.req.path.endsWith("/") &&
    c.req.header("access-control-request-method") !== undefined;
  if (isPreflight) {
    c.get("entry").route = route;
    const headers = {
      "vary": "Origin",
      ...(isAllowed && { "access-control-allow-origin": origin }),
      "access-control-allow-methods": "GET",
      "access-control-allow-headers": "Authorization, X-API-Key, If-None-Match",
      "access-control-max-age": "7200",
    };
    return { status: 204, body: null, headers };
  }
  await next();
  const { headers } = c.res;
  const isPage = headers.get("content-type")?.startsWith("text/html");
  if (isOptions || isPage) return;
  headers.append("vary", "Origin");
  if (!isAllowed) return;
  headers.set("access-control-allow-origin", origin);
  headers.set("access-control-expose-headers", "Retry-After, Location, ETag, X-Request-Id");
}
