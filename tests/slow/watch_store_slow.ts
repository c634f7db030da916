// The store of the watches on a full disk and in a locked file: real files, in real time.
import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals } from "@std/assert";
import { outcomeOf } from "../helpers/endpoint.ts";
import { type Process, serverArgs, start } from "../helpers/process.ts";
import { beginMany, folder, originOf, serve, tasksIn } from "../helpers/watch_server.ts";
import { createReceiver } from "../helpers/watches.ts";

const WATCHES = 300;
const OUTAGE_MS = 25_000;
const MAX_CPU_SHARE = 0.05;
const PATIENCE_MS = 180_000;
const DONE = { status: "success", result: "s-1", result_type: "source" } as const;

/** CPU time of a process in ms: user and system time are in hundredths of a second. */
async function cpuMs({ pid }: Process): Promise<number> {
  // `deno test` may not read /proc itself
  const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/stat`] }).output();
  const fields = new TextDecoder().decode(stdout).split(") ")[1]?.split(" ") ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** Sets the largest file that a process may write, as a full disk does. */
async function limitFiles({ pid }: Process, bytes: string): Promise<void> {
  const args = ["--pid", String(pid), `--fsize=${bytes}:unlimited`];
  assertEquals((await new Deno.Command("prlimit", { args }).output()).code, 0);
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.status;
}

/** Ways in which every write fails. Each returns a function that ends the failure. */
const FAILURES: Record<string, (server: Process, file: string) => Promise<() => unknown>> = {
  async "on a full disk"(server) {
    await limitFiles(server, "1");
    return () => limitFiles(server, "unlimited");
  },
  "in a locked file"(_server, file) {
    const other = new DatabaseSync(file);
    other.exec("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE");
    return Promise.resolve(() => other.close());
  },
};

for (const [name, fail] of Object.entries(FAILURES)) {
  Deno.test(`a store ${name} costs little CPU and log, and loses no watch`, async () => {
    await using place = await folder();
    const receiver = createReceiver();
    await using world = serve(receiver);
    // the signal that would end the process is ignored, as there is none on a full disk
    const script = `trap '' XFSZ; unset DENO_COVERAGE_DIR; exec "$0" "$@"`;
    const command = ["-c", script, Deno.execPath(), ...serverArgs(place.file)];
    const settings = { ...world.settings, RESOLVE_KV_PATH: place.file };
    await using server = start("bash", command, settings, "", PATIENCE_MS);
    const origin = await originOf(server);
    const tasks = Array.from({ length: WATCHES }, () => ({
      steps: [{ status: "running", ms: 5_000 }, DONE],
    }));
    const begun = await beginMany(origin, world, tasks);

    const recover = await fail(server, place.file);
    const before = { cpu: await cpuMs(server), log: server.output.stdout.length, at: Date.now() };
    assertEquals(await statusOf(`${origin}/health`), 200);
    assertEquals(await outcomeOf(await fetch(`${origin}/ready`)), [503, "watches-unavailable"]);
    await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
    const elapsed = Date.now() - before.at;
    const share = (await cpuMs(server) - before.cpu) / elapsed;
    const lines = server.output.stdout.slice(before.log).split("\n")
      .filter((line) => line.includes('"error":"watches: '));
    await recover();
    // deno-lint-ignore no-console -- the figures of the run
    console.log(`${name}: ${(100 * share).toFixed(1)} % of a core, ${lines.length} log lines`);
    assert(share < MAX_CPU_SHARE, `${share} of a core`);
    assert(lines.length > 0 && lines.length <= elapsed / 1_000, `${lines.length} lines`);

    await receiver.until(WATCHES);
    assertEquals(tasksIn(receiver), begun.map(({ task }) => task).toSorted());
    assertEquals(await statusOf(`${origin}/ready`), 200);
    assertEquals(await server.end("SIGTERM"), 0);
  });
}
