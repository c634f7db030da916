/**
 * The load of `deno task soak`, a process of its own: requests from so many callers at once, each of
 * whom asks again when it has its answer. Its argument is a {@linkcode Load}, its output a
 * {@linkcode Report}, both as JSON.
 */

/** What to ask, how often, and of whom. */
export interface Load {
  /** Where the endpoint is. */
  origin: string;
  /** The caller's key. */
  key: string;
  /** The ids of the tasks to ask for, over and over; with none it is `/health`. */
  tasks: readonly string[];
  requests: number;
  concurrency: number;
  /** How many requests of `/health` come first, so that the connections are there. @default 0 */
  before?: number;
  /** How long a caller waits between two requests, in ms. */
  pause?: number;
  /** The endpoint's process, where its memory is asked for, which costs a process each time. */
  pid?: number;
}

/** What came of it. */
export interface Report {
  /** How often each answer came: `<task's id up to its number> <status> <problem or task's status>`. */
  outcomes: Record<string, number>;
  seconds: number;
  /** How long an answer took: half of them, 99 in 100, and all, in ms. */
  p50: number;
  p99: number;
  max: number;
  /** The memory of the endpoint's process in bytes, after every hundredth part of the requests. */
  memory: number[];
}

async function run(load: Load): Promise<Report> {
  const outcomes: Record<string, number> = {};
  const took: number[] = [];
  const memory: Promise<number>[] = [];
  const every = Math.max(1, Math.floor(load.requests / 100));
  let next = 0;

  async function caller(): Promise<void> {
    while (next < load.requests) {
      const task = load.tasks[next++ % load.tasks.length];
      const began = performance.now();
      const outcome = await ask(load, task).catch((error: unknown) => `no answer: ${error}`);
      took.push(performance.now() - began);
      const key = `${task?.replace(/-\d+$/, "") ?? "health"} ${outcome}`;
      outcomes[key] = (outcomes[key] ?? 0) + 1;
      if (load.pid && took.length % every === 0) memory.push(memoryOf(load.pid));
      if (load.pause) await new Promise((resolve) => setTimeout(resolve, load.pause));
    }
  }

  const began = performance.now();
  await Promise.all(Array.from({ length: load.concurrency }, caller));
  const seconds = (performance.now() - began) / 1_000;
  took.sort((a, b) => a - b);
  const at = (part: number) => took[Math.ceil(took.length * part) - 1] ?? NaN;
  return {
    outcomes,
    seconds,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    memory: await Promise.all(memory),
  };
}

async function ask({ origin, key }: Load, task: string | undefined): Promise<string> {
  if (task === undefined) {
    const response = await fetch(`${origin}/health`);
    return `${response.status} ${(await response.json()).status}`;
  }
  const ids = { organization_id: "organization-1", workspace_id: "workspace-1", task_id: task };
  const response = await fetch(`${origin}/resolve`, {
    method: "POST",
    headers: { "authorization": `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify(ids),
  });
  const { type, status, task: answered } = await response.json();
  if (answered && answered.info.id !== task) return `${response.status} another task`;
  return `${response.status} ${type?.replace("/problems/", "") ?? status}`;
}

/** A process's memory in bytes, as the system has it: where there is no `/proc`, `ps` tells. */
async function memoryOf(pid: number): Promise<number> {
  const status = await output("cat", [`/proc/${pid}/status`]);
  const kilobytes = /^VmRSS:\s*(\d+)/m.exec(status)?.[1] ??
    await output("ps", ["-o", "rss=", "-p", String(pid)]);
  return Number(kilobytes) * 1_024;
}

async function output(command: string, args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args, stderr: "null" }).output();
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  const load: Load = JSON.parse(Deno.args[0] ?? "");
  if (load.before) await run({ ...load, tasks: [], requests: load.before });
  const report = await run(load);
  // deno-lint-ignore no-console -- for the soak
  console.log(JSON.stringify(report));
}
