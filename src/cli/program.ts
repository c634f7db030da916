/** The program: its commands, its signals and its exit code. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import { Command } from "npm:commander@^15.1.0";
import { VERSION } from "../internal/version.ts";
import { NAME, usageError } from "./command.ts";
import { addCompletion } from "./completion.ts";
import { addDelete } from "./delete.ts";
import { exitCodeOf, Interruption, reportError } from "./errors.ts";
import { addList } from "./list.ts";
import { addResult } from "./result.ts";
import { addShow } from "./show.ts";
import { addSign } from "./sign.ts";
import { addWait } from "./wait.ts";

const FOOTER = `
The token is read from DEEPINT_TOKEN or from ~/.deepint.ini, the instance from
DEEPINT_INSTANCE or the same file (default: app.deepint.net), the organization of
an API URL or of shorter ids from DEEPINT_ORGANIZATION. Standard output carries
only data; everything else goes to standard error. To see examples, run
"${NAME} help <command>".

Exit codes: 0 done, 1 error, 2 usage, 3 the task failed, 4 timed out, 5 missing
or invalid credentials, 130 interrupted (143 for SIGTERM). For several tasks,
"wait" exits with the first of 5, 1, 4, 3 that applies to one of them.
`;

/** Creates the program with its commands, all of which end when the signal aborts. */
function createProgram(signal: AbortSignal): Command {
  const program = new Command(NAME)
    .description("Show, list, wait for and stop tasks of Deep Intelligence.")
    .version(VERSION)
    .addHelpText("after", FOOTER)
    .exitOverride()
    .configureOutput({
      outputError: usageError(`${NAME} help`),
      // the help has no colours, and to detect them Commander reads up to 20 environment variables
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const add of [addShow, addWait, addResult, addList, addDelete, addSign, addCompletion]) {
    add(program, { signal });
  }
  return program;
}

/** `deno task` forwards a signal that the terminal has already sent to the whole process group. */
const REPEATED_SIGNAL_MS = 1_000;

/** Runs the command of the arguments and sets the exit code. */
export async function runProgram(): Promise<void> {
  const interruption = new AbortController();
  let interruptedAt = 0;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      const reason = new Interruption(name);
      const isFirst = !interruption.signal.aborted;
      if (!isFirst && performance.now() - interruptedAt < REPEATED_SIGNAL_MS) return;
      interruptedAt = performance.now();
      if (isFirst) return interruption.abort(reason);
      // the second signal ends the command immediately
      reportError(reason).finally(() => process.exit(reason.exitCode));
    });
  }
  // the reader has closed the pipe, as `head` does
  process.stdout.on("error", ({ code }: { code?: string }) => {
    if (code === "EPIPE") process.exit(0);
  });
  process.stderr.on("error", () => {});
  try {
    await createProgram(interruption.signal).parseAsync();
  } catch (error) {
    await reportError(error);
    process.exitCode = exitCodeOf(error);
  }
}
