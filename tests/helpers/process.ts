/** Processes of the tests: what they write as it comes, and how they end. */
import { root } from "./run_deno.ts";

/** The arguments of Deno that start a server, with the permissions of `deno task start` and one file. */
export function serverArgs(file?: string, entry = "functions/start.ts"): string[] {
  const files = file === undefined ? [] : [
    `--allow-read=${file}`,
    `--allow-write=${file},${file}-wal,${file}-shm`,
  ];
  return ["run", "--quiet", "--no-prompt", "-P=start", ...files, entry];
}

/** A process is ended after so many ms, so that its test fails and does not hang. */
const TIMEOUT_MS = 60_000;

/** What is kept of this process's environment: what finds programs, and what is downloaded already. */
const KEPT = [
  ...["PATH", "HOME", "DENO_DIR", "DENO_COVERAGE_DIR", "SystemRoot", "LOCALAPPDATA"],
  // who is trusted, for what a package manager downloads
  ...["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "DENO_CERT", "DENO_TLS_CA_STORE"],
];

/** A process: what it has written so far, and how it ended. */
export interface Process extends AsyncDisposable {
  readonly pid: number;
  readonly output: { stdout: string; stderr: string };
  readonly status: Promise<Deno.CommandStatus>;
  /** Waits for text on either output, and gives its first group. */
  waitForOutput(pattern: RegExp): Promise<string>;
  /** Sends a signal and gives the exit code. */
  end(signal: Deno.Signal): Promise<number>;
}

/**
 * Runs a command with no settings in its environment but these, and this on its input. It is ended by
 * SIGTERM, which `deno task` hands on: SIGKILL would leave its child behind.
 */
export function start(
  command: string,
  args: string[],
  settings: Record<string, string>,
  input: string | ReadableStream<Uint8Array<ArrayBuffer>> = "",
  patience = TIMEOUT_MS,
): Process {
  const kept = KEPT.map((name) => [name, Deno.env.get(name)]).filter(([, value]) => value);
  const child = new Deno.Command(command, {
    args,
    cwd: root,
    clearEnv: true,
    env: { ...Object.fromEntries(kept), NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...settings },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = { stdout: "", stderr: "" };
  let wake = () => {};
  let ended = false;
  const pump = async (on: keyof typeof output) => {
    for await (const text of child[on].pipeThrough(new TextDecoderStream())) {
      output[on] += text;
      wake();
    }
  };
  const guard = setTimeout(() => child.kill("SIGTERM"), patience);
  const fed = new Response(input).body?.pipeTo(child.stdin).catch(() => {}); // may have ended by then
  const parts = [child.status, pump("stdout"), pump("stderr"), fed] as const;
  const status = Promise.all(parts).then(([status]) => {
    ended = true;
    clearTimeout(guard);
    wake();
    return status;
  });
  return {
    pid: child.pid,
    output,
    status,
    async waitForOutput(pattern) {
      for (;;) {
        const [match, group = ""] = pattern.exec(output.stdout + output.stderr) ?? [];
        if (match !== undefined) return group;
        if (ended) throw new Error(`it ended without ${pattern}: ${output.stdout + output.stderr}`);
        await new Promise<void>((resolve) => wake = resolve);
      }
    },
    async end(signal) {
      child.kill(signal);
      return (await status).code;
    },
    async [Symbol.asyncDispose]() {
      try {
        if (!ended) child.kill("SIGTERM");
      } catch {
        // it has just ended by itself
      }
      await status;
    },
  };
}
