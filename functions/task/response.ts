/** Maps a loaded task, or the error from loading it, to an HTTP response. */
import {
  DeepintHTTPError,
  DeepintTimeoutError,
  pollDelay,
  type TaskDict,
  type TaskLocation,
} from "../../mod.ts";
import type { LinkSigner } from "../auth/link_token.ts";
import { HttpProblem } from "../http/problem.ts";
import type { TaskIds } from "../http/task_ids.ts";
import { type LoadedTask, resultUrl, toResult, toTaskDict } from "../../src/internal/client.ts";
import { elapsedTime } from "../../src/internal/clock.ts";
import { sanitizeText } from "../../src/internal/text.ts";
import type { Finished, Running } from "./response_schema.ts";

/** A task, as the platform reported it. */
export interface PolledTask extends TaskLocation, LoadedTask {
  /** The stored form of the task, after the first response with it. */
  dict?: TaskDict;
}

/** A response about a task. */
export interface TaskResponse {
  /** 200 for a finished task, otherwise 202. */
  status: 200 | 202;
  body: Finished | Running;
  headers?: Readonly<Record<string, string>>;
}

/** Options of {@linkcode taskBody}. */
export interface TaskBodyOptions {
  /** Current time in ms since 1970. */
  now: number;
  /** URL of the status page. @default no link */
  statusPage?: string | undefined;
}

/** Options of {@linkcode toTaskResponse}. */
export interface TaskResponseOptions extends TaskBodyOptions {
  /** Throws `task-failed` for a failed task. */
  raiseOnError: boolean;
  /** Response while the task runs; `"retry"` throws `task-pending`. */
  pending: "accepted" | "retry";
  /** URL or path in front of every path that callers see. */
  publicUrl: string;
}

/** Returns the URL of a task's status page, or its path if `publicUrl` is one. */
export async function statusPageUrl(
  task: TaskIds,
  links: LinkSigner,
  publicUrl: string,
): Promise<string> {
  return `${publicUrl}/status/${await links.createToken(task)}`;
}

/**
 * Returns the body of a response about a loaded task.
 *
 * @throws {HttpProblem} `unknown-status`; `upstream-unavailable` for a task without a status
 */
export function taskBody(
  task: PolledTask,
  { now, statusPage }: TaskBodyOptions,
): Finished | Running {
  const { info, retryAfter } = task;
  const { status, created } = info;
  const page = statusPage && { status: statusPage };
  if (status === "unknown") throw unknownStatus(task);
  if (status === "success" || status === "failed") {
    const url = status === "success" ? resultUrl(task, info)?.href : undefined;
    const links = (page || url) && { ...page, ...(url && { result: url }) };
    return {
      status,
      result: toResult(info) as Record<string, string>,
      task: storedForm(task),
      ...(links && { links }),
    };
  }
  const elapsed = elapsedTime(created, now, now);
  const delay = pollDelay({ elapsed, retryAfter });
  const body = { status, task: storedForm(task), retry_after: retryAfterSeconds(delay) };
  return page ? { ...body, links: page } : body;
}

/**
 * Maps a loaded task to a response.
 *
 * @throws {HttpProblem} `task-failed`, `task-pending`, and the problems of {@linkcode taskBody}
 */
export function toTaskResponse(
  task: PolledTask,
  { raiseOnError, pending, publicUrl, now, statusPage }: TaskResponseOptions,
): TaskResponse {
  const { info } = task;
  if (info.status === "failed" && raiseOnError) {
    throw new HttpProblem(
      "task-failed",
      sanitizeText(info.errorDescription || "no description"),
      {
        code: `TASK_${sanitizeText(info.errorCode || "UNKNOWN", 195)}`,
        extra: { task: truncateTask(task) },
      },
    );
  }
  const body = taskBody(task, { now, statusPage });
  if (!("retry_after" in body)) return { status: 200, body };
  const retryAfter = String(body.retry_after);
  if (pending === "retry") {
    throw new HttpProblem("task-pending", `the task is ${body.status}`, {
      headers: { "retry-after": retryAfter },
      extra: { task: truncateTask(task) },
    });
  }
  const location = publicUrl + taskPath(task);
  return { status: 202, body, headers: { "retry-after": retryAfter, location } };
}

/** Maps the error of a poll to a problem without any text from upstream. */
export function upstreamProblem(error: unknown): HttpProblem | undefined {
  if (error instanceof DeepintTimeoutError) {
    return new HttpProblem("upstream-timeout", "the poll reached its deadline; try again");
  }
  if (!(error instanceof DeepintHTTPError)) return undefined;
  const { status, code, retryAfter } = error;
  if (status === 429 || code === "LIMIT") {
    // without a Retry-After from upstream, the longest interval of the schedule
    const wait = retryAfter ?? pollDelay({ elapsed: Infinity });
    return new HttpProblem("rate-limited", "too many requests; try again after Retry-After", {
      headers: { "retry-after": String(retryAfterSeconds(wait)) },
    });
  }
  if (status === 401 || status === 402 || status === 403) {
    return new HttpProblem(
      "upstream-credentials",
      "the request was refused as unauthorized; tell the operator to correct DEEPINT_TOKEN",
      { hint: "DEEPINT_TOKEN is wrong" },
    );
  }
  if (status === 404) {
    return new HttpProblem("not-found", "the task does not exist in Deep Intelligence", {
      code: "TASK_NOT_FOUND",
    });
  }
  return new HttpProblem("upstream-unavailable", "no usable response to the poll; try again later");
}

function taskPath({ organizationId, workspaceId, taskId }: TaskIds): string {
  return `/organizations/${organizationId}/workspaces/${workspaceId}/tasks/${taskId}`;
}

function unknownStatus(task: PolledTask): HttpProblem {
  const { rawStatus } = task.info;
  if (rawStatus === null) {
    return new HttpProblem("upstream-unavailable", "the response has no status of the task");
  }
  return new HttpProblem(
    "unknown-status",
    "the task has a status that this version does not know",
    {
      extra: { raw_status: sanitizeText(rawStatus), task: truncateTask(task) },
    },
  );
}

/** Returns the stored form of a task. All callers of a shared or cached poll get the same object. */
function storedForm(task: PolledTask): TaskDict {
  return task.dict ??= toTaskDict(task);
}

// truncate a task's texts in problems: they are untrusted and may be long
function truncateTask(task: PolledTask): TaskDict {
  const dict = storedForm(task);
  const info = Object.fromEntries(
    Object.entries(dict.info).map((
      [key, value],
    ) => [key, typeof value === "string" ? sanitizeText(value) : value]),
  );
  return { ...dict, info: info as unknown as TaskDict["info"] };
}

function retryAfterSeconds(ms: number): number {
  return Math.min(Math.max(1, Math.ceil(ms / 1_000)), 2 ** 31 - 1); // a number without exponent
}
