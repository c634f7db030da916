/** The command `wait`. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import { type Command, Option } from "npm:commander@^15.1.0";
import {
  DeepintBaseError,
  DeepintTimeoutError,
  type PollInterval,
  resolveAll,
  type Task,
  TaskStatus,
} from "../../mod.ts";
import { type ConnectionFlags, openTasks, parseInterval } from "./arguments.ts";
import {
  addCommand,
  type CommandContext,
  EXAMPLE_URL,
  type Flags,
  NAME,
  TASK_ARGUMENT,
  withConnection,
  withOrganization,
} from "./command.ts";
import { exitCodeOf, reportError } from "./errors.ts";
import { formatCell, toJson, writeJson, writeLine, writeResult } from "./output.ts";
import { type Progress, showProgress } from "./progress.ts";
import { alreadyFinished, stopTask } from "./stop.ts";

interface WaitFlags extends Flags, ConnectionFlags {
  interval: PollInterval;
  deleteOnInterrupt?: boolean;
}

/** The end of the wait for a task. */
interface WaitOutcome {
  task: Task;
  /** The reason why the task did not succeed, or why its wait ended early. */
  error?: unknown;
}

/** Options of a wait for several tasks. */
interface WaitOptions {
  flags: WaitFlags;
  signal: AbortSignal;
  progress: Progress;
  /** Called once for each task, unless the signal aborts. */
  onEnd: (outcome: WaitOutcome) => Promise<void>;
}

/** Up to this number, tasks are polled one by one, because a list has no progress and no subtask. */
const MAX_SINGLE_POLLS = 8;
const MAX_REQUESTS = 8;

function errorJson(error: unknown): { code: string | null; message: string } {
  const { code = null, message } = error as { code?: string; message: string };
  return { code, message };
}

/** Creates the error of one task from the timeout of a wait; returns any other error unchanged. */
function timeoutOf({ taskId, info }: Task, error: unknown): unknown {
  if (!(error instanceof DeepintTimeoutError) || error.retryable) return error;
  const { elapsed, retryAfter } = error;
  const title = `Task (${taskId}) ${formatCell(info.name)}`.trim();
  const status = info.status === "pending" ? "pending" : "running";
  const pause = retryAfter === undefined ? "" : `, the server asks to wait ${retryAfter} ms`;
  const message = `${title} is still ${status} after ${elapsed} ms${pause}`;
  return new DeepintTimeoutError(message, { elapsed, info, retryAfter });
}

/** Polls each task on its own. */
async function pollEach(tasks: Task[], options: WaitOptions): Promise<void> {
  const { flags: { interval, timeout }, signal, progress, onEnd } = options;
  await Promise.all(tasks.map(async (task) => {
    const outcome: WaitOutcome = { task };
    try {
      const watchOptions = { pollInterval: interval, timeout, signal };
      for await (const _info of task.watch(watchOptions)) progress.update(task);
      await task.resolve({ signal }); // no request: throws if the task failed
    } catch (error) {
      outcome.error = timeoutOf(task, error);
    }
    if (!signal.aborted) await onEnd(outcome);
  }));
}

/** Polls tasks by the lists of their workspaces. */
async function pollTogether(tasks: Task[], options: WaitOptions): Promise<void> {
  const { flags: { interval, timeout }, signal, progress, onEnd } = options;
  const unsettled = new Set(tasks);
  const resolveOptions = {
    pollInterval: interval,
    timeout,
    signal,
    concurrency: MAX_REQUESTS,
    onProgress: (task: Task) => progress.update(task),
  };
  try {
    for await (const settled of resolveAll(tasks, resolveOptions)) {
      unsettled.delete(settled.task);
      await onEnd(settled);
    }
  } catch (error) {
    if (signal.aborted) return;
    for (const task of unsettled) await onEnd({ task, error: timeoutOf(task, error) });
  }
}

/** Stops a task that an interrupt left running, or names it. */
async function handleInterrupt(task: Task, flags: WaitFlags): Promise<void> {
  const { taskId, organizationId, workspaceId } = task;
  let message = `${taskId} is still running; to resume, run: ` +
    `${NAME} wait ${organizationId}/${workspaceId}/${taskId}`;
  try {
    if (flags.deleteOnInterrupt) {
      // a task that finished since the last poll keeps its result
      const finished = await task.isFinished({ forceReload: true });
      ({ message } = finished ? alreadyFinished(task) : await stopTask(task));
    }
    if (!flags.quiet) await writeLine(message, process.stderr);
  } catch (error) {
    await reportError(error);
  }
}

/**
 * Waits for tasks, shows their progress and prints their results.
 *
 * @returns the exit code; for several tasks the first of 5, 1, 4, 3 that applies to one of them
 * @throws the signal's reason when it aborts
 */
async function waitFor(tasks: Task[], flags: WaitFlags, signal: AbortSignal): Promise<number> {
  const progress = showProgress(tasks, flags);
  const outcomes = new Map<Task, WaitOutcome>();
  const onEnd = async (outcome: WaitOutcome) => {
    const { task, error } = outcome;
    outcomes.set(task, outcome);
    const ended = TaskStatus.isTerminal(task.info.status);
    progress.settle(task, ended || !(error instanceof DeepintBaseError) ? undefined : error.code);
    if (flags.json) {
      await writeJson({ ...toJson(task), ...error !== undefined && { error: errorJson(error) } });
    }
  };
  const poll = tasks.length > MAX_SINGLE_POLLS ? pollTogether : pollEach;
  try {
    await poll(tasks, { flags, signal, progress, onEnd });
  } finally {
    progress.end();
  }
  if (signal.aborted) {
    // several loops over one iterator: each takes the next task
    const unfinished = tasks.filter((task) =>
      !outcomes.has(task) && !TaskStatus.isTerminal(task.info.status)
    ).values();
    const handleNext = async () => {
      for (const task of unfinished) await handleInterrupt(task, flags);
    };
    await Promise.all(Array.from({ length: MAX_REQUESTS }, handleNext));
    throw signal.reason;
  }
  const codes = new Set<number>();
  for (const task of tasks) {
    const { error } = outcomes.get(task) ?? {};
    if (error !== undefined) {
      codes.add(exitCodeOf(error));
      await reportError(error);
    } else if (!flags.json) {
      await writeResult(task, { named: tasks.length > 1, quiet: flags.quiet });
    }
  }
  // an error of the wait says more than the failure of a task
  return [5, 1, 4, 3].find((code) => codes.has(code)) ?? 0;
}

/** Adds the command `wait`, which waits for tasks and prints their results. */
export function addWait(program: Command, { signal }: CommandContext): void {
  const command = addCommand(program, "wait", {
    description: "Wait until tasks finish, then print their results.",
    examples: [
      `${NAME} wait ${EXAMPLE_URL} --timeout 10m`,
      `${NAME} wait o-1/w-1/t-1 o-1/w-1/t-2 --json | jq -r .info.result`,
      `${NAME} wait o-1/w-1/t-1 --interval 5s --delete-on-interrupt`,
    ],
  }).argument("<task...>", TASK_ARGUMENT);
  withConnection(
    withOrganization(command),
    "deadline for all tasks, for example 10m (default: none)",
  )
    .addOption(
      new Option("--interval <duration>", "time between polls: adaptive, or 250ms or more")
        .argParser(parseInterval).default("adaptive"),
    )
    .option("--delete-on-interrupt", "on Ctrl-C, stop the tasks that are still running")
    .action(async (args: string[], flags: WaitFlags) => {
      process.exitCode = await waitFor(await openTasks(args, flags), flags, signal);
    });
}
