// Runs this same Deno again as a child: `deno task` works on a machine with no `deno` in PATH.

/** The project's folder, as a URL that ends in a slash. */
export const root = new URL("../../", import.meta.url);

/** How a child ended: its exit code and all that it wrote, without colour. */
export interface Ran {
  code: number;
  output: string;
}

/** Options of {@linkcode deno}. */
export interface DenoOptions {
  /** Keep the child's output from the terminal. @default {false} */
  quiet?: boolean;
  /** End the child after this many milliseconds. @default {undefined} never */
  timeout?: number;
}

/** Runs `deno` with `args` in the project's folder, its output shown as it comes. */
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
  // A `kill` of the task must not leave a test run behind (Windows has no such signal).
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

  // A process that the child left behind may hold the pipes open for ever.
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  const linger = setTimeout(resolve, 2_000);
  await Promise.race([pumps, enough]);
  clearTimeout(linger);

  const output = withoutColour(chunks.join(""));
  // What is printed next must begin a line, also after a child that was killed in the middle.
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
