/** Waiting for tasks, and what becomes of them when the wait is interrupted. Internal. */
import process from "node:process";
import { DeepintBaseError, type PollInterval, type Task, TaskStatus } from "../../mod.ts";
import { exitCodeOf, reportError } from "./errors.ts";
import { toJson, writeJson, writeLine, writeResult } from "./output.ts";
import { type Progress, showProgress } from "./progress.ts";

/** How to wait. */
export interface WaitFlags {
  json?: boolean;
  quiet?: boolean;
  /** Milliseconds, for all tasks together. */
  timeout?: number;
  interval: PollInterval;
  deleteOnInterrupt?: boolean;
}

/** How the wait for a task ended: with an error, unless the task succeeded. */
interface TaskRow {
  task: Task;
  error?: unknown;
}

/**
 * Waits for tasks side by side, shows how they go on, and writes how they ended.
 *
 * @returns the exit code: for several tasks the first of 5, 1, 4, 3 that one of them ended with
 * @throws the signal's reason when it aborts
 */
export async function waitFor(
  tasks: Task[],
  flags: WaitFlags,
  signal: AbortSignal,
): Promise<number> {
  const progress = showProgress(tasks, flags);
  let outcomes: TaskRow[];
  try {
    outcomes = await Promise.all(tasks.map((task) => follow(task, flags, { progress, signal })));
  } finally {
    progress.end();
  }
  if (signal.aborted) {
    await handleInterrupt(outcomes, flags);
    throw signal.reason;
  }
  const named = tasks.length > 1;
  const codes = new Set<number>();
  for (const { task, error } of outcomes) {
    if (error !== undefined) {
      codes.add(exitCodeOf(error));
      await reportError(error);
    } else if (!flags.json) {
      await writeResult(task, { named, quiet: flags.quiet });
    }
  }
  // what went wrong with the waiting itself says more than how a task ended
  return [5, 1, 4, 3].find((code) => codes.has(code)) ?? 0;
}

async function follow(
  task: Task,
  { interval, timeout, json }: WaitFlags,
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<TaskRow> {
  const options = { pollInterval: interval, timeout, signal };
  const outcome: TaskRow = { task };
  try {
    for await (const _info of task.watch(options)) progress.update(task);
    await task.resolve({ signal }); // it has ended: this makes no request, and rejects when it failed
  } catch (error) {
    outcome.error = error;
  }
  if (signal.aborted) return outcome;
  const { error } = outcome;
  const ended = TaskStatus.isTerminal(task.info.status);
  progress.settle(task, ended || !(error instanceof DeepintBaseError) ? undefined : error.code);
  if (json) {
    await writeJson({ ...toJson(task), ...error !== undefined && { error: errorJson(error) } });
  }
  return outcome;
}

function errorJson(error: unknown): { code: string | null; message: string } {
  const { code = null, message } = error as { code?: string; message: string };
  return { code, message };
}

/** Deletes the tasks that go on when that was asked for, and else says that they do. */
async function handleInterrupt(outcomes: TaskRow[], flags: WaitFlags): Promise<void> {
  const tasks = outcomes.map(({ task }) => task)
    .filter(({ info }) => !TaskStatus.isTerminal(info.status));
  const say = (text: string) => flags.quiet ? undefined : writeLine(text, process.stderr);
  for (const task of tasks) {
    if (!flags.deleteOnInterrupt) {
      await say(`${task.taskId} goes on; wait for it again to see its end`);
      continue;
    }
    try {
      // what has ended since the last poll keeps its result
      if (await task.isFinished({ forceReload: true })) await say(`${task.taskId} has ended`);
      else await task.delete().then(() => say(`${task.taskId} was deleted`));
    } catch (error) {
      await reportError(error);
    }
  }
}
