/**
 * The command line: `deno task cli <command>`, or installed by
 * `deno install -g -A -n deepint-task jsr:@deepint/task/cli`. Standard output carries data alone,
 * standard error everything else.
 *
 * Exit codes: 0 done, 1 error, 2 usage, 3 a task failed, 4 timed out, 5 credentials, 130 interrupted.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { createInterface } from "node:readline/promises";
import { text as readAll } from "node:stream/consumers";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import ms from "ms";
import { Webhook } from "standardwebhooks";
import config from "../deno.json" with { type: "json" };
import {
  Credentials,
  DeepintCredentialsError,
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
  parseTaskUrl,
  printable,
  Task,
  TaskStatus,
} from "../mod.ts";
import { showProgress } from "./cli/progress.ts";
import { LIST_HEADER, listRow, resultText, table, taskJson, taskTable } from "./cli/text.ts";

interface Common {
  organization?: string;
  instance?: string;
  json?: boolean;
  quiet?: boolean;
  timeout?: number;
}

interface WaitOptions extends Common {
  interval: number | "adaptive";
  deleteOnInterrupt?: boolean;
}

interface ListOptions extends Common {
  status?: TaskStatus[];
  name?: string;
  limit?: number;
}

/** What ends a command, beside the errors of the client. */
class CommandError extends Error {
  constructor(readonly exitCode: number, message: string) {
    super(message);
  }
}

const TASK = "web URL, API URL with --organization, or organization/workspace/task";
const EXAMPLE = "o-1/w-1/t-1";

const program = new Command("deepint-task")
  .description(
    "Watch the tasks of Deep Intelligence. The token is DEEPINT_TOKEN, or in ~/.deepint.ini.",
  )
  .version(config.version)
  .showHelpAfterError("(--help tells more)")
  .configureHelp({ showGlobalOptions: true });

command("show", "one poll of a task, as a table")
  .argument("<task>", TASK)
  .addHelpText("after", example(`show ${EXAMPLE}`))
  .action(async (text: string, options: Common) => {
    const task = await (await locate(text, options)).load(bounds(options));
    print(options.json ? JSON.stringify(taskJson(task)) : taskTable(task));
  });

command("wait", "wait for tasks, then print their results")
  .argument("<task...>", TASK)
  .option("--interval <duration>", "between polls: a duration, or adaptive", interval, "adaptive")
  .option("--delete-on-interrupt", "when interrupted, delete the tasks that still run")
  .addHelpText(
    "after",
    example(`wait ${EXAMPLE} --timeout 10m`, "wait o-1/w-1/t-1 o-1/w-1/t-2 --json"),
  )
  .action(wait);

command("result", "print what a task made, and its web address")
  .argument("<task>", TASK)
  .addHelpText("after", example(`result ${EXAMPLE}`))
  .action(async (text: string, options: Common) => {
    const task = await (await locate(text, options)).load(bounds(options));
    if (task.info.status === "failed") await task.resolve(); // throws what went wrong
    await task.fetchResult();
    printResult(task, options);
  });

command("list", "list the tasks of a workspace")
  .argument("<organization/workspace>")
  .option("--status <statuses>", `keep these: ${TaskStatus.all().join()}`, statuses)
  .option("--name <text>", "keep those with this in their name")
  .option("--limit <n>", "print so many at most", count)
  .addHelpText("after", example("list o-1/w-1 --status running,failed --limit 20"))
  .action(list);

command("delete", "delete a task; a running one is stopped by it")
  .argument("<task>", TASK)
  .option("--yes", "do not ask")
  .addHelpText("after", example(`delete ${EXAMPLE} --yes`))
  .action(async (text: string, options: Common & { yes?: boolean }) => {
    const task = await locate(text, options);
    if (!options.yes && !await confirmed(`Delete the task ${task.taskId}?`)) {
      throw new CommandError(1, "nothing was deleted");
    }
    await task.delete(bounds(options));
    say(`deleted ${task.taskId}`, options);
    if (options.json) print(JSON.stringify({ deleted: task.taskId }));
  });

