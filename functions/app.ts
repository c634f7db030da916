/**
 * The endpoint: one invocation is one bounded poll of a task; it answers with the task's result, or
 * that it still runs and when to ask again.
 *
 * ```ts
 * import { createApp } from "@deepint/task/endpoint";
 *
 * const app = createApp({
 *   token: "a-token",
 *   instance: "app.deepint.net",
 *   apiKeys: ["a-key-of-16-characters-or-more"],
 *   webhookSecrets: [],
 *   allowedOrganizations: [],
 *   allowedWorkspaces: [],
 *   timeout: 8_000,
 *   basePath: "",
 *   corsOrigins: [],
 *   allowUnauthenticated: false,
 *   port: 8_000,
 * });
 * const answer = await app.request("/health");
 * console.log(await answer.json()); // { status: "ok" }
 * ```
 *
 * @module
 */
import type { Context } from "hono";
import { Hono } from "hono/tiny";
import { Credentials, DeepintHTTPError, type Fetch, type Task } from "../mod.ts";
import { type TaskResponse, toTaskResponse, upstreamProblem } from "./task/response.ts";
import { type AppEnv, type LogEntry, type RequestContext, writeLogEntry } from "./http/log.ts";
import { bearerVerifier, webhookVerifier } from "./auth/webhook.ts";
import { checkContentType, readBody } from "./http/body.ts";
import type { Config } from "./config.ts";
import { type LinkSigner, linkSignerFromConfig, statusPagePath } from "./auth/link_token.ts";
import { isLoopback } from "./http/loopback.ts";
import { createTaskPoller, type TaskIds } from "./task/shared_poll.ts";
import { HttpProblem, problemResponse, PROBLEMS } from "./http/problem.ts";
import { parseJson, parseTaskRequest, type TaskRequest } from "./task/request.ts";
import { createResponse, getRequestId } from "./http/response.ts";
import { conditionalResponse } from "./task/etag.ts";
import type { Watches, WatchResponse } from "./watches/routes.ts";
import { sanitizeText } from "../src/internal/text.ts";

export type { LogEntry } from "./http/log.ts";
export type { AuthKind } from "./auth/webhook.ts";
export { type Config, ConfigError, type Environment, readConfig, SETTING_NAMES } from "./config.ts";
export type { CallbackHost, ReadConfigOptions } from "./config.ts";
export type { Watches, WatchResponse } from "./watches/routes.ts";

/** What {@linkcode createApp} takes beside the configuration. */
export interface AppOptions {
  /** The function that upstream requests go through. @default globalThis.fetch */
  fetch?: Fetch | undefined;
  /** Where log entries go, one a request; must not throw. @default a JSON line to standard output */
  log?: (entry: LogEntry) => void;
  /** The clock, in ms since 1970. @default Date.now */
  now?: () => number;
  /** The durable watches, where there is an engine for them. @default none: their routes are 404 */
  watches?: Watches | undefined;
}

/** What a platform hands over beside a request, where it does. */
export interface ExecutionContext {
  /** Keeps the invocation alive until the promise settles. */
  waitUntil(promise: Promise<unknown>): void;
}

/** A request handler. */
export interface Handler {
  /**
   * Answers a request; never rejects.
   *
   * @param platform what the platform gives as second argument: bindings, or connection information
   * @param context where the platform has one: then no request touches another's input and output
   */
  fetch(
    request: Request,
    platform?: unknown,
    context?: ExecutionContext,
  ): Response | Promise<Response>;
  /** Answers a request made of a path or URL, for tests. */
  request(input: string | URL | Request, init?: RequestInit): Response | Promise<Response>;
}

const NO_ROUTE = { code: "ROUTE_NOT_FOUND" };
const TASK_ROUTE = "/organizations/:organization/workspaces/:workspace/tasks/:task";

