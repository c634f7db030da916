/** The command `list`. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import { type Command, Option } from "npm:commander@^15.1.0";
import { Task, type TaskListOptions, TaskStatus } from "../../mod.ts";
import { type ConnectionFlags, parseLimit, parseStatuses, parseWorkspace } from "./arguments.ts";
import { findCredentials } from "./credentials.ts";
import {
  addCommand,
  type CommandContext,
  type Flags,
  NAME,
  withConnection,
  withOrganization,
} from "./command.ts";
import {
  colorStatus,
  formatCell,
  formatTaskDuration,
  toJson,
  writeJson,
  writeLine,
  writeTable,
} from "./output.ts";

interface ListFlags extends Flags, ConnectionFlags, Pick<TaskListOptions, "status" | "name"> {
  limit?: number;
}

function toRow(task: Task): string[] {
  const { created, status, userName, userId, name } = task.info;
  return [
    task.taskId,
    colorStatus(status, status, process.stdout),
    formatCell(created),
    formatTaskDuration(task),
    formatCell(userName ?? userId),
    formatCell(name),
  ];
}

async function listTasks(options: TaskListOptions, flags: ListFlags): Promise<void> {
  const { limit = Infinity, json, quiet } = flags;
  const credentials = await findCredentials(flags);
  const rows: string[][] = [];
  let count = 0;
  for await (const task of Task.list({ ...options, credentials })) {
    if (json) await writeJson(toJson(task));
    else rows.push(toRow(task));
    if (++count >= limit) break;
  }
  if (json) return;
  if (rows.length > 0) {
    await writeTable(["TASK", "STATUS", "CREATED", "DURATION", "BY", "NAME"], rows, { fit: true });
  } else if (!quiet) await writeLine("No tasks found", process.stderr);
}

/** Adds the command `list`, which prints the tasks of a workspace. */
export function addList(program: Command, { signal }: CommandContext): void {
  const command = addCommand(program, "list", {
    description: "List the tasks of a workspace.",
    examples: [
      `${NAME} list o-1/w-1 --status pending,running`,
      `${NAME} list o-1/w-1 --name churn --limit 20`,
      `${NAME} list o-1/w-1 --json | jq -r .info.id`,
    ],
  }).argument("<workspace>", "organization/workspace");
  withConnection(
    withOrganization(command),
    "deadline for each page of 500 tasks, for example 10s (default: 30s)",
  )
    .addOption(
      new Option(
        "--status <statuses>",
        "only tasks with these statuses, for example running,failed",
      )
        .choices(TaskStatus.all()).argParser(parseStatuses),
    )
    .option("--name <text>", "only tasks whose name contains this text, ignoring case")
    .option("--limit <n>", "maximum number of tasks to list", parseLimit)
    .action((argument: string, flags: ListFlags) =>
      listTasks({ ...parseWorkspace(argument, flags), ...flags, signal }, flags)
    );
}
