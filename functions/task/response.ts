/** What is answered about a loaded task, or about the error of loading it. */
import {
  DeepintHTTPError,
  DeepintTimeoutError,
  pollDelay,
  type Task,
  type TaskDict,
} from "../../mod.ts";
import { HttpProblem } from "../http/problem.ts";
import type { Finished, Running } from "../response_schemas.ts";
import { sanitizeText } from "../../src/internal/text.ts";
import { elapsedTime } from "../../src/internal/clock.ts";

/** An answer about a task that is no problem. */
export interface TaskResponse {
  /** 200: it has ended; 202: it goes on. */
  status: 200 | 202;
  /** The body, to be sent as JSON. */
  body: Finished | Running;
  /** More headers. */
  headers?: Readonly<Record<string, string>>;
}

/** How to answer. */
export interface TaskResponseOptions {
  /** Whether a failed task is an error. */
  raiseOnError: boolean;
  /** What to answer while it runs. */
  pending: "accepted" | "retry";
  /** What precedes every path. */
  basePath: string;
  /** The path of the page to look at, where there is one. */
  statusPage?: string | undefined;
  /** The time, in ms since 1970. */
  now: number;
}

/**
 * The answer about a loaded task.
 *
 * @throws {HttpProblem} `task-failed`, `task-pending`, `unknown-status`, `upstream-unavailable`
 */
export async function toTaskResponse(
  task: Task,
  options: TaskResponseOptions,
): Promise<TaskResponse> {
  const { info } = task;
  const { status } = info;
  const { statusPage } = options;
  if (status === "unknown") throw unknownStatus(task);
  if (status === "failed" && options.raiseOnError) {
    throw new HttpProblem("task-failed", sanitizeText(info.errorDescription || "no description"), {
      code: `TASK_${sanitizeText(info.errorCode || "UNKNOWN", 195)}`,
      extra: { task: truncateTask(task) },
    });
  }
  if (status === "success" || status === "failed") {
    const result = status === "success" ? task.resultUrl()?.href : undefined;
    const links = (statusPage || result) &&
      { ...(statusPage && { status: statusPage }), ...(result && { result }) };
    return {
      status: 200,
      body: {
        status,
        result: await task.fetchResult() as Record<string, string>, // without undefined
        task: task.toDict(),
        ...(links && { links }),
      },
    };
  }
  const elapsed = elapsedTime(info.created, options.now, options.now);
  const seconds = retryAfterSeconds(pollDelay({ elapsed, retryAfter: task.retryAfter }));
  const retryAfter = { "retry-after": String(seconds) };
  if (options.pending === "retry") {
    throw new HttpProblem("task-pending", `the task is ${status}`, {
      headers: retryAfter,
      extra: { task: truncateTask(task) },
    });
  }
  return {
    status: 202,
    body: {
      status,
      task: task.toDict(),
      retry_after: seconds,
      ...(statusPage && { links: { status: statusPage } }),
    },
    headers: { ...retryAfter, "location": options.basePath + taskPath(task) },
  };
}

/** What a caller is told when the poll failed: nothing that upstream said. */
export function upstreamProblem(error: unknown): HttpProblem | undefined {
  if (error instanceof DeepintTimeoutError) {
    return new HttpProblem("upstream-timeout");
  }
  if (!(error instanceof DeepintHTTPError)) return undefined;
  const { status, code, retryAfter } = error;
  if (status === 429 || code === "LIMIT") {
    // with no word from upstream, the longest interval of the schedule
    const wait = retryAfter ?? pollDelay({ elapsed: Infinity });
    return new HttpProblem("rate-limited", undefined, {
      headers: { "retry-after": String(retryAfterSeconds(wait)) },
    });
  }
  if (status === 401 || status === 402 || status === 403) {
    return new HttpProblem(
      "upstream-credentials",
      "Deep Intelligence refused the endpoint's own token",
    );
  }
  if (status === 404) {
    return new HttpProblem("not-found", "Deep Intelligence has no such task", {
      code: "TASK_NOT_FOUND",
    });
  }
  return new HttpProblem("upstream-unavailable");
}

function taskPath({ organizationId, workspaceId, taskId }: Task): string {
  return `/organizations/${organizationId}/workspaces/${workspaceId}/tasks/${taskId}`;
}

function unknownStatus(task: Task): HttpProblem {
  const { rawStatus } = task.info;
  if (rawStatus === null) {
    return new HttpProblem("upstream-unavailable");
  }
  return new HttpProblem("unknown-status", undefined, {
    extra: { raw_status: sanitizeText(rawStatus), task: truncateTask(task) },
  });
}

// in an error answer, a task's own texts are cut: they are somebody else's, and may be long
function truncateTask(task: Task): TaskDict {
  const dict = task.toDict();
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
