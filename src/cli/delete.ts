/** The command `delete`. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import { createInterface } from "node:readline";
import type { Command } from "npm:commander@^15.1.0";
import type { Task } from "../../mod.ts";
import { type ConnectionFlags, openTask } from "./arguments.ts";
import { addTaskCommand, type CommandContext, EXAMPLE_URL, type Flags, NAME } from "./command.ts";
import { formatCell, isInteractive, writeJson, writeLine } from "./output.ts";

/** Asks for confirmation on the terminal. */
async function confirm(load: () => Promise<Task>, signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY || !isInteractive(process.stderr)) {
    throw new RangeError("Cannot ask whether to delete the task without a terminal: pass --yes");
  }
  const { taskId, info } = await load();
  const title = [taskId, formatCell(info.name)].filter(Boolean).join(" ");
  process.stderr.write(`Delete ${title}, which is ${info.status}? [y/N] `);
  const lines = createInterface({ input: process.stdin, signal });
  try {
    for await (const line of lines) return /^\s*y(es)?\s*$/i.test(line);
    process.stderr.write("\n"); // there was no answer to end the line
    signal.throwIfAborted();
    return false;
  } finally {
    lines.close();
  }
}

/** Adds the command `delete`, which stops a task. */
export function addDelete(program: Command, { signal }: CommandContext): void {
  addTaskCommand(program, "delete", {
    description: "Delete a task; a running one is stopped by it.",
    examples: [`${NAME} delete ${EXAMPLE_URL}`, `${NAME} delete o-1/w-1/t-1 --yes`],
  })
    .option("--yes", "do not ask; needed where there is no terminal")
    .action(async (argument: string, flags: Flags & ConnectionFlags & { yes?: boolean }) => {
      const task = await openTask(argument, flags);
      const options = { ...flags, signal };
      if (!flags.yes && !await confirm(() => task.load(options), signal)) {
        throw new Error(`Nothing was deleted: "${task.taskId}" was not confirmed`);
      }
      await task.delete(options);
      if (flags.json) await writeJson({ deleted: task.taskId });
      else if (!flags.quiet) await writeLine(`${task.taskId} was deleted`, process.stderr);
    });
}
