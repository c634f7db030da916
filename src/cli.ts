/**
 * The command line of `@deepint/task`: show a task, wait for tasks, get a result, list, delete, sign
 * a webhook. It runs where it is the program, and does nothing where it is imported.
 *
 * ```sh
 * deno install --global --allow-all --name deepint-task jsr:@deepint/task/cli
 * deepint-task wait "https://app.deepint.net/o/o-1/workspace?ws=w-1&s=task&i=t-1" --timeout 10m
 * ```
 *
 * @module
 */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { createInterface } from "node:readline";
import { buffer } from "node:stream/consumers";
import { Command, Option } from "npm:commander@^15.1.0";
import { Webhook } from "npm:standardwebhooks@^1.1.1";
import config from "../deno.json" with { type: "json" };
import { DeepintCredentialsError, Task, type TaskListOptions } from "../mod.ts";
import {
  type ConnectionFlags,
  findCredentials,
  openTasks,
  parseDuration,
  parseInterval,
  parseLimit,
  parseStatuses,
  parseWorkspace,
} from "./cli/arguments.ts";
import { exitCodeOf, Interruption, reportError } from "./cli/errors.ts";
import {
  align,
  colorStatus,
  describe,
  formatCell,
  formatDuration,
  isInteractive,
  toJson,
  writeJson,
  writeLine,
  writeResult,
  writeTable,
} from "./cli/output.ts";
import { type WaitFlags, waitFor } from "./cli/wait.ts";
import { sanitizeText } from "./internal/text.ts";

/** Options that every command takes. */
interface Flags {
  json?: boolean;
  quiet?: boolean;
}

interface ListFlags extends Flags, ConnectionFlags, Pick<TaskListOptions, "status" | "name"> {
  limit?: number;
}

const NAME = "deepint-task";
const URL = '"https://app.deepint.net/o/o-1/workspace?ws=w-1&s=task&i=t-1"';
const TASK_ARGUMENT = "web URL, API URL with --organization, or organization/workspace/task";

const FOOTER = `
The token is DEEPINT_TOKEN, or in ~/.deepint.ini, and so is the instance
(DEEPINT_INSTANCE; default: app.deepint.net). Data goes to standard output, all
else to standard error. "${NAME} help <command>" shows examples.

Exit codes: 0 done, 1 error, 2 usage, 3 the task failed, 4 timed out, 5 no
token or not a valid one, 130 interrupted. "wait" for several tasks exits with
the first of 5, 1, 4, 3 that one ended with.
`;

