/**
 * The load generator of the bench and the soak, a process of its own: HTTP/1.1 over sockets, with little
 * parsing, so that the server is what is measured. Its argument is a {@linkcode Plan}; it prints the
 * {@linkcode Round}s of each target. Both are JSON.
 */

/** A server and the requests to send to it. */
export interface Target {
  name: string;
  port: number;
  /** The server's process. */
  pid: number;
  method: string;
  /** In the path and the body, `$task` stands for an id of `tasks`. */
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** Ids of tasks, requested in turn. @default none */
  tasks?: readonly string[];
  /** Status of every response; the load fails on another. @default any, counted in the outcomes */
  status?: number;
  /** Number of connections; each sends its next request after a response. */
  concurrency: number;
  /** Time between a response and the next request of a connection, in ms. @default 0 */
  pause?: number;
}

/** End of a load. */
export type Limit = { ms: number } | { requests: number };

/** A measurement of every target in each round, in turn. */
export interface Plan {
  targets: Target[];
  rounds: number;
  limit: Limit;
  /** Load of each target before the first round. @default none */
  warmUp?: Limit;
}

/** Result of one target in one round. */
export interface Round {
  /** Responses per second. */
  throughput: number;
  seconds: number;
  /** Percentiles of the response time in ms. */
  p50: number;
  p99: number;
  max: number;
  /** CPU time of the server per response, in ms. */
  cpu: number;
  /** Numbers of responses by `<id up to its number> <status> <problem, or status of the task>`. */
  outcomes: Record<string, number>;
  /** Memory of the server in bytes at the end. */
  rss: number;
  /** Its memory in bytes, after every hundredth of the requests. @default none with a time limit */
  memory: number[];
}

const CRLF = "\r\n";
const MEMORY_SAMPLES = 100;
const latin1 = new TextDecoder("latin1");
const utf8 = new TextEncoder();

/** Returns percentiles of values: `percentiles(values, [0.5, 1])` are the median and the maximum. */
function percentiles(values: readonly number[], parts: readonly number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return parts.map((part) => sorted[Math.ceil(sorted.length * part) - 1] ?? NaN);
}

/** Runs a command with a process id as `$0`. Returns its output. */
async function inspect(command: string, pid: number): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", command, String(pid)] }).output();
  return latin1.decode(stdout).trim();
}

/** Returns the CPU time of a process in ms. `schedstat` is exact to the nanosecond, `stat` to a tick. */
async function cpuTime(pid: number): Promise<number> {
  const lines = (await inspect('cat /proc/"$0"/task/*/schedstat', pid)).split("\n");
  return lines.reduce((sum, line) => sum + Number(line.split(" ")[0]), 0) / 1e6;
}

/** Returns the memory of a process in bytes, from `ps` on systems without `/proc`. */
async function memoryOf(pid: number): Promise<number> {
  const text = await inspect('grep VmRSS /proc/"$0"/status || ps -o rss= -p "$0"', pid);
  return Number(/\d+/.exec(text)?.[0]) * 1_024;
}

async function connect({ port }: Target): Promise<Deno.TcpConn> {
  const socket = await Deno.connect({ hostname: "127.0.0.1", port });
  socket.setNoDelay(true);
  return socket;
}

