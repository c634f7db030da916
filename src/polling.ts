/** The poll loop of `watch()` and `resolve()`, and which failures it tolerates. */
import { type DeepintHTTPError, DeepintTaskError, DeepintTimeoutError } from "./errors.ts";
import { isTransient, type RequestOptions } from "./request.ts";
import { checkPollInterval, MAX_WAIT_MS, nextDelay } from "./schedule.ts";
import type { Task } from "./task.ts";
import { type TaskInfo, TaskStatus } from "./task_info.ts";
import type { WatchOptions } from "./task_options.ts";
import { elapsedTime } from "./internal/clock.ts";
import { checkDuration, sleep } from "./internal/deadline.ts";
import { quote, sanitizeText } from "./internal/text.ts";

/** The sixth failed poll in a row ends a wait. */
export const MAX_FAILURES = 5;

/** The part of a task's private state that polling reads. */
export interface TaskState {
  /** `true` if the information lacks what only a load returns. */
  readonly partial: boolean;
  /** Time of the last load (epoch ms); 0 without one. */
  readonly loadedAt: number;
  /** Loads the task as a poll of a wait that began at `startedAt`. */
  poll(options: RequestOptions, startedAt: number): Promise<void>;
}

/** Options of {@linkcode pollTask}. */
export interface PollTaskOptions extends WatchOptions {
  signal: AbortSignal;
  /** Returns the task's current private state. */
  state: () => TaskState;
  /** Rejects when the status is unknown. */
  raiseOnUnknown: boolean;
}

/** Returns `true` if a task in this status may still change. */
export function isInProgress(status: TaskStatus): boolean {
  return status === "pending" || status === "running";
}

/** Returns `true` if a caller of `watch()` or `onProgress` sees a difference. */
export function hasChanged(a: TaskInfo, b: TaskInfo): boolean {
  return a.rawStatus !== b.rawStatus || a.progress !== b.progress || a.subtask !== b.subtask;
}

/**
 * Checks the options of a wait.
 *
 * @throws {RangeError} when one is out of range
 */
export function checkWatchOptions(options: WatchOptions): void {
  const { pollInterval = 3_000, timeout = Infinity, requestTimeout = 0 } = options;
  checkPollInterval(pollInterval);
  checkDuration("timeout", timeout);
  checkDuration("requestTimeout", requestTimeout);
}

/** Calls `onProgress`; an error that it throws, or rejects with, is only logged. */
export function notifyProgress(onProgress: (info: TaskInfo) => void, info: TaskInfo): void {
  // async, so that a returned promise is caught as well; the call still begins immediately
  (async () => await onProgress(info))().catch((error) => {
    // deno-lint-ignore no-console -- `reportError` would end a Deno process
    console.error("onProgress failed:", error);
  });
}

/** Creates the text that names a task in a message. */
export function taskLabel(task: Task, info: TaskInfo = task.info): string {
  return `Task (${task.taskId}) ${sanitizeText(info.name ?? "")}`.trim();
}

/** Creates the error of a task; `problem` follows the task's name in the message. */
export function taskError(
  task: Task,
  code: string,
  { problem, info = task.info }: { problem: string; info?: TaskInfo },
): DeepintTaskError {
  const message = `${taskLabel(task, info)} ${problem}`;
  return new DeepintTaskError(sanitizeText(code), message, { task, info });
}

function timeoutError(task: Task, startedAt: number, retryAfter?: number): DeepintTimeoutError {
  const elapsed = Date.now() - startedAt;
  const asked = retryAfter === undefined ? "" : `, the server asks to wait ${retryAfter} ms`;
  return new DeepintTimeoutError(
    `${taskLabel(task)} had not ended after ${elapsed} ms (status ${task.info.status}${asked}); ` +
      "it goes on: wait again to see its end",
    { elapsed, info: task.info, retryAfter },
  );
}

function assertKnown(task: Task, info: TaskInfo, raiseOnUnknown: boolean): TaskInfo {
  if (info.status !== "unknown" || !raiseOnUnknown) return info;
  throw taskError(task, "TASK_STATUS_UNKNOWN", {
    problem: `has the unknown status ${
      quote(info.rawStatus)
    }, so it cannot be told whether it goes on`,
    info,
  });
}

/** Polls a task: yields its current information, then again on each change, until the wait ends. */
export async function* pollTask(
  task: Task,
  options: PollTaskOptions,
): AsyncGenerator<TaskInfo, void, void> {
  const {
    signal,
    pollInterval = 3_000,
    timeout = Infinity,
    requestTimeout,
    state,
    raiseOnUnknown,
  } = options;
  const startedAt = Date.now();
  const remaining = () => timeout - (Date.now() - startedAt);
  const delay = (retryAfter?: number) =>
    nextDelay(pollInterval, { elapsed: elapsedTime(task.info.created, startedAt), retryAfter });
  let retryAfter = task.retryAfter;
  let wait = delay(retryAfter);
  const isOld = Date.now() - state().loadedAt > wait;
  const { rawStatus, status } = task.info;
  let shown: TaskInfo | undefined;
  if (!state().partial && rawStatus !== null && !(status === "unknown" && isOld)) shown = task.info;
  if (isOld || !shown) wait = 0;
  let failure: DeepintHTTPError | DeepintTimeoutError | undefined;
  let failures = 0;
  if (shown) yield assertKnown(task, shown, raiseOnUnknown);
  while (!shown || isInProgress(shown.status)) {
    if (wait > 0) {
      if (retryAfter !== undefined && retryAfter > Math.min(remaining(), MAX_WAIT_MS)) {
        throw failure ?? timeoutError(task, startedAt, retryAfter);
      }
      const isLast = remaining() <= wait;
      await sleep(Math.min(wait, remaining()), signal);
      if (isLast) throw timeoutError(task, startedAt);
    }
    if (remaining() <= 0) throw timeoutError(task, startedAt);
    failure = undefined;
    // another call may have seen the end meanwhile
    if (state().partial || !TaskStatus.isTerminal(task.info.status)) {
      try {
        const bounds = { signal, timeout: remaining(), requestTimeout, retries: 0 };
        await state().poll(bounds, startedAt);
        failures = 0;
      } catch (error) {
        if (error instanceof DeepintTimeoutError && !error.retryable) {
          throw timeoutError(task, startedAt);
        }
        if (!isTransient(error) || ++failures > MAX_FAILURES) throw error;
        failure = error;
      }
    }
    if (!failure && task.info.rawStatus !== null && (!shown || hasChanged(shown, task.info))) {
      shown = task.info;
      yield assertKnown(task, shown, raiseOnUnknown);
    }
    retryAfter = failure ? failure.retryAfter : task.retryAfter;
    wait = delay(retryAfter);
  }
}