/**
 * Makes the endpoint. It opens no connection and starts no timer before the first request.
 *
 * @throws {RangeError} when the configuration names an unusable instance, or a secret is malformed
 * @throws {DeepintCredentialsError} when its token is one that no header can carry
 */
export function createApp(config: Config, options: AppOptions = {}): Handler {
  const { fetch, log = writeLogEntry, now = Date.now, watches } = options;
  const credentials = new Credentials(config);
  const isKey = bearerVerifier(config.apiKeys);
  const webhooks = webhookVerifier(config.webhookSecrets, now);
  const links = linkSignerFromConfig(config, now);
  const poll = createTaskPoller({ credentials, timeout: config.timeout, fetch, now });

  const app = new Hono<AppEnv>();
  app.onError(handleError);
  app.notFound((c) => toProblemResponse(c, new HttpProblem("not-found", undefined, NO_ROUTE)));

  route("/health", ["GET", "HEAD"], (c) => send(c, { status: 200, body: { status: "ok" } }));
  route("/openapi.json", ["GET", "HEAD"], async (c) => {
    const { default: openapi } = await import("./openapi.json", { with: { type: "json" } });
    const servers = [{ url: config.basePath || "/" }];
    return send(c, { status: 200, body: { ...openapi, servers } });
  });
  route("/problems/:name", ["GET", "HEAD"], (c) => problemDocs(c, c.req.param("name") ?? ""));

  route("/resolve", ["POST"], async (c) => {
    const body = await authenticatedJson(c);
    return send(c, await resolve(c, parseTaskRequest(body, credentials.instance, config)));
  });

  if (watches) {
    route(
      "/watches",
      ["POST"],
      async (c) => send(c, await watches.create(await authenticatedJson(c))),
    );
    route("/watches/:id", ["GET", "HEAD", "DELETE"], async (c) => {
      requireKey(c);
      const act = c.req.method === "DELETE" ? "cancel" : "status";
      return send(c, await watches[act](c.req.param("id") ?? ""));
    });
  }

  if (config.corsOrigins.length > 0) {
    app.use(config.basePath + TASK_ROUTE, async (c, next) => {
      const { cors } = await import("hono/cors"); // few endpoints have use for it
      const share = cors({
        origin: [...config.corsOrigins],
        allowMethods: ["GET"],
        allowHeaders: ["Authorization", "If-None-Match"],
        exposeHeaders: ["Retry-After", "Location", "ETag", "X-Request-Id"],
      });
      if (c.req.method !== "OPTIONS") return await share(c, next);
      if (c.req.header("access-control-request-method") === undefined) return await next();
      c.env.entry.route = TASK_ROUTE;
      const preflight = await share(c, next);
      const headers = Object.fromEntries(preflight?.headers ?? []);
      return send(c, { status: 204, body: null, headers });
    });
  }
  route(TASK_ROUTE, ["GET", "HEAD"], async (c) => {
    requireKey(c);
    const { organization = "", workspace = "", task = "" } = c.req.param();
    const ids = { organization_id: organization, workspace_id: workspace, task_id: task };
    const handleRequest = await resolve(c, parseTaskRequest(ids, credentials.instance, config));
    return await conditionalResponse(
      c.env.entry.request_id,
      handleRequest,
      c.req.header("if-none-match"),
    );
  });

  if (links) {
    route("/status/:token", ["GET", "HEAD"], async (c) => {
      const answer = await taskFromLink(c, links).catch((error) => handleError(error, c));
      const { statusPage } = await import("./status_page/page.ts"); // few answers have use for it
      return await statusPage(c, answer, { sanitizeText, now: now() });
    });
  }

  return {
    fetch: answer,
    request(input, init) {
      const base = "http://localhost";
      return answer(new Request(input instanceof Request ? input : new URL(input, base), init));
    },
  };

  /** Gives a request its id and its log entry, and writes that when the answer is made. */
  async function answer(
    request: Request,
    platform?: unknown,
    context?: ExecutionContext,
  ): Promise<Response> {
    const began = now();
    const entry: LogEntry = {
      time: new Date(began).toISOString(),
      request_id: getRequestId(request.headers),
      method: request.method,
      route: null,
      status: 0,
      ms: 0,
      auth: "none",
    };
    const response = await app.fetch(request, {
      entry,
      platform: platform as RequestContext["platform"],
      waitUntil: context && ((promise) => context.waitUntil(promise)),
    });
    entry.status = response.status;
    entry.ms = now() - began;
    log(entry);
    return response;
  }

  function toProblemResponse(c: Context<AppEnv>, problem: HttpProblem): Response {
    c.env.entry.problem = problem.type;
    if (problem.options.hint) c.env.entry.hint = problem.options.hint;
    return problemResponse(problem, c.env.entry.request_id, config.basePath);
  }

  function handleError(error: Error, c: Context<AppEnv>): Response {
    if (error instanceof HttpProblem || !c.req.raw.signal.aborted) {
      return toProblemResponse(c, asProblem(error, c));
    }
    return send(c, { status: 499, body: null }); // the caller went away; for the log alone
  }

  /** Adds a route, and 405 for it with any other method. */
  function route(
    path: string,
    methods: string[],
    handler: (c: Context<AppEnv>) => Response | Promise<Response>,
  ): void {
    app.all(config.basePath + path, async (c) => {
      if (c.req.path.endsWith("/")) return c.notFound(); // the router takes it for the same path
      c.env.entry.route = path;
      if (!methods.includes(c.req.method)) {
        throw new HttpProblem("method-not-allowed", undefined, {
          headers: { "allow": methods.join(", ") },
        });
      }
      try {
        return await handler(c);
      } catch (thrown) {
        // the reason of an abort may be anything, and Hono handles errors alone
        throw thrown instanceof Error ? thrown : new Error("aborted", { cause: thrown });
      }
    });
  }

  /** Reads the body of whoever may call. */
  async function authenticatedJson(c: Context<AppEnv>): Promise<unknown> {
    const { headers } = c.req.raw;
    const signed = !authenticateBearer(c);
    if (signed) checkSignatureHeaders(headers);
    checkContentType(headers);
    const body = await readBody(c.req.raw, {
      timeout: config.timeout,
      received: c.env.platform?.remoteAddr !== undefined,
    });
    if (signed) await verifySignature(c, body);
    return parseJson(body);
  }

  function requireKey(c: Context<AppEnv>): void {
    if (!authenticateBearer(c)) throw unauthorized("a bearer key is needed");
  }

  /** Whether a bearer key says who calls, or nobody needs to; otherwise a signature must. */
  function authenticateBearer(c: Context<AppEnv>): boolean {
    const authorization = c.req.header("authorization");
    if (authorization !== undefined) {
      if (!isKey(authorization)) {
        throw unauthorized("the bearer key is not valid", 'Bearer error="invalid_token"');
      }
      c.env.entry.auth = "bearer";
      return true;
    }
    if (!config.allowUnauthenticated) return false;
    const peer = c.env.platform?.remoteAddr?.hostname;
    if (!isLoopback(new URL(c.req.url).hostname) || (peer && !isLoopback(peer))) {
      throw new HttpProblem(
        "forbidden",
        "RESOLVE_ALLOW_UNAUTHENTICATED is for callers on this machine",
        {
          code: "HOST_NOT_ALLOWED",
        },
      );
    }
    c.env.entry.auth = "unauthenticated";
    return true;
  }

  function checkSignatureHeaders(headers: Headers): void {
    const wrong = webhooks.precheck(headers);
    if (wrong !== undefined) throw unauthorized(`no bearer key, and no valid signature: ${wrong}`);
  }

  async function verifySignature(c: Context<AppEnv>, body: Uint8Array): Promise<void> {
    if (await webhooks.verify(c.req.raw.headers, body)) {
      c.env.entry.auth = "webhook";
      return;
    }
    const hint = await webhooks.diagnose(c.req.raw.headers, body);
    if (hint) c.env.entry.hint = hint;
    throw unauthorized("the signature does not match the body");
  }

  async function resolve(
    c: Context<AppEnv>,
    question: TaskRequest,
    watch?: string,
  ): Promise<TaskResponse> {
    const signed = c.env.entry.auth === "webhook";
    const task = await pollTask(c, question.ids);
    return await toTaskResponse(task, {
      raiseOnError: question.raiseOnError ?? !signed,
      pending: question.pending ?? config.pending ?? (signed ? "retry" : "accepted"),
      basePath: config.basePath,
      statusPage: watch ?? (links && await statusPagePath(task, links, config.basePath)),
      now: now(),
    });
  }

  /** Answers the reader of a link as JSON. It holds no new link: who has one would never be without. */
  async function taskFromLink(
    c: Context<AppEnv>,
    { verifyToken }: LinkSigner,
  ): Promise<Response> {
    const ids = await verifyToken(c.req.param("token") ?? "");
    if (!ids) throw new HttpProblem("not-found", undefined, NO_ROUTE);
    c.env.entry.auth = "link";
    const asked = { ...ids, raise_on_error: false, pending: "accepted" };
    const question = parseTaskRequest(asked, credentials.instance, config);
    const { status, body, headers } = await resolve(c, question, c.req.path);
    const location = headers && { location: c.req.path }; // the task route would want a key
    return send(c, { status, body, headers: { ...headers, ...location } });
  }

  /** Polls once, and notes in the log entry how that went. */
  async function pollTask(c: Context<AppEnv>, ids: TaskIds): Promise<Task> {
    const { entry } = c.env;
    const began = now();
    let status: number | undefined;
    try {
      const caller = { signal: c.req.raw.signal, waitUntil: c.env.waitUntil };
      const { task, source } = await poll(ids, caller);
      entry.upstream = source;
      entry.task_status = task.info.status;
      if (source !== "cached") status = 200;
      return task;
    } catch (error) {
      status = error instanceof DeepintHTTPError ? error.status : 0;
      throw error;
    } finally {
      if (status !== undefined) {
        entry.upstream_status = status;
        entry.upstream_ms = now() - began;
      }
    }
  }
}

