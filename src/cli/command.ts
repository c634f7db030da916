/** Parts that several commands share: their options, examples and usage errors. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import type { Command } from "npm:commander@^15.1.0";
import { sanitizeText } from "../internal/text.ts";
import { parseDuration } from "./arguments.ts";

/** Options of every command. */
export interface Flags {
  json?: boolean;
  quiet?: boolean;
}

/** Input of the functions that add a command. */
export interface CommandContext {
  /** Aborts the command. */
  signal: AbortSignal;
}

/** Texts of a command's help. */
export interface CommandHelp {
  description: string;
  examples: string[];
}

/** The name of the installed command. */
export const NAME = "deepint-task";
/** A task URL for examples, quoted for a shell. */
export const EXAMPLE_URL = '"https://app.deepint.net/o/o-1/workspace?ws=w-1&s=task&i=t-1"';
/** The description of a task argument. */
export const TASK_ARGUMENT = "web URL, API URL with --organization, or organization/workspace/task";

/** Creates a writer of usage errors: one line each, with the help that shows the correct use. */
export function usageError(help: string): (text: string, write: (text: string) => void) => void {
  return (text, write) =>
    write(`${sanitizeText(text.trim().replace(/\.$/, ""), 2_000)}; see "${help}"\n`);
}

/** Adds a command with the options of every command. */
export function addCommand(
  program: Command,
  name: string,
  { description, examples }: CommandHelp,
): Command {
  return program.command(name)
    .configureOutput({ outputError: usageError(`${NAME} help ${name}`) })
    .description(description)
    .option("--json", "write JSON to standard output")
    .option("--quiet", "write only errors to standard error")
    .addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`);
}

/** Adds the options of a command that sends requests. */
export function withConnection(
  command: Command,
  timeoutHelp = "deadline, for example 10s (default: 30s)",
): Command {
  return command
    .option("--instance <host>", "instance that the token is valid for (default: DEEPINT_INSTANCE)")
    .option("--timeout <duration>", timeoutHelp, parseDuration);
}

/** Adds the option for arguments that do not name an organization. */
export function withOrganization(command: Command): Command {
  return command.option(
    "--organization <id>",
    "organization of an API URL or of shorter ids (default: DEEPINT_ORGANIZATION)",
  );
}

/** Adds a command for one task. */
export function addTaskCommand(program: Command, name: string, help: CommandHelp): Command {
  const command = addCommand(program, name, help).argument("<task>", TASK_ARGUMENT);
  return withConnection(withOrganization(command));
}
