/**
 * `deno task soak`: the endpoint as a process of its own under load, on loopback: 100,000 requests
 * (`--requests N`), then a platform that hangs, then one that fails at random (`--seed N`). Prints
 * what it measured, and ends with 1 when something is not as it should be.
 */
// deno-lint-ignore-file no-console
import { PROBLEMS } from "../../functions/http/problem.ts";
import { table } from "../bench/table.ts";
import { KEY } from "../faults/table.ts";
import { TOKEN } from "../helpers/client.ts";
import { FAULTS, startFaultServer } from "../faults/matrix.ts";
import { listen } from "../helpers/listen.ts";
import { type Process, serverArgs, start } from "../helpers/process.ts";
import { closingLine } from "./test_runner.ts";
import { seededRandom } from "../helpers/seeded_random.ts";
import type { Load, Report } from "./soak_load.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";

const CONCURRENCY = 64;
/** Requests until the heap has grown to what it stays at. */
const WARM_UP = 15_000;
const FAILING = 0.2;
/** Latency of the platform in ms. */
const LATENCY = 5;
const PATIENCE = 900_000;

const requests = option("requests", 100_000);
const seed = option("seed", Math.floor(Math.random() * 2 ** 32));
const rows: string[][] = [];

console.log(`soak: ${requests} requests, seed ${seed}`);
await steady();
await hanging();
await flapping();
console.log(table(["phase", "what", "measured", "wanted", ""], rows));
const failed = rows.filter((row) => row.at(-1) === "FAILED").length;
const passed = rows.filter((row) => row.at(-1) === "ok").length;
console.log(`\n${closingLine({ passed, failed })}`);
Deno.exit(failed === 0 ? 0 : 1);

/** A platform that works: ended tasks, many that run, and one that everybody asks for. */
async function steady(): Promise<void> {
  const { note, check } = phase("steady");
  let count: Record<string, number> = {};
  const platform = createFakePlatform({ token: TOKEN, record: false });
  const ended = ids("ended", 50);
  const cold = ids("cold", 1_000);
  for (const id of ended) platform.add({ id, status: "success" });
  for (const id of [...cold, "hot-0"]) platform.add({ id, status: "running" });
  await using server = listen(async (request) => {
    const kind = kindOf(request);
    count[kind] = (count[kind] ?? 0) + 1;
    await new Promise((resolve) => setTimeout(resolve, LATENCY));
    return await platform.fetch(request);
  });
  await using endpoint = await startEndpoint(server.origin, 8_000);
  const tasks = cold.flatMap((id, at) => [id, ended[at % ended.length] ?? "", "hot-0", "hot-0"]);
  const { pid } = endpoint.process;
  const plan = { tasks, concurrency: CONCURRENCY };
  await load(endpoint, { ...plan, requests: WARM_UP });
  count = {};
  const report = await load(endpoint, { ...plan, requests, pid });

  const { outcomes, seconds } = report;
  const asked = (kind: string) => sum(outcomes, (outcome) => outcome.startsWith(kind));
  const right = new Set(["ended 200 success", "cold 202 running", "hot 202 running"]);
  note("requests a second", Math.round(requests / seconds));
  note("answers in ms: p50, p99, max", figures(report));
  check("wrong answers", sum(outcomes, (outcome) => !right.has(outcome)), 0);
  checkMemory(check, note, report, 1.1);
  // an ended task is remembered for a minute, and asked for again by all who come at once then
  const minutes = 1 + Math.floor(seconds / 60);
  check(`polls of ${ended.length} ended tasks`, count.ended ?? 0, ended.length * minutes);
  check("polls of 1,000 running tasks", count.cold ?? 0, asked("cold"));
  const rounds = Math.ceil(seconds * 1_000 / LATENCY) + 1;
  check(`polls for ${asked("hot")} callers of one task`, count.hot ?? 0, rounds);
  await checkEnd(check, endpoint, WARM_UP + requests);
}