async function problemDocs(c: Context<AppEnv>, name: string): Promise<Response> {
  if (!Object.hasOwn(PROBLEMS, name)) throw new HttpProblem("not-found", undefined, NO_ROUTE);
  const { PROBLEM_DOCS } = await import("./http/problem_docs.ts"); // few requests have use for it
  const { status, title } = PROBLEMS[name as keyof typeof PROBLEMS];
  const text = [`${title} (${status} ${name})`, ...PROBLEM_DOCS[name as keyof typeof PROBLEMS]];
  const headers = { "content-type": "text/plain; charset=utf-8" };
  return send(c, { status: 200, body: `${text.join("\n\n")}\n`, headers });
}

/** Sends an answer that is no problem. */
function send(
  c: Context<AppEnv>,
  { status, body, headers }: Pick<WatchResponse, "body" | "headers"> & { status: number },
): Response {
  return createResponse(c.env.entry.request_id, status, body, headers);
}

function asProblem(error: Error, c: Context<AppEnv>): HttpProblem {
  if (error instanceof HttpProblem) return error;
  const problem = upstreamProblem(error);
  if (problem?.type === "upstream-credentials") {
    c.env.entry.hint = "DEEPINT_TOKEN is wrong";
  }
  if (problem) return problem;
  // the kind of error alone: its text may hold anything
  c.env.entry.hint = error.name;
  return new HttpProblem("internal-error");
}

function unauthorized(detail: string, challenge = "Bearer"): HttpProblem {
  return new HttpProblem("unauthorized", detail, { headers: { "www-authenticate": challenge } });
}
