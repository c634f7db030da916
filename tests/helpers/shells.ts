/** Shells that complete the command line. */
import { assertEquals } from "@std/assert";
import { RUN } from "./cli.ts";
import { start } from "./process.ts";
import { openTerminal } from "./terminal.ts";

/** A home directory with the completion of a shell, installed as documented. */
export interface ShellHome extends AsyncDisposable {
  /** Environment of the shell. */
  readonly settings: Record<string, string>;
}

/** Runs the documented command of a shell in that shell, in a home directory of its own. */
export async function installCompletion(shell: string): Promise<ShellHome> {
  const page = await Deno.readTextFile(".github/docs/command_line.md");
  const [command = ""] = new RegExp(`^deepint-task completion ${shell} .*$`, "m").exec(page) ?? [];
  const path = await Deno.makeTempDir();
  await Deno.mkdir(`${path}/bin`);
  await Deno.mkdir(`${path}/.config/fish/completions`, { recursive: true });
  const run = [Deno.execPath(), ...RUN].map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(`${path}/bin/deepint-task`, `#!/bin/sh\nexec ${run} "$@"\n`, {
    mode: 0o755,
  });
  const setUp = shell === "zsh" ? `fpath=('${path}'); ` : "";
  const settings = { HOME: path, PATH: `${path}/bin:${Deno.env.get("PATH")}` };
  const installed = start(shell, ["-c", setUp + command], settings);
  assertEquals((await installed.status).code, 0, installed.output.stderr);
  return { settings, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Lines to type before Tab, and the line that the shell shows afterwards. */
export const COMPLETED: readonly (readonly [typed: string, shown: string])[] = [
  ["sh", "show"],
  ["--vers", "--version"],
  ["wait --del", "wait --delete-on-interrupt"],
  ["list --status ru", "list --status running"],
  ["list --status=ru", "list --status=running"],
  ["sign --body de", "sign --body deno."], // deno.json and deno.lock
  ["completion fi", "completion fish"],
  ["help res", "help result"],
  // nothing to complete, and nothing that runs
  ["show $(touch dist/ran) de", "show $(touch dist/ran) de"],
  ["list --name de", "list --name de"],
];

/** Options of {@linkcode completeLines}. */
export interface ShellOptions {
  /** The shell and its arguments. */
  command: string[];
  /** Environment of the shell. */
  settings: Record<string, string>;
  /** Commands to type first. */
  setUp?: string;
}

/** Types each line and a Tab in an interactive shell, and compares the line that it shows. */
export async function completeLines(
  { command, settings, setUp = "" }: ShellOptions,
): Promise<void> {
  await Deno.remove("dist/ran").catch(() => {});
  await using terminal = openTerminal({ command, settings });
  await terminal.type(`${setUp}PS1='ready> '\r`);
  await terminal.saw(/ready> (?!')/); // not the typed one
  for (const [typed, shown] of COMPLETED) {
    const { length } = terminal.output.stdout;
    await terminal.type(`deepint-task ${typed}\t`);
    // the mark follows the completed line
    await terminal.type("@");
    while (!terminal.output.stdout.slice(length).includes("@")) await terminal.grown();
    const { lines } = await terminal.screen();
    const line = lines.at(-1) ?? "";
    assertEquals(line.replace(/ *@$/, ""), `ready> deepint-task ${shown}`);
    await terminal.type("\x15"); // Ctrl-U clears the line
  }
  await terminal.end("exit\r");
  const ran = await Deno.stat("dist/ran").then(() => true, () => false);
  assertEquals(ran, false);
}
