/** Processes of the tests: their output as it arrives, and their end. */
import { root } from "./run_deno.ts";

/** Arguments of `deno` that start a server with the permissions of `deno task start` and one file. */
export function serverArgs(file?: string, entry = "functions/start.ts"): string[] {
  const files = file === undefined ? [] : [
    `--allow-read=${file}`,
    `--allow-write=${file},${file}-wal,${file}-shm`,
  ];
  return ["run", "--quiet", "--no-prompt", "-P=start", ...files, entry];
}

/** Default time until a process is ended, so that its test fails instead of hanging. */
const TIMEOUT_MS = 60_000;

/** Environment variables that processes inherit: for finding programs and caches. */
const KEPT = [
  ...["PATH", "HOME", "DENO_DIR", "DENO_COVERAGE_DIR", "SystemRoot", "LOCALAPPDATA"],
  // trusted certificates, for package managers
  ...["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "DENO_CERT", "DENO_TLS_CA_STORE"],
];

/** A running process. */
export interface Process extends AsyncDisposable {
  readonly pid: number;
  readonly output: { stdout: string; stderr: string };
  readonly status: Promise<Deno.CommandStatus>;
  /** Waits for text on either output. Returns its first group. */
  waitForOutput(pattern: RegExp): Promise<string>;
  /** Sends a signal. Returns the exit code. */
  end(signal: Deno.Signal): Promise<number>;
}

/**
 * Starts a command with only these settings in its environment, and text on its standard input. It ends
 * with SIGTERM, which `deno task` forwards to its child; SIGKILL would leave the child behind.
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
        if (ended) {
          throw new Error(`the process ended without ${pattern}: ${output.stdout + output.stderr}`);
        }
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
        // it has just ended
      }
      await status;
    },
  };
}