function format({ method, path, headers, body = "" }: Target, task: string): Uint8Array {
  const content = body.replaceAll("$task", task);
  const lines = [
    `${method} ${path.replaceAll("$task", task)} HTTP/1.1`,
    "host: localhost",
    ...Object.entries(headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ...(content ? [`content-length: ${content.length}`] : []),
  ];
  return utf8.encode(lines.join(CRLF) + CRLF + CRLF + content);
}

function isComplete(response: string): boolean {
  const end = response.indexOf(CRLF + CRLF);
  if (end < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(response)?.[1];
  return length === undefined
    ? response.endsWith(`${CRLF}0${CRLF}${CRLF}`) // chunked
    : response.length >= end + 4 + Number(length);
}

async function exchange(socket: Deno.TcpConn, request: Uint8Array, buffer: Uint8Array) {
  for (let sent = 0; sent < request.length;) sent += await socket.write(request.subarray(sent));
  let response = "";
  do {
    const size = await socket.read(buffer);
    if (size === null) throw new Error(`the server closed the connection: ${response}`);
    response += latin1.decode(buffer.subarray(0, size));
  } while (!isComplete(response));
  return response;
}

/** Names a response for {@linkcode Round.outcomes}. */
function outcomeOf(response: string, id: string): string {
  const status = response.slice(9, 12);
  const body = response.slice(response.indexOf(CRLF + CRLF) + 4);
  const { type, status: state, task } = JSON.parse(body);
  if (task && task.info.id !== id) return `${status} another task`;
  return `${status} ${type?.replace("/problems/", "") ?? state}`;
}

async function load(target: Target, limit: Limit): Promise<Round> {
  const { tasks = [""], status, concurrency, pause, pid, name } = target;
  const requests = tasks.map((id) => ({ id, bytes: format(target, id) }));
  const most = "requests" in limit ? limit.requests : Infinity;
  const every = Math.max(1, Math.floor(most / MEMORY_SAMPLES));
  const outcomes: Record<string, number> = {};
  const took: number[] = [];
  const memory: Promise<number>[] = [];
  const sockets = await Promise.all(Array.from({ length: concurrency }, () => connect(target)));
  const cpuBefore = await cpuTime(pid);
  const start = performance.now();
  const end = "ms" in limit ? start + limit.ms : Infinity;
  let next = 0;

  async function call(socket: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    while (next < most && performance.now() <= end) {
      const request = requests[next++ % requests.length];
      if (!request) return;
      const { id, bytes } = request;
      const sentAt = performance.now();
      let outcome: string;
      try {
        const response = await exchange(socket, bytes, buffer);
        took.push(performance.now() - sentAt);
        if (status !== undefined) {
          if (Number(response.slice(9, 12)) === status) continue;
          throw new Error(`${name} did not respond with ${status}: ${response}`);
        }
        outcome = outcomeOf(response, id);
        if (/\r\nconnection: close/i.test(response)) throw new Error(`closed after ${outcome}`);
      } catch (error) {
        if (status !== undefined) throw error;
        outcome = `no response: ${error}`;
        socket.close();
        socket = await connect(target);
      }
      const key = `${id.replace(/-\d+$/, "") || "health"} ${outcome}`;
      outcomes[key] = (outcomes[key] ?? 0) + 1;
      if (took.length % every === 0 && most < Infinity) memory.push(memoryOf(pid));
      if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
    }
    socket.close();
  }

  await Promise.all(sockets.map(call));
  const seconds = (performance.now() - start) / 1_000;
  const cpu = (await cpuTime(pid) - cpuBefore) / took.length;
  const [p50 = NaN, p99 = NaN, max = NaN] = percentiles(took, [0.5, 0.99, 1]);
  const throughput = took.length / seconds;
  const rss = await memoryOf(pid);
  return {
    throughput,
    seconds,
    p50,
    p99,
    max,
    cpu,
    outcomes,
    rss,
    memory: await Promise.all(memory),
  };
}

if (import.meta.main) {
  const plan: Plan = JSON.parse(Deno.args[0] ?? "");
  const rounds: Record<string, Round[]> = {};
  if (plan.warmUp) { for (const target of plan.targets) await load(target, plan.warmUp); }
  for (let round = 0; round < plan.rounds; round++) {
    // alternate the direction, so that no target always follows the same one
    for (const target of round % 2 ? plan.targets.toReversed() : plan.targets) {
      (rounds[target.name] ??= []).push(await load(target, plan.limit));
    }
  }
  // deno-lint-ignore no-console -- the output is the result
  console.log(JSON.stringify(rounds));
}
