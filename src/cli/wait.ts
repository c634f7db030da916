/** The command `wait`. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import { type Command, Option } from "npm:commander@^15.1.0";
import { DeepintBaseError, type PollInterval, type Task, TaskStatus } from "../../mod.ts";
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
import { toJson, writeJson, writeLine, writeResult } from "./output.ts";
import { type Progress, showProgress } from "./progress.ts";

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

async function follow(
  task: Task,
  { interval, timeout, json }: WaitFlags,
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<WaitOutcome> {
  const options = { pollInterval: interval, timeout, signal };
  const outcome: WaitOutcome = { task };
  try {
    for await (const _info of task.watch(options)) progress.update(task);
    await task.resolve({ signal }); // no request: throws if the task failed
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

/** Deletes the tasks that are still running if the flags say so; otherwise names them. */
async function handleInterrupt(outcomes: WaitOutcome[], flags: WaitFlags): Promise<void> {
  const tasks = outcomes.map(({ task }) => task)
    .filter(({ info }) => !TaskStatus.isTerminal(info.status));
  const say = (text: string) => flags.quiet ? undefined : writeLine(text, process.stderr);
  for (const task of tasks) {
    if (!flags.deleteOnInterrupt) {
      await say(`${task.taskId} goes on; wait for it again to see its end`);
      continue;
    }
    try {
      // a task that finished since the last poll keeps its result
      if (await task.isFinished({ forceReload: true })) await say(`${task.taskId} has ended`);
      else await task.delete().then(() => say(`${task.taskId} was deleted`));
    } catch (error) {
      await reportError(error);
    }
  }
}

/**
 * Waits for tasks, shows their progress and prints their results.
 *
 * @returns the exit code; for several tasks the first of 5, 1, 4, 3 that applies to one of them
 * @throws the signal's reason when it aborts
 */
async function waitFor(
  tasks: Task[],
  flags: WaitFlags,
  signal: AbortSignal,
): Promise<number> {
  const progress = showProgress(tasks, flags);
  let outcomes: WaitOutcome[];
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
