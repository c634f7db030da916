/**
 * HTTP endpoint that resolves a task. Each request polls the task once and returns its result, or 202 with
 * `Retry-After` while it is running.
 *
 * ```ts
 * import { createApp, readConfig } from "@deepint/task/endpoint";
 *
 * const config = readConfig({
 *   DEEPINT_TOKEN: "a-token",
 *   RESOLVE_API_KEYS: "a-key-of-16-characters-or-more",
 * });
 * const app = createApp(config);
 * const response = await app.fetch(new Request("https://tasks.example.com/health"));
 * console.log(await response.json()); // { status: "ok" }
 * ```
 *
 * @module
 */
import type { Context, Next } from "hono";
import { Hono } from "hono/tiny";
import { Credentials, type Fetch, taskUrl } from "../mod.ts";
import { authenticate, type Authentication } from "./auth/authenticate.ts";
import { createLinkSigner } from "./auth/link_token.ts";
import type { Config } from "./config.ts";
import { accessLog } from "./http/access_log.ts";
import type { Counters } from "./http/counters.ts";
import { isLocalRequest, LOCAL_ONLY } from "./http/loopback.ts";
import { type AppEnv, type LogEntry, type Platform, writeLogEntry } from "./http/log.ts";
import { HttpProblem, PROBLEMS, routeNotFound, toProblemParts } from "./http/problem.ts";
import { sendResponse } from "./http/response.ts";
import { route } from "./http/route.ts";
import { statusRoute } from "./status_page/route.ts";
import { sanitizeText } from "../src/internal/text.ts";
import { upstreamProblem } from "./task/response.ts";
import { taskRoutes } from "./task/routes.ts";
import { createTaskPoller } from "./task/shared_poll.ts";
import type { Watches } from "./watches/routes.ts";

export type { AuthKind, LogEntry } from "./http/log.ts";
export { type Config, ConfigError, type Environment, readConfig, SETTING_NAMES } from "./config.ts";
export type { CallbackHost, ReadConfigOptions } from "./config.ts";
export type {
  Watches,
  WatchOperator,
  WatchResponse,
  WatchRoute,
  WatchRouteRequest,
} from "./watches/routes.ts";

/** Options of {@linkcode createApp}. */
export interface AppOptions {
  /** Sends upstream requests. @default globalThis.fetch */
  fetch?: Fetch | undefined;
  /** Receives the log entry of each request; must not throw. @default writes JSON lines to stdout */
  log?: (entry: LogEntry) => void;
  /** The clock, in ms since 1970. @default Date.now */
  now?: () => number;
  /** Handlers of durable watches. @default none: their routes are 404 */
  watches?: Watches | undefined;
}

/** Third argument of `fetch` on some platforms. */
export interface ExecutionContext {
  /** Keeps the invocation alive until the promise settles. */
  waitUntil(promise: Promise<unknown>): void;
}

/** A request handler. */
export interface Handler {
  /**
   * Handles a request; never rejects.
   *
   * @param platform bindings, or information about the connection
   * @param context present on platforms where a request must not touch the I/O of another
   */
  fetch(
    request: Request,
    platform?: unknown,
    context?: ExecutionContext,
  ): Response | Promise<Response>;
  /** Handles a request to a path or URL, for tests. */
  request(input: string | URL | Request, init?: RequestInit): Response | Promise<Response>;
}

const TASK_PATH = "/organizations/:organization/workspaces/:workspace/tasks/:task";
const STATUS_PATH = "/status/:token";

const WATCHES_DISABLED = "durable watches are not enabled here: they need RESOLVE_CALLBACK_HOSTS";

/** Converts an error to a problem and adds it to the log. */
function toProblem(error: Error, c: Context<AppEnv>): HttpProblem {
  const entry = c.get("entry");
  const problem = error instanceof HttpProblem ? error : upstreamProblem(error) ??
    // only the name of any other error: its message may contain anything
    new HttpProblem("internal-error", "a defect of the endpoint; report request_id", {
      hint: sanitizeText(error.name),
    });
  entry.problem = problem.type;
  if (problem.options.hint) entry.hint = problem.options.hint;
  return problem;
}

async function openapi(c: Context<AppEnv>, publicUrl: string): Promise<Response> {
  const { default: document } = await import("./openapi.json", { with: { type: "json" } });
  const servers = [{ url: publicUrl || "/" }];
  return sendResponse(c, { status: 200, body: { ...document, servers } });
}

async function problemDocs(c: Context<AppEnv>): Promise<Response> {
  const { explainProblem } = await import("./http/problem_docs.ts"); // few requests need it
  const parts = explainProblem(c.req.param("name") ?? "", PROBLEMS);
  if (!parts) throw routeNotFound("no such problem type");
  return sendResponse(c, parts);
}

