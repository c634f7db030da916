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

const EXPOSED_HEADERS = ["Retry-After", "Location", "ETag", "X-Request-Id"];
const MAX_AGE_SECONDS = 7_200;

/**
 * Adds CORS headers to the response of a `GET` route, or returns the response to a preflight. HTML has no
 * CORS headers: the status page is read by its own origin only.
 */
export async function handleCors(
  c: Context<AppEnv>,
  next: Next,
  { origins, route }: HandleCorsOptions,
): Promise<ResponseParts | undefined> {
  const { cors } = await import("hono/cors");
  const isAllowed = origins.includes(c.req.header("origin") ?? "");
  const addHeaders = cors({
    origin: [...origins],
    allowMethods: ["GET"],
    allowHeaders: ["Authorization", "X-API-Key", "If-None-Match"],
    exposeHeaders: isAllowed ? EXPOSED_HEADERS : [],
    maxAge: MAX_AGE_SECONDS,
  });
  const isOptions = c.req.method === "OPTIONS";
  const isPreflight = isOptions && !c.req.path.endsWith("/") &&
    c.req.header("access-control-request-method") !== undefined;
  if (isPreflight) {
    c.get("entry").route = route;
    const preflight = await addHeaders(c, next);
    return { status: 204, body: null, headers: Object.fromEntries(preflight?.headers ?? []) };
  }
  await next();
  const isPage = c.res.headers.get("content-type")?.startsWith("text/html");
  if (!isOptions && !isPage) await addHeaders(c, () => Promise.resolve());
}