program.command("sign")
  .description("sign a body as a webhook: prints the headers as arguments of curl")
  .option("--body <file>", "the body, or - for standard input", "-")
  .option("--json", "one JSON document")
  .addHelpText("after", example("sign --body body.json | xargs curl --json @body.json URL"))
  .action(sign);

process.exitCode = await run();

async function run(): Promise<number> {
  program.exitOverride();
  for (const each of program.commands) each.exitOverride();
  try {
    await program.parseAsync(process.argv);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof CommandError && !error.message) return error.exitCode;
    return report(error);
  }
}

/** Says in one line what failed, and gives the exit code. */
function report(error: unknown): number {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`error: ${printable(message, 1_000)}\n`);
  if (error instanceof CommandError) return error.exitCode;
  if (error instanceof DeepintTimeoutError) return 4;
  if (error instanceof DeepintCredentialsError) return 5;
  if (error instanceof DeepintHTTPError) return error.status === 401 ? 5 : 1;
  if (error instanceof DeepintTaskError) return error.code === "TASK_NOT_FINISHED" ? 1 : 3;
  return error instanceof RangeError || error instanceof TypeError ? 2 : 1;
}

async function wait(texts: string[], options: WaitOptions): Promise<void> {
  const tasks: Task[] = [];
  for (const text of texts) tasks.push(await locate(text, options));
  const stop = new AbortController();
  const interrupt = () => stop.abort(new CommandError(130, "interrupted"));
  process.once("SIGINT", interrupt);
  const progress = showProgress(tasks, options.quiet ?? false);
  const { interval: pollInterval, timeout } = options;
  const errors: unknown[] = [];
  try {
    await Promise.all(tasks.map(async (task) => {
      try {
        for await (const info of task.watch({ pollInterval, timeout, signal: stop.signal })) {
          progress.show(task, info);
        }
        await task.resolve(); // of one that has ended: throws when it failed, without a request
        if (options.json) print(JSON.stringify(taskJson(task)));
      } catch (error) {
        if (!stop.signal.aborted) errors.push(error);
        if (options.json) print(JSON.stringify({ ...taskJson(task), error: errorJson(error) }));
      }
    }));
  } finally {
    process.off("SIGINT", interrupt);
    progress.end();
  }
  if (stop.signal.aborted) return await interrupted(tasks, options);
  if (!options.json) {
    const ended = tasks.filter(({ info }) => info.status === "success");
    for (const task of ended) printResult(task, options, tasks.length > 1);
  }
  const codes = errors.map(report);
  // what went wrong with the waiting itself says more than how a task ended
  const code = [5, 1, 2, 4, 3].find((code) => codes.includes(code));
  if (code !== undefined) throw new CommandError(code, "");
}

async function interrupted(tasks: Task[], options: WaitOptions): Promise<never> {
  const going = tasks.filter(({ info }) => !TaskStatus.isTerminal(info.status));
  if (options.deleteOnInterrupt) {
    for (const task of going) {
      await task.delete().then(() => say(`deleted ${task.taskId}`, options), report);
    }
  } else {
    for (const task of going) say(`${task.taskId} goes on: wait again to see its end`, options);
  }
  throw new CommandError(130, "interrupted");
}

async function list(place: string, options: ListOptions): Promise<void> {
  const [organizationId = "", workspaceId = "", ...rest] = place.split("/");
  if (!organizationId || !workspaceId || rest.length > 0) {
    throw new CommandError(2, `"${printable(place)}" is not organization/workspace`);
  }
  const { status, name, limit = Infinity, timeout } = options;
  const credentials = await Credentials.build({ instance: options.instance });
  const tasks = Task.list({ organizationId, workspaceId, credentials, status, name, timeout });
  const rows = [LIST_HEADER];
  let printed = 0;
  for await (const task of tasks) {
    if (options.json) print(JSON.stringify(task.info));
    else rows.push(listRow(task));
    if (++printed >= limit) break;
  }
  if (!options.json && printed > 0) print(table(rows));
  if (printed === 0) say("no task", options);
}

