/** The routes about a task: `POST /resolve`, and `GET` of a task. */
import type { Context } from "hono";
import { type Credentials, DeepintHTTPError } from "../../mod.ts";
import type { LinkSigner } from "../auth/link_token.ts";
import type { Config } from "../config.ts";
import { isConnected } from "../http/caller_race.ts";
import type { AppEnv } from "../http/log.ts";
import { sendResponse } from "../http/response.ts";
import type { RouteHandler } from "../http/route.ts";
import type { TaskIds } from "../http/task_ids.ts";
import { conditionalParts } from "./etag.ts";
import { checkTaskIds, parseTaskRequest, type RequestLimits, type TaskRequest } from "./request.ts";
import { type PolledTask, statusPageUrl, type TaskResponse, toTaskResponse } from "./response.ts";
import type { TaskPoller } from "./shared_poll.ts";
import { sanitizeText } from "../../src/internal/text.ts";

/** Options of {@linkcode taskRoutes}. */
export interface TaskRoutesOptions {
  config: Config;
  credentials: Credentials;
  /** Signs the links to the status page. @default no links */
  links: LinkSigner | undefined;
  poll: TaskPoller;
  /** The clock, in ms since 1970. */
  now: () => number;
}

/** The handlers of the task routes. */
export interface TaskRoutes {
  /** `POST /resolve`, after authentication. */
  resolve: RouteHandler;
  /** `GET` of a task by the ids in its path. */
  get: RouteHandler;
  /** Polls a task that a link names. `link` is the URL of that link. */
  resolveLink(c: Context<AppEnv>, ids: TaskIds, link: string): Promise<TaskResponse>;
}

/** Creates the handlers of the task routes. */
export function taskRoutes(
  { config, credentials, links, poll, now }: TaskRoutesOptions,
): TaskRoutes {
  const publicUrl = config.publicUrl ?? config.basePath;
  const limits: RequestLimits = { ...config, instance: credentials.instance };

  /** Polls once, and adds the outcome to the log entry. */
  async function pollTask(c: Context<AppEnv>, ids: TaskIds): Promise<PolledTask> {
    const entry = c.get("entry");
    const startedAt = now();
    let status: number | undefined;
    let requestId: string | null | undefined;
    try {
      const result = await poll(ids, {
        request: c.req.raw,
        connected: isConnected(c.env),
        waitUntil: c.env.waitUntil,
        trace: c.get("trace"),
      });
      const { task } = result;
      entry.upstream = result.source;
      entry.task_status = task.info.status;
      if (entry.upstream !== "cached") {
        status = 200;
        requestId = task.requestId;
      }
      return task;
    } catch (error) {
      ({ status, requestId } = error instanceof DeepintHTTPError ? error : { status: 0 });
      throw error;
    } finally {
      if (status !== undefined) {
        entry.upstream_status = status;
        entry.upstream_ms = now() - startedAt;
      }
      if (requestId && !requestId.includes(config.token)) {
        entry.upstream_request_id = sanitizeText(requestId);
      }
    }
  }

  async function respond(
    c: Context<AppEnv>,
    { ids, raiseOnError, pending }: TaskRequest,
    statusPage?: string,
  ): Promise<TaskResponse> {
    const isWebhook = c.get("entry").auth === "webhook";
    const task = await pollTask(c, ids);
    return toTaskResponse(task, {
      raiseOnError: raiseOnError ?? !isWebhook,
      pending: pending ?? config.pending ?? (isWebhook ? "retry" : "accepted"),
      publicUrl,
      statusPage: statusPage ?? (links && await statusPageUrl(task, links, publicUrl)),
      now: now(),
    });
  }

  return {
    async resolve(c) {
      return sendResponse(c, await respond(c, parseTaskRequest(c.get("json"), limits)));
    },
    async get(c) {
      const { organization = "", workspace = "", task = "" } = c.req.param();
      const ids = { organizationId: organization, workspaceId: workspace, taskId: task };
      const response = await respond(c, { ids: checkTaskIds(ids, limits) });
      return sendResponse(c, await conditionalParts(response, c.req.header("if-none-match")));
    },
    async resolveLink(c, ids, link) {
      checkTaskIds(ids, limits);
      return await respond(c, { ids, raiseOnError: false, pending: "accepted" }, link);
    },
  };
}