/** Refuses callers on other machines, on every route. */
async function loopbackOnly(c: Context<AppEnv>, next: Next): Promise<void> {
  if (isLocalRequest(c)) return await next();
  throw new HttpProblem("forbidden", LOCAL_ONLY, { code: "HOST_NOT_ALLOWED" });
}

function addWatchRoutes(app: Hono<AppEnv>, { routes }: Watches, auth: Authentication): void {
  for (const [path, methods] of Object.entries(routes)) {
    const handlers = Object.entries(methods).map(([method, { guard, handle }]) =>
      [method, [auth[guard], async (c: Context<AppEnv>) =>
        sendResponse(
          c,
          await handle({
            id: c.req.param("id") ?? "",
            query: new URL(c.req.url).searchParams,
            body: c.get("json"),
          }),
        )]] as const
    );
    route(app, path, Object.fromEntries(handlers));
  }
}

/**
 * Creates the endpoint. It opens no connection and starts no timer before the first request.
 *
 * @throws {RangeError} when the configuration names an unusable instance, or a secret is malformed
 * @throws {DeepintCredentialsError} when the token cannot be sent in a header
 */
export function createApp(config: Config, options: AppOptions = {}): Handler {
  const { fetch, log = writeLogEntry, now = Date.now, watches } = options;
  const { basePath, publicUrl = basePath, corsOrigins, timeout } = config;
  const { linkSecrets: secrets = [], linkTtl: ttl } = config;
  const credentials = new Credentials(config);
  const counters: Counters = { requests: new Map(), polls: new Map() };
  const links = secrets.length > 0 ? createLinkSigner({ secrets, ttl, now }) : undefined;
  const poll = createTaskPoller({ credentials, timeout, fetch, now, polls: counters.polls });
  const tasks = taskRoutes({ config, credentials, links, poll, now });
  const auth = authenticate({ config, now });

  function sendProblem(c: Context<AppEnv>, problem: HttpProblem): Response {
    const { request_id: requestId, auth } = c.get("entry");
    const parts = toProblemParts(problem, { requestId, publicUrl });
    // a sender would repeat a delivery that is refused for good
    const abort = auth === "webhook" && [400, 403, 404].includes(parts.status) &&
      { "webhook-delivery": "abort-message" };
    return sendResponse(c, { ...parts, headers: { ...parts.headers, ...abort } });
  }

  const root = new Hono<AppEnv>();
  root.use(accessLog({ log, now, requests: counters.requests }));
  if (config.allowUnauthenticated) root.use(loopbackOnly);
  const app = root.basePath(basePath);
  app.onError((error, c) => {
    if (!(error instanceof HttpProblem) && c.req.raw.signal.aborted) {
      return sendResponse(c, { status: 499, body: null }); // the caller disconnected; for the log
    }
    return sendProblem(c, toProblem(error, c));
  });
  app.notFound((c) => {
    const isWatches = !watches && c.req.path.startsWith(`${basePath}/watches`);
    return sendProblem(c, toProblem(routeNotFound(isWatches ? WATCHES_DISABLED : undefined), c));
  });

  route(app, "/health", { GET: (c) => sendResponse(c, { status: 200, body: { status: "ok" } }) });
  route(app, "/ready", {
    async GET(c) {
      await watches?.ready();
      return sendResponse(c, { status: 200, body: { status: "ok" } });
    },
  });
  route(app, "/metrics", {
    GET: [auth.bearer, async (c) => {
      const { metricsParts } = await import("./http/metrics.ts");
      return sendResponse(c, await metricsParts(counters, watches));
    }],
  });
  route(app, "/openapi.json", { GET: (c) => openapi(c, publicUrl) });
  route(app, "/problems/:name", { GET: problemDocs });
  route(app, "/resolve", { POST: [auth.bearerOrWebhook, tasks.resolve] });
  if (watches) addWatchRoutes(app, watches, auth);
  if (corsOrigins.length > 0) {
    for (const path of links ? [TASK_PATH, STATUS_PATH] : [TASK_PATH]) {
      app.use(path, async (c, next) => {
        const { handleCors } = await import("./http/cors.ts");
        const preflight = await handleCors(c, next, { origins: corsOrigins, route: path });
        if (preflight) return sendResponse(c, preflight);
      });
    }
  }
  route(app, TASK_PATH, { GET: [auth.bearer, tasks.get] });
  if (links) {
    const { instance } = credentials;
    route(app, STATUS_PATH, {
      GET: statusRoute({
        ...{ links, tasks, toProblem, basePath, publicUrl, now },
        taskUrl: (ids) => taskUrl({ instance, ...ids }),
      }),
    });
  }

  const handle: Handler["fetch"] = (request, info, context) =>
    app.fetch(request, {
      info: info as Platform["info"],
      waitUntil: context && ((promise) => context.waitUntil(promise)),
    });
  return {
    fetch: handle,
    request(input, init) {
      const base = "http://localhost";
      return handle(new Request(input instanceof Request ? input : new URL(input, base), init));
    },
  };
}
