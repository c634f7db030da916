/**
 * The load of the bench, a process of its own: HTTP/1.1 over sockets, with no more parsing than it takes
 * to see where an answer ends, so that the server is what is measured. Its argument is a {@linkcode Plan},
 * its output the {@linkcode Round}s of each target, both as JSON.
 */

/** A server and what to ask of it. */
export interface Target {
  name: string;
  port: number;
  /** Its process. */
  pid: number;
  method: string;
  /** `$task` in it, and in the body, stands for a task of the connection's own, one of ten. */
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** The status of every answer. */
  status: number;
  concurrency: number;
}

/** What to measure: every target once in each round, in turn. */
export interface Plan {
  targets: Target[];
  rounds: number;
  /** How long a target is loaded in a round, and before all of them, in ms. */
  ms: number;
  warmUp: number;
}

/** What one target did in one round. */
export interface Round {
  /** Answers a second. */
  throughput: number;
  /** How long an answer took, in ms. */
  p50: number;
  p99: number;
  /** Processor time of the server for an answer, in ms. */
  cpu: number;
}

const CRLF = "\r\n";
const latin1 = new TextDecoder("latin1");
const utf8 = new TextEncoder();

async function load(target: Target, ms: number): Promise<Round> {
  const took: number[] = [];
  const before = await processorTime(target.pid);
  const began = performance.now();
  const end = began + ms;
  await Promise.all(
    Array.from({ length: target.concurrency }, (_, at) => connect(target, at, end, took)),
  );
  const seconds = (performance.now() - began) / 1_000;
  const cpu = (await processorTime(target.pid) - before) / took.length;
  took.sort((a, b) => a - b);
  const at = (part: number) => took[Math.ceil(took.length * part) - 1] ?? NaN;
  return { throughput: took.length / seconds, p50: at(0.5), p99: at(0.99), cpu };
}

/** One caller: asks again when it has its answer. */
async function connect(target: Target, at: number, end: number, took: number[]): Promise<void> {
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: target.port });
  socket.setNoDelay(true);
  const requests = Array.from({ length: 10 }, (_, n) => written(target, taskOf(at, n)));
  const buffer = new Uint8Array(65_536);
  for (let n = 0;; n++) {
    const began = performance.now();
    if (began > end) return;
    const request = requests[n % requests.length] ?? new Uint8Array();
    for (let sent = 0; sent < request.length;) sent += await socket.write(request.subarray(sent));
    let answer = "";
    do {
      const size = await socket.read(buffer);
      if (size === null) throw new Error(`${target.name} has closed the connection: ${answer}`);
      answer += latin1.decode(buffer.subarray(0, size));
    } while (!isWhole(answer));
    if (Number(answer.slice(9, 12)) !== target.status) {
      throw new Error(`${target.name} has not answered ${target.status}: ${answer}`);
    }
    took.push(performance.now() - began);
  }
}

function taskOf(connection: number, n: number): string {
  return `task-${String(connection).padStart(2, "0")}-${n}`;
}

function written({ method, path, headers, body = "" }: Target, task: string): Uint8Array {
  const content = body.replaceAll("$task", task);
  const lines = [
    `${method} ${path.replaceAll("$task", task)} HTTP/1.1`,
    "host: localhost",
    ...Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(content ? [`content-length: ${content.length}`] : []),
  ];
  return utf8.encode(lines.join(CRLF) + CRLF + CRLF + content);
}

function isWhole(answer: string): boolean {
  const end = answer.indexOf(CRLF + CRLF);
  if (end < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer)?.[1];
  return length === undefined
    ? answer.endsWith(`${CRLF}0${CRLF}${CRLF}`) // in chunks
    : answer.length >= end + 4 + Number(length);
}

/** What a process has spent on all its threads, in ms: to the nanosecond, where `stat` has ticks. */
async function processorTime(pid: number): Promise<number> {
  const args = ["-c", 'cat /proc/"$0"/task/*/schedstat', String(pid)];
  const { stdout } = await new Deno.Command("sh", { args }).output();
  const lines = latin1.decode(stdout).trim().split("\n");
  return lines.reduce((sum, line) => sum + Number(line.split(" ")[0]), 0) / 1e6;
}

const plan: Plan = JSON.parse(Deno.args[0] ?? "");
const rounds: Record<string, Round[]> = {};
for (const target of plan.targets) await load(target, plan.warmUp);
for (let round = 0; round < plan.rounds; round++) {
  // alternate the direction, so that no target always follows the same one
  for (const target of round % 2 ? plan.targets.toReversed() : plan.targets) {
    (rounds[target.name] ??= []).push(await load(target, plan.ms));
  }
}
// deno-lint-ignore no-console -- for the bench
console.log(JSON.stringify(rounds));