/** The commands, each of which breaks off when the signal aborts. */
function commandLine(signal: AbortSignal): Command {
  const program = new Command(NAME)
    .description("Tasks of Deep Intelligence, from a terminal or a script.")
    .version(config.version)
    .addHelpText("after", FOOTER)
    .exitOverride()
    .configureOutput({ outputError: usageError(`${NAME} help`) });

  const command = (name: string, description: string, examples: string[]) =>
    program.command(name)
      .configureOutput({ outputError: usageError(`${NAME} help ${name}`) })
      .description(description)
      .option("--json", "write JSON to standard output")
      .option("--quiet", "write nothing to standard error but errors")
      .addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`);

  const withConnection = (
    made: Command,
    patience = "how long to try, such as 10s (default: 30s)",
  ) =>
    made
      .option("--instance <host>", "where the token is valid (default: app.deepint.net)")
      .option("--timeout <duration>", patience, parseDuration);

  const withOrganization = (made: Command) =>
    made.option("--organization <id>", "the organization of an API URL, which does not name it");

  const taskCommand = (name: string, description: string, examples: string[]) =>
    withConnection(
      withOrganization(command(name, description, examples).argument("<task>", TASK_ARGUMENT)),
    );

  taskCommand("show", "Show a task: one request.", [
    `${NAME} show ${URL}`,
    `${NAME} show o-1/w-1/t-1 --json`,
  ]).action(async (word: string, flags: Flags & ConnectionFlags) => {
    const task = await openTask(word, flags);
    await task.load({ ...flags, signal });
    if (flags.json) return await writeJson(toJson(task));
    for (const line of align(describe(task))) await writeLine(line);
  });

  withConnection(
    withOrganization(
      command("wait", "Wait until tasks have ended, and show their results.", [
        `${NAME} wait ${URL} --timeout 10m`,
        `${NAME} wait o-1/w-1/t-1 o-1/w-1/t-2 --json | jq -r .info.result`,
        `${NAME} wait o-1/w-1/t-1 --interval 5s --delete-on-interrupt`,
      ]).argument("<task...>", TASK_ARGUMENT),
    ),
    "how long to wait for all of them (default: as long as they run)",
  )
    .addOption(
      new Option("--interval <duration>", "time between polls, 250ms at least; or adaptive")
        .argParser(parseInterval).default("adaptive"),
    )
    .option("--delete-on-interrupt", "on Ctrl-C delete the tasks that still run")
    .action(async (words: string[], flags: WaitFlags & ConnectionFlags) => {
      process.exitCode = await waitFor(await openTasks(words, flags), flags, signal);
    });

  taskCommand("result", "Show what a task made, and its web address.", [
    `${NAME} result ${URL}`,
    `${NAME} result o-1/w-1/t-1 --json | jq -r .result_url`,
  ]).action(async (word: string, flags: Flags & ConnectionFlags) => {
    const task = await openTask(word, flags);
    await task.fetchResult({ ...flags, signal });
    if (task.info.status === "failed") await task.resolve(); // rejects with what it failed of
    return flags.json ? await writeJson(toJson(task)) : await writeResult(task, flags);
  });

  withConnection(
    command("list", "List the tasks of a workspace.", [
      `${NAME} list o-1/w-1 --status pending,running`,
      `${NAME} list o-1/w-1 --name churn --limit 20`,
      `${NAME} list o-1/w-1 --json | jq -r .info.id`,
    ]).argument("<workspace>", "organization/workspace", parseWorkspace),
    "how long to try for a page of 500, such as 10s (default: 30s)",
  )
    .option("--status <statuses>", "only those, such as running,failed", parseStatuses)
    .option("--name <text>", "only those with this in their name, in any case")
    .option("--limit <n>", "at most so many", parseLimit)
    .action((workspace: ReturnType<typeof parseWorkspace>, flags: ListFlags) =>
      listTasks({ ...workspace, ...flags, signal }, flags)
    );

  taskCommand("delete", "Delete a task; a running one is stopped by it.", [
    `${NAME} delete ${URL}`,
    `${NAME} delete o-1/w-1/t-1 --yes`,
  ])
    .option("--yes", "do not ask; needed where there is no terminal")
    .action(async (word: string, flags: Flags & ConnectionFlags & { yes?: boolean }) => {
      const task = await openTask(word, flags);
      const options = { ...flags, signal };
      if (!flags.yes && !await confirm(() => task.load(options), signal)) {
        throw new Error(`Nothing was deleted: "${task.taskId}" was not confirmed`);
      }
      await task.delete(options);
      if (flags.json) await writeJson({ deleted: task.taskId });
      else if (!flags.quiet) await writeLine(`${task.taskId} was deleted`, process.stderr);
    });

  command("sign", "Sign a webhook: its three headers, as arguments of curl.", [
    `${NAME} sign --body body.json |`,
    `  xargs curl http://localhost:8000/resolve --data-binary @body.json \\`,
    `    -H "Content-Type: application/json"`,
  ])
    .option("--body <file>", "the body, byte for byte as it is sent; - for standard input", "-")
    .addHelpText("after", "\nThe secret is the first of RESOLVE_WEBHOOK_SECRETS.")
    .action(async (flags: Flags & { body: string }) => {
      const headers = sign(await readBodyFile(flags.body));
      if (flags.json) return await writeJson(headers);
      for (const [name, value] of Object.entries(headers)) {
        await writeLine(`-H '${name}: ${value}'`);
      }
    });

  return program;
}

