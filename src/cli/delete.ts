/** The command `delete`. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import { createInterface } from "node:readline";
import type { Command } from "npm:commander@^15.1.0";
import type { RequestOptions, Task } from "../../mod.ts";
import { type ConnectionFlags, openTask } from "./arguments.ts";
import { addTaskCommand, type CommandContext, EXAMPLE_URL, type Flags, NAME } from "./command.ts";
import { formatCell, isInteractive, toJson, writeJson, writeLine } from "./output.ts";
import { stopTask } from "./stop.ts";

/** Loads the task and asks for confirmation on the terminal. */
async function confirm(task: Task, options: RequestOptions): Promise<boolean> {
  if (!process.stdin.isTTY || !isInteractive(process.stderr)) {
    throw new RangeError(
      "Cannot ask for confirmation without a terminal: pass --yes to stop the task",
    );
  }
  const { signal } = options;
  const { taskId, info } = await task.load(options);
  const name = formatCell(info.name);
  const title = name ? `${taskId} "${name}"` : taskId;
  process.stderr.write(`Stop the task ${title} (${info.status})? [y/N] `);
  const lines = createInterface({ input: process.stdin, signal });
  try {
    for await (const line of lines) return /^\s*y(es)?\s*$/i.test(line);
    process.stderr.write("\n"); // there was no answer to end the line
    signal?.throwIfAborted();
    return false;
  } finally {
    lines.close();
  }
}

/** Adds the command `delete`, which stops a task. */
export function addDelete(program: Command, { signal }: CommandContext): void {
  addTaskCommand(program, "delete", {
    description: "Stop a task. It stays on the platform as a failed task.",
    examples: [`${NAME} delete ${EXAMPLE_URL}`, `${NAME} delete o-1/w-1/t-1 --yes`],
  })
    .option("--yes", "skip the confirmation; required without a terminal")
    .action(async (argument: string, flags: Flags & ConnectionFlags & { yes?: boolean }) => {
      const task = await openTask(argument, flags);
      const options = { ...flags, signal };
      if (!flags.yes && !await confirm(task, options)) {
        throw new Error(`Cannot stop the task "${task.taskId}": you did not confirm it`);
      }
      const { stopped, message } = await stopTask(task, options);
      if (flags.json) await writeJson({ stopped, ...toJson(task) });
      else if (!flags.quiet) await writeLine(message, process.stderr);
    });
}
