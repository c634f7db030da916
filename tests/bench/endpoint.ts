/** The endpoint compared with two proxies of the same upstream. */
import { type Figure, median } from "./figure.ts";
import type { Round, Target } from "./loader.ts";
import { KEY, load, type Server, startEndpoint, startServer, taskIds } from "./process.ts";

const IDS = { organization_id: "organization-1", workspace_id: "workspace-1" };
const HEADERS = { "authorization": `Bearer ${KEY}`, "content-type": "application/json" };
const CONCURRENCY = 32;
const tasks = taskIds(CONCURRENCY);
const ROUNDS = 9;
const MS = 700;
const WARM_UP_MS = 1_500;

/** Measures one caller per task, and 64 callers of one task. */
export async function endpointFigures(): Promise<Figure[]> {
  await using upstream = await startServer("upstream");
  await using forward = await startServer("forward", upstream.origin);
  await using duties = await startServer("duties", upstream.origin);
  await using endpoint = await startEndpoint(upstream.origin);

  const plan = { rounds: ROUNDS, limit: { ms: MS }, warmUp: { ms: WARM_UP_MS } };
  const apart = await load({
    ...plan,
    targets: [
      forwarding("forward", forward),
      resolving("duties", duties),
      resolving("POST", endpoint),
      following("GET", endpoint),
    ],
  });
  const together = await load({
    ...plan,
    targets: [
      { ...forwarding("forward", forward, "one"), concurrency: 64 },
      { ...resolving("POST", endpoint, "one"), concurrency: 64 },
    ],
  });
  return [
    ...against("POST /resolve", "bare proxy", apart.POST, apart.forward, { least: 0.65, p99: 2 }),
    ...against("POST /resolve", "same duties", apart.POST, apart.duties, { least: 0.85, p99: 1.5 }),
    ...against("GET task", "bare proxy", apart.GET, apart.forward),
    ...against("64 callers of one", "bare proxy", together.POST, together.forward, {
      least: 1.2,
      cpu: 1,
    }),
  ];
}

/** Ratios of two servers per round, so that other load affects both. */
function against(
  what: string,
  other: string,
  ours: readonly Round[] = [],
  theirs: readonly Round[] = [],
  budget: { least?: number; p99?: number; cpu?: number } = {},
): Figure[] {
  const pairs = ours.map((round, at) => [round, theirs[at] ?? round] as const);
  const ratio = (of: (round: Round) => number) => median(pairs.map(([a, b]) => of(a) / of(b)));
  const each = (of: (round: Round) => number, unit: string, digits = 2) =>
    `${median(ours.map(of)).toFixed(digits)} to ${median(theirs.map(of)).toFixed(digits)} ${unit}`;
  return [
    {
      what: `${what} / ${other}: throughput`,
      value: ratio(({ throughput }) => throughput),
      unit: "×",
      ...(budget.least !== undefined && { budget: { least: budget.least } }),
      detail: each(({ throughput }) => throughput, "a second", 0),
    },
    {
      what: `${what} / ${other}: p99`,
      value: ratio(({ p99 }) => p99),
      unit: "×",
      ...(budget.p99 !== undefined && { budget: { most: budget.p99 } }),
      detail: each(({ p99 }) => p99, "ms"),
    },
    {
      what: `${what} / ${other}: CPU`,
      value: ratio(({ cpu }) => cpu),
      unit: "×",
      ...(budget.cpu !== undefined && { budget: { most: budget.cpu } }),
      detail: each(({ cpu }) => 1_000 * cpu, "µs a request", 0),
    },
  ];
}

function forwarding(name: string, { port, pid }: Server, task = "$task"): Target {
  const path = `/${IDS.organization_id}/${IDS.workspace_id}/${task}`;
  return { name, port, pid, method: "GET", path, status: 200, concurrency: CONCURRENCY, tasks };
}

function resolving(name: string, { port, pid }: Server, task = "$task"): Target {
  const body = JSON.stringify({ ...IDS, task_id: task });
  const request = { method: "POST", path: "/resolve", headers: HEADERS, body };
  return { name, port, pid, ...request, status: 202, concurrency: CONCURRENCY, tasks };
}

function following(name: string, { port, pid }: Server): Target {
  const { organization_id, workspace_id } = IDS;
  const path = `/organizations/${organization_id}/workspaces/${workspace_id}/tasks/$task`;
  return {
    name,
    port,
    pid,
    method: "GET",
    path,
    headers: HEADERS,
    status: 202,
    concurrency: CONCURRENCY,
    tasks,
  };
}
