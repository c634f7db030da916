/** Loads the information of a task. */
import { type ApiRequest, type Connection, request, type RequestOptions, send } from "./request.ts";
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
  /** `X-Request-Id` of the response. */
  requestId?: string | null | undefined;
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

function toCall(
  ids: Pick<TaskLocation, "workspaceId" | "taskId">,
  { clock, info: lastInfo }: Pick<LoadTaskOptions, "clock" | "info">,
): ApiRequest<LoadedTask> {
  const parse = (body: unknown, retryAfter?: number, requestId?: string | null) => {
    const info = parseTaskBody(body, ids.taskId);
    if (!clock || info.rawStatus !== null) return { info, retryAfter, requestId };
    throw Object.assign(new TypeError("the task has no status"), { retryable: true });
  };
  return { method: "GET", path: taskPath(ids), parse, clock, info: lastInfo };
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
  options: LoadTaskOptions,
): Promise<LoadedTask> {
  return await request(connection, toCall(ids, options), options);
}

/**
 * Loads a task in one attempt and without a deadline. It ends when `fetch` does: do not rely on `signal`
 * to reject immediately.
 *
 * @throws {RangeError} when an id is out of range
 * @throws {DeepintHTTPError} when the request fails
 * @throws {DeepintCredentialsError} when the token function fails
 */
export function loadTaskOnce(
  connection: Connection,
  ids: Pick<TaskLocation, "workspaceId" | "taskId">,
  { signal, trace }: Pick<LoadTaskOptions, "trace"> & { signal: AbortSignal },
): Promise<LoadedTask> {
  return send(connection, toCall(ids, {}), { isRepeated: false, signal, trace });
}
