/** The command `result`. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import type { Command } from "npm:commander@^15.1.0";
import { type ConnectionFlags, openTask } from "./arguments.ts";
import { addTaskCommand, type CommandContext, EXAMPLE_URL, type Flags, NAME } from "./command.ts";
import { toJson, writeJson, writeResult } from "./output.ts";

/** Adds the command `result`, which prints the result of a finished task. */
export function addResult(program: Command, { signal }: CommandContext): void {
  addTaskCommand(program, "result", {
    description: "Print the result of a task and its web address.",
    examples: [
      `${NAME} result ${EXAMPLE_URL}`,
      `${NAME} result o-1/w-1/t-1 --json | jq -r .result_url`,
    ],
  }).action(async (argument: string, flags: Flags & ConnectionFlags) => {
    const task = await openTask(argument, flags);
    await task.fetchResult({ ...flags, signal });
    if (task.info.status === "failed") await task.resolve(); // no request: throws the task's error
    return flags.json ? await writeJson(toJson(task)) : await writeResult(task, flags);
  });
}
