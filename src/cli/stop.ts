/** Stopping a task and reading what the platform shows afterwards. Internal. */
import { DeepintHTTPError, type RequestOptions, type Task, TaskStatus } from "../../mod.ts";
import { formatState } from "./output.ts";

/** Result of {@linkcode stopTask}. */
export interface StopResult {
  /** `true` if the task ended because of the request. */
  stopped: boolean;
  /** The state of the task as the platform shows it, in a sentence. */
  message: string;
}

/** The error code of a task that somebody stopped. */
const STOPPED = "STOPPED";

/** Describes a task that had finished before it could be stopped. */
export function alreadyFinished(task: Task): StopResult {
  return {
    stopped: false,
    message: `${task.taskId} had already finished: ${formatState(task)}`,
  };
}

/**
 * Stops a task and loads it once, with one deadline for both requests.
 *
 * @throws {DeepintHTTPError} when a request fails
 * @throws {DeepintTimeoutError} when the deadline passes
 */
export async function stopTask(task: Task, options: RequestOptions = {}): Promise<StopResult> {
  const { timeout = 30_000 } = options;
  const { rawStatus, status: earlier } = task.info; // null before the first load
  const wasFinished = TaskStatus.isTerminal(earlier);
  const startedAt = performance.now();
  await task.delete(options);
  try {
    const remaining = Math.max(0, timeout - (performance.now() - startedAt));
    await task.load({ ...options, timeout: remaining });
  } catch (error) {
    if (!(error instanceof DeepintHTTPError) || error.status !== 404) throw error;
    return { stopped: true, message: `${task.taskId} was stopped: it no longer exists` };
  }
  const { status, errorCode } = task.info;
  // DELETE does not change a finished task
  if (wasFinished || status === "success") return alreadyFinished(task);
  if (status !== "failed") {
    return { stopped: false, message: `${task.taskId} was asked to stop: ${formatState(task)}` };
  }
  const hasStopped = errorCode ? errorCode === STOPPED : rawStatus !== null;
  if (!hasStopped) return alreadyFinished(task);
  return { stopped: true, message: `${task.taskId} was stopped: ${formatState(task)}` };
}