/** A platform that takes every request for some tasks, and answers none. */
async function hanging(): Promise<void> {
  const { note, check } = phase("hanging");
  const deadline = 2_000;
  const callers = 200;
  let held = 0;
  let full = Promise.withResolvers<void>();
  await using platform = listen(async (request) => {
    if (kindOf(request) !== "hangs") {
      return Response.json({ id: request.url.replace(/^.*\//, ""), status: "running" });
    }
    if (++held === callers) full.resolve();
    await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
    held--;
    return new Response();
  });
  await using endpoint = await startEndpoint(platform.origin, deadline);
  const warm = { tasks: ids("cold", 1_000), requests: 5_000, concurrency: CONCURRENCY };
  await load(endpoint, warm);
  const burst = { requests: callers, concurrency: callers, before: 2 * callers };
  const probe = { tasks: [], requests: 250, concurrency: 1, pause: 10, before: 10 };

  // a machine that is busy with something else makes a round slow, so a slow one is repeated
  for (let round = 1;; round++) {
    full = Promise.withResolvers();
    const loading = load(endpoint, { ...burst, tasks: ids("hangs", callers) });
    await Promise.race([full.promise, loading]);
    const most = held;
    const [report, health] = await Promise.all([loading, load(endpoint, probe)]);
    const late = sum(report.outcomes, (outcome) => outcome !== "hangs 504 upstream-timeout");
    note("answers in ms: p50, p99, max", figures(report));
    note("/health in ms: p50, p99, max", figures(health));
    check("callers that did not wait at once", callers - most, 0);
    check("answers but 504", late, 0);
    check(
      "answers of /health but 200",
      probe.requests - (health.outcomes["health 200 ok"] ?? 0),
      0,
    );
    check("requests that the platform still holds", held, 0);
    if (round < 3 && (report.max > deadline + 250 || health.max > 50)) continue;
    check("slowest 504 in ms", Math.round(report.max), deadline + 250);
    check("slowest /health in ms", Math.round(health.max), 50);
    const asked = callers + burst.before + probe.requests + probe.before;
    return await checkEnd(check, endpoint, warm.requests + round * asked);
  }
}

/** A platform that fails one request in five, in any way that the fault matrix has. */
async function flapping(): Promise<void> {
  const { note, check } = phase("flapping");
  const next = seededRandom(seed);
  let faults = 0;
  const served = FAULTS.filter(({ name }) => name !== "connection refused");
  await using platform = await startFaultServer({
    choose() {
      if (next() >= FAILING) return undefined;
      faults++;
      return served[Math.floor(next() * served.length)];
    },
  });
  await using endpoint = await startEndpoint(platform.origin, 1_000);
  const tasks = ids("runs", 400).flatMap((id, at) => at % 4 === 0 ? [id, `ended-${at}`] : [id]);
  const { pid } = endpoint.process;
  const report = await load(endpoint, { tasks, requests, concurrency: CONCURRENCY, pid });

  const problems = served.map(({ endpoint }) =>
    endpoint === 202 ? "202 running" : `${PROBLEMS[endpoint].status} ${endpoint}`
  );
  const known = new Set([
    "ended 200 success",
    ...problems.flatMap((problem) => [`ended ${problem}`, `runs ${problem}`]),
  ]);
  const { outcomes } = report;
  note("requests, and faults on the way", `${requests}, ${faults}`);
  note("answers in ms: p50, p99, max", figures(report));
  check("200 for a task that runs", sum(outcomes, (outcome) => outcome.startsWith("runs 200")), 0);
  check("answers that nothing documents", sum(outcomes, (outcome) => !known.has(outcome)), 0);
  // bodies of many megabytes come and go: 1.14 between the least and the most of 200,000 requests
  checkMemory(check, note, report, 1.2);
  check("sockets open at the platform", platform.open, 0);
  await checkEnd(check, endpoint, requests);
}

type Check = (what: string, measured: number, most: number) => void;
type Note = (what: string, measured: unknown) => void;

function phase(name: string): { note: Note; check: Check } {
  return {
    note: (what, measured) => rows.push([name, what, String(measured), "", ""]),
    check: (what, measured, most) =>
      rows.push([name, what, String(measured), `≤ ${most}`, measured <= most ? "ok" : "FAILED"]),
  };
}

/** Compares the memory of the second tenth with that of the last. */
function checkMemory(check: Check, note: Note, { memory }: Report, most: number): void {
  const tenths = Array.from({ length: 10 }, (_, tenth) => {
    const part = memory.slice(tenth * memory.length / 10, (tenth + 1) * memory.length / 10);
    return part.reduce((sum, bytes) => sum + bytes, 0) / part.length / 2 ** 20;
  });
  note("memory in MiB, by tenths", tenths.map((mebibytes) => mebibytes.toFixed()).join(" "));
  if (requests < 100_000) return note("last tenth of it / second", "asks for 100,000 requests");
  const [, second = NaN] = tenths;
  check("last tenth of it / second", Number(((tenths.at(-1) ?? NaN) / second).toFixed(3)), most);
}

/** Checks the end of a phase. */
async function checkEnd(check: Check, endpoint: Endpoint, answered: number): Promise<void> {
  check("exit code after SIGTERM", await endpoint.process.end("SIGTERM"), 0);
  const { stdout, stderr } = endpoint.process.output;
  const lines = stdout.trim().split("\n").length - 1; // the first says where it listens
  check("lines missing from the log", Math.abs(answered - lines), 0);
  const secrets = [TOKEN, KEY].filter((secret) => (stdout + stderr).includes(secret));
  check("secrets in the log", secrets.length, 0);
}

interface Endpoint extends AsyncDisposable {
  readonly process: Process;
  readonly origin: string;
}

/** The endpoint, with the permissions of `deno task start`. */
async function startEndpoint(instance: string, timeout: number): Promise<Endpoint> {
  const settings = {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: instance,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_TIMEOUT_MS: String(timeout),
    PORT: "0",
  };
  const process = start(Deno.execPath(), serverArgs(), settings, "", PATIENCE);
  const port = await process.waitForOutput(/Listening on http:\/\/localhost:(\d+)/);
  return {
    process,
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** Runs a load in a process of its own. */
async function load(
  { origin }: Endpoint,
  options: Omit<Load, "origin" | "key">,
): Promise<Report> {
  const plan: Load = { ...options, origin, key: KEY };
  const permissions = ["--allow-net=127.0.0.1", "--allow-run=cat,ps"];
  const args = ["run", ...permissions, "tests/tools/soak_load.ts", JSON.stringify(plan)];
  await using child = start(Deno.execPath(), args, {}, "", PATIENCE);
  const { code } = await child.status;
  if (code !== 0) throw new Error(`the load ended with ${code}: ${child.output.stderr}`);
  return JSON.parse(child.output.stdout);
}

function kindOf({ url }: Request): string {
  return /([a-z]+)-\d+$/.exec(url)?.[1] ?? "";
}

function ids(kind: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${kind}-${at}`);
}

function sum(outcomes: Report["outcomes"], counts: (outcome: string) => boolean): number {
  const counted = Object.entries(outcomes).filter(([outcome]) => counts(outcome));
  return counted.reduce((sum, [, times]) => sum + times, 0);
}

function figures({ p50, p99, max }: Report): string {
  return [p50, p99, max].map((ms) => ms.toFixed(1)).join(", ");
}

function option(name: string, unset: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  if (at < 0) return unset;
  const value = Number(Deno.args[at + 1]);
  if (Number.isInteger(value) && value >= 0) return value;
  console.error(`--${name} takes a whole number, not "${Deno.args[at + 1]}"`);
  Deno.exit(2);
}
