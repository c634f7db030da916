// Not hono/method-not-allowed: +1,504 B, ignores `app.all`, needs TrieRouter.
/** Routes: HEAD with GET, 405 for other methods, 404 for a trailing slash. */
import type { Context } from "hono";
import type { Hono } from "hono/tiny";
import type { AppEnv } from "./log.ts";
import { HttpProblem } from "./problem.ts";

/** Handles a request, after its guards. */
export type RouteHandler = (c: Context<AppEnv>) => Response | Promise<Response>;

/** Checks a request before its handler; throws a problem to refuse it. */
export type Guard = (c: Context<AppEnv>) => void | Promise<void>;

/** A handler, or guards and a handler, for each method of a route. */
export type RouteMethods = Readonly<Record<string, RouteHandler | readonly [Guard, RouteHandler]>>;

/** Adds a route. `GET` also handles `HEAD`; any other method is 405 with `Allow`. */
export function route(app: Hono<AppEnv>, path: string, methods: RouteMethods): void {
  const names = Object.keys(methods).flatMap((name) => name === "GET" ? ["GET", "HEAD"] : name);
  const notAllowed = () => {
    throw new HttpProblem("method-not-allowed", `this route supports ${names.join(", ")}`, {
      headers: { "allow": names.join(", ") },
    });
  };
  app.all(path, async function routeHandler(c) {
    if (c.req.path.endsWith("/")) return c.notFound(); // the router treats both paths as the same
    c.get("entry").route = path;
    const { method } = c.req;
    if (!names.includes(method)) return notAllowed();
    const handler = methods[method === "HEAD" ? "GET" : method] ?? notAllowed;
    try {
      if (typeof handler === "function") return await handler(c);
      const [guard, guarded] = handler;
      await guard(c);
      return await guarded(c);
    } catch (thrown) {
      // an abort reason may be anything, and Hono handles only errors
      throw thrown instanceof Error ? thrown : new Error("aborted", { cause: thrown });
    }
  });
}
