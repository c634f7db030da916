/** A pseudo-terminal of util-linux's `script`, read by a terminal emulator. */
import { assertEquals } from "@std/assert";
import xterm from "@xterm/headless";
import { start } from "./process.ts";

/** Size and environment of a terminal. */
export interface TerminalOptions {
  cols?: number;
  rows?: number;
  settings?: Record<string, string>;
  /** The command and its arguments. */
  command: readonly string[];
}

/** Runs a command in its own terminal. */
export function openTerminal(options: TerminalOptions) {
  const { cols = 100, rows = 24, settings, command } = options;
  const words = command.map((word) => `'${word}'`).join(" ");
  const unset = settings?.NO_COLOR === undefined ? "unset NO_COLOR; " : "";
  const keys = new TransformStream<string, string>();
  const writer = keys.writable.getWriter();
  const process = start(
    "script",
    ["-qec", `${unset}stty cols ${cols} rows ${rows}; exec ${words}`, "/dev/null"],
    { TERM: "xterm-256color", ...settings },
    keys.readable.pipeThrough(new TextEncoderStream()),
  );
  const { output, waitForOutput: saw } = process;
  const resizes: Resize[] = [];
  const grown = () => saw(new RegExp(`^[^]{${output.stdout.length + 1}}`));
  return {
    output,
    saw,
    /** Waits for more output. */
    grown,
    /** Returns the current content of the terminal. */
    async screen() {
      while (isWithinFrame(output.stdout)) await grown();
      return await screenOf(output.stdout, { cols, rows, resizes });
    },
    /** Changes the width of the terminal. */
    async resize(cols: number) {
      resizes.push({ at: output.stdout.length, cols });
      const script = `read -r child </proc/${process.pid}/task/${process.pid}/children
        stty -F "$(readlink "/proc/$child/fd/0")" cols ${cols}`;
      assertEquals((await start("bash", ["-c", script], {}).status).code, 0);
    },
    /** Types keys. */
    async type(keys: string) {
      await writer.write(keys);
    },
    /** Types the last keys and returns the exit code. */
    async end(keys = "") {
      if (keys) await writer.write(keys);
      await writer.close();
      return (await process.status).code;
    },
    async [Symbol.asyncDispose]() {
      await writer.close().catch(() => {});
      await process[Symbol.asyncDispose]();
    },
  };
}

/** A change of the width of a terminal, after so many characters of output. */
interface Resize {
  at: number;
  cols: number;
}

/** The size of a terminal and its changes. */
interface Size {
  cols: number;
  rows: number;
  resizes: readonly Resize[];
}

/** Returns `true` within a frame, which a terminal shows as a whole. */
function isWithinFrame(output: string): boolean {
  return output.lastIndexOf("\x1b[?2026h") > output.lastIndexOf("\x1b[?2026l");
}

/** Returns the lines that a terminal shows for an output, and the number of other effects. */
async function screenOf(output: string, { cols, rows, resizes }: Size) {
  const terminal = new xterm.Terminal({ cols, rows, allowProposedApi: true });
  let effects = 0;
  terminal.onTitleChange(() => effects++);
  terminal.onBell(() => effects++);
  let from = 0;
  for (const { at, cols } of [...resizes, { at: output.length, cols: 0 }]) {
    await new Promise<void>((resolve) => terminal.write(output.slice(from, at), resolve));
    if (cols > 0) terminal.resize(cols, rows);
    from = at;
  }
  const { active } = terminal.buffer;
  const lines = Array.from(
    { length: active.length },
    (_, i) => active.getLine(i)?.translateToString(true) ?? "",
  );
  terminal.dispose();
  const hidden = output.lastIndexOf("\x1b[?25l") > output.lastIndexOf("\x1b[?25h");
  return { lines: lines.join("\n").trimEnd().split("\n"), effects, hidden };
}