/** Writes a wrong use of a command on one line, with the help that shows the right one. */
function usageError(help: string) {
  return (text: string, write: (text: string) => void) =>
    write(`${sanitizeText(text.trim().replace(/\.$/, ""), 2_000)}; see "${help}"\n`);
}

async function openTask(word: string, flags: ConnectionFlags): Promise<Task> {
  const [task] = await openTasks([word], flags);
  if (!task) throw new Error("no task"); // a word is a task, or an error
  return task;
}

async function listTasks(options: TaskListOptions, flags: ListFlags): Promise<void> {
  const { limit = Infinity, json, quiet } = flags;
  const credentials = await findCredentials(flags);
  const rows: string[][] = [];
  let count = 0;
  for await (const task of Task.list({ ...options, credentials })) {
    const { created, status, duration, userName, userId, name } = task.info;
    if (json) await writeJson(toJson(task));
    rows.push([
      task.taskId,
      colorStatus(status, status, process.stdout),
      formatCell(created),
      formatDuration(duration),
      formatCell(userName ?? userId),
      formatCell(name),
    ]);
    if (++count >= limit) break;
  }
  if (json) return;
  if (rows.length > 0) {
    await writeTable(["TASK", "STATUS", "CREATED", "DURATION", "BY", "NAME"], rows, { fit: true });
  } else if (!quiet) await writeLine("no such tasks", process.stderr);
}

/** Asks whether to delete the task. */
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
    process.stderr.write("\n"); // the answer would have ended the line
    signal.throwIfAborted();
    return false;
  } finally {
    lines.close();
  }
}

async function readBodyFile(file: string): Promise<string> {
  if (file === "-" && process.stdin.isTTY) {
    throw new RangeError("Cannot sign nothing: name the body's file with --body, or pipe it in");
  }
  const bytes = await (file === "-" ? buffer(process.stdin) : readFile(file)).catch((cause) => {
    throw new Error(`Cannot read the body "${sanitizeText(file)}": ${cause.message}`, { cause });
  });
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error(`Cannot sign the body "${sanitizeText(file)}": it is not UTF-8`);
  }
}

function sign(body: string): Record<string, string> {
  const secret = process.env.RESOLVE_WEBHOOK_SECRETS?.split(",")[0]?.trim() ?? "";
  // what the endpoint refuses, though the package would sign with it
  const key = Buffer.from(secret.slice(6), "base64");
  if (secret !== `whsec_${key.toString("base64")}` || key.length < 24 || key.length > 64) {
    throw new DeepintCredentialsError(
      secret ? "CREDENTIALS_INVALID" : "CREDENTIALS_NOT_FOUND",
      "Cannot sign: set RESOLVE_WEBHOOK_SECRETS, whose first must be whsec_ and base64 of 24 to 64 " +
        "bytes",
    );
  }
  const id = `msg_${crypto.randomUUID()}`;
  const now = new Date();
  return {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
    "webhook-signature": new Webhook(secret).sign(id, now, body),
  };
}

async function main(): Promise<void> {
  const interruption = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      const reason = new Interruption(name);
      if (!interruption.signal.aborted) return interruption.abort(reason);
      // asked for twice: on the spot
      reportError(reason).finally(() => process.exit(reason.exitCode));
    });
  }
  // whoever reads has seen enough, as `head` has
  process.stdout.on("error", ({ code }: { code?: string }) => {
    if (code === "EPIPE") process.exit(0);
  });
  process.stderr.on("error", () => {});
  try {
    await commandLine(interruption.signal).parseAsync();
  } catch (error) {
    await reportError(error);
    process.exitCode = exitCodeOf(error);
  }
}

if (import.meta.main) await main();
