/** The command `show`. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import type { Command } from "npm:commander@^15.1.0";
import { type Task, taskUrl } from "../../mod.ts";
import { type ConnectionFlags, openTask } from "./arguments.ts";
import { addTaskCommand, type CommandContext, EXAMPLE_URL, type Flags, NAME } from "./command.ts";
import {
  align,
  type Cell,
  colorStatus,
  failureOf,
  formatCell,
  formatTaskDuration,
  resultAddress,
  resultOf,
  style,
  toJson,
  writeJson,
  writeLine,
} from "./output.ts";

/** Returns the rows of the table: each known field with its name. */
function describe(task: Task): string[][] {
  const { info, organizationId, workspaceId, taskId, credentials: { instance } } = task;
  const { status } = info;
  const cells: [string, Cell][] = [
    ["task", taskId],
    ["name", info.name],
    ["description", info.description],
    ["status", status === "unknown" ? `unknown (${formatCell(info.rawStatus)})` : status],
    ["progress", info.progress === null ? null : `${info.progress}%`],
    ["subtask", info.subtask],
    ["result", resultOf(task)],
    ["result URL", resultAddress(task)],
    ["error", failureOf(task)],
    ["created", info.created],
    ["duration", formatTaskDuration(task)],
    ["created by", info.userName ?? info.userId],
    ["organization", organizationId],
    ["workspace", workspaceId],
    ["task URL", taskUrl({ instance, organizationId, workspaceId, taskId }).href],
  ];
  return cells
    // a result is never cut
    .map(([name, cell]) => [name, name === "result" ? `${cell}` : formatCell(cell)] as const)
    .filter(([, text]) => text !== "")
    .map(([name, text]) => [
      style("dim", name, process.stdout),
      name === "status" ? colorStatus(status, text, process.stdout) : text,
    ]);
}

/** Adds the command `show`, which loads a task once and prints it. */
export function addShow(program: Command, { signal }: CommandContext): void {
  addTaskCommand(program, "show", {
    description: "Show a task (one request).",
    examples: [`${NAME} show ${EXAMPLE_URL}`, `${NAME} show o-1/w-1/t-1 --json`],
  }).action(async (argument: string, flags: Flags & ConnectionFlags) => {
    const task = await openTask(argument, flags);
    await task.load({ ...flags, signal });
    if (flags.json) return await writeJson(toJson(task));
    for (const line of align(describe(task))) await writeLine(line);
  });
}
