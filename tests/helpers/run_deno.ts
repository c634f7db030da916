// Runs this Deno as a child, so that `deno task` works without `deno` in PATH.

/** URL of the project's folder, with a trailing slash. */
export const root = new URL("../../", import.meta.url);

/** Exit code and uncoloured output of a child. */
export interface Ran {
  code: number;
  output: string;
}

/** Options of {@linkcode deno}. */
export interface DenoOptions {
  /** Hides the child's output. @default {false} */
  quiet?: boolean;
  /** Ends the child after this many milliseconds. @default {undefined} never */
  timeout?: number;
}

/** Runs `deno` in the project's folder and prints its output as it arrives. */
export async function deno(args: string[], options: DenoOptions = {}): Promise<Ran> {
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: root,
    env: Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();

  const end = () => child.kill("SIGTERM");
  // forward SIGTERM, so that no test run outlives the task (Windows lacks the signal)
  const forwards = Deno.build.os !== "windows";
  if (forwards) Deno.addSignalListener("SIGTERM", end);
  const timer = options.timeout === undefined ? undefined : setTimeout(end, options.timeout);

  const chunks: string[] = [];
  const pump = async (from: ReadableStream<Uint8Array>, to: typeof Deno.stdout) => {
    const decoder = new TextDecoder();
    for await (const chunk of from) {
      chunks.push(decoder.decode(chunk, { stream: true }));
      if (!options.quiet) await writeAll(to, chunk);
    }
  };
  const pumps = Promise.all([pump(child.stdout, Deno.stdout), pump(child.stderr, Deno.stderr)]);
  const { code } = await child.status;
  clearTimeout(timer);
  if (forwards) Deno.removeSignalListener("SIGTERM", end);

  // a grandchild may keep the pipes open
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  const linger = setTimeout(resolve, 2_000);
  await Promise.race([pumps, enough]);
  clearTimeout(linger);

  const output = withoutColour(chunks.join(""));
  // start a new line for the next output: a killed child may have stopped in the middle of one
  if (!options.quiet && !/(^|\n)$/.test(output)) await writeAll(Deno.stdout, NEWLINE);
  return { code, output };
}

const NEWLINE = new TextEncoder().encode("\n");

async function writeAll(to: typeof Deno.stdout, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += await to.write(chunk.subarray(at));
}

function withoutColour(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[[0-9;]*m/g, "");
}
