/** Loads the information of a task. */
import { type Connection, request, type RequestOptions } from "./request.ts";
import { parseTaskBody, type TaskInfo } from "./task_info.ts";
import { checkId, type TaskLocation } from "./task_url.ts";
import type { Clock } from "./internal/clock.ts";

/** Options of {@linkcode loadTask}. */
export interface LoadTaskOptions extends RequestOptions {
  /** The clock of the wait that this load is a poll of. A missing status is then a failed poll. */
  clock?: Clock | undefined;
  /** Returns the last known information, for the error of a timeout. */
  info?: (() => TaskInfo) | undefined;
}

/** The information of a task, and when to load it again. */
export interface LoadedTask {
  info: TaskInfo;
  /** The delay before the next load that the platform asked for, in milliseconds. */
  retryAfter: number | undefined;
}

/**
 * Returns the path of a task in the API.
 *
 * @throws {RangeError} when an id is invalid
 */
export function taskPath(
  { workspaceId, taskId }: Pick<TaskLocation, "workspaceId" | "taskId">,
): string {
  const workspace = checkId("workspaceId", workspaceId);
  return `/api/v1/workspace/${workspace}/task/${checkId("taskId", taskId)}`;
}

/**
 * Loads a task.
 *
 * @throws {RangeError} when an id or an option is out of range
 * @throws {DeepintHTTPError} when the request fails
 * @throws {DeepintTimeoutError} when a deadline passes
 * @throws {DeepintCredentialsError} when the token function fails
 */
export async function loadTask(
  connection: Connection,
  ids: Pick<TaskLocation, "workspaceId" | "taskId">,
  { clock, info: lastInfo, ...options }: LoadTaskOptions,
): Promise<LoadedTask> {
  const parse = (body: unknown, retryAfter: number | undefined) => {
    const info = parseTaskBody(body, ids.taskId);
    if (!clock || info.rawStatus !== null) return { info, retryAfter };
    throw Object.assign(new TypeError("the task has no status"), { retryable: true });
  };
  const call = { method: "GET", path: taskPath(ids), parse, clock, info: lastInfo } as const;
  return await request(connection, call, options);
}