async function sign({ body, json }: { body: string; json?: boolean }): Promise<void> {
  const [secret = ""] = (process.env.RESOLVE_WEBHOOK_SECRETS ?? "").split(",");
  if (!secret.trim()) {
    throw new CommandError(5, "there is no secret to sign with: set RESOLVE_WEBHOOK_SECRETS");
  }
  const payload = body === "-" ? await readAll(process.stdin) : await readFile(body, "utf8");
  const id = `msg_${crypto.randomUUID()}`;
  const now = new Date();
  let signature: string;
  try {
    signature = new Webhook(secret.trim()).sign(id, now, payload);
  } catch {
    throw new CommandError(5, "RESOLVE_WEBHOOK_SECRETS: the first is not whsec_ and base64");
  }
  const headers = {
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
    "webhook-signature": signature,
  };
  if (json) return print(JSON.stringify(headers));
  for (const [name, value] of Object.entries(headers)) print(`-H '${name}: ${value}'`);
}

/** The task that is meant, without a request. */
async function locate(text: string, options: Common): Promise<Task> {
  const credentials = await Credentials.build({ instance: options.instance });
  if (!text.includes("://")) {
    const [organization_id, workspace_id, task_id, ...rest] = text.split("/");
    if (!task_id || rest.length > 0) {
      throw new CommandError(2, `"${printable(text)}" is not a ${TASK}`);
    }
    return Task.fromDict({ organization_id, workspace_id, task_id }, { credentials });
  }
  const place = parseTaskUrl(text, { organizationId: options.organization });
  if (place.instance !== credentials.instance) {
    throw new CommandError(
      2,
      `the task is at ${place.instance}, the token is for ${credentials.instance}: pass --instance`,
    );
  }
  return Task.fromDict({
    organization_id: place.organizationId,
    workspace_id: place.workspaceId,
    task_id: place.taskId,
  }, { credentials });
}

function command(name: string, description: string): Command {
  return program.command(name).description(description)
    .option("--organization <id>", "the organization of an API URL")
    .option("--instance <host>", "where the platform is (or DEEPINT_INSTANCE)")
    .option("--timeout <duration>", "how long at most, like 90s or 10m", duration)
    .option("--json", "JSON on standard output; a line a task for wait and list")
    .option("--quiet", "nothing but data and errors");
}

function example(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  deepint-task ${line}`).join("\n")}\n`;
}

function bounds({ timeout }: Common): { timeout?: number } {
  return timeout === undefined ? {} : { timeout };
}

function duration(text: string): number {
  // a number alone would be milliseconds to one reader, and seconds to the next
  const value = /[a-z]$/i.test(text) ? ms(text as ms.StringValue) : undefined;
  if (value === undefined || !(value > 0)) {
    throw new InvalidArgumentError("a duration has a number and a unit: 500ms, 90s, 10m, 2h");
  }
  return value;
}

function interval(text: string): number | "adaptive" {
  return text === "adaptive" ? text : duration(text);
}

function statuses(text: string): TaskStatus[] {
  return text.split(",").map((word) => {
    if (TaskStatus.all().includes(word)) return TaskStatus.fromString(word);
    throw new InvalidArgumentError(`the statuses are ${TaskStatus.all().join()}`);
  });
}

function count(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("it is a number, 1 or more");
}

async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new CommandError(2, `${question} Nobody to ask: pass --yes`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test(await terminal.question(`${question} [y/N] `));
  } finally {
    terminal.close();
  }
}

function printResult(task: Task, options: Common, named = false): void {
  if (options.json) return print(JSON.stringify(taskJson(task)));
  const result = resultText(task.info);
  const parts = [named ? task.taskId : "", result ?? "no result", task.resultUrl()?.href ?? ""];
  print(parts.filter(Boolean).join("  "));
}

function errorJson(error: unknown): { code: string; message: string } {
  const { code = "ERROR", message } = error as { code?: string; message: string };
  return { code, message };
}

function print(text: string): void {
  process.stdout.write(text + "\n");
}

function say(text: string, { quiet }: Common): void {
  if (!quiet) process.stderr.write(text + "\n");
}
