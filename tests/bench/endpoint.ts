/** The endpoint compared with servers of the same upstream, on one runtime. */
import { type Figure, median } from "./figure.ts";
import type { Round, Target } from "./loader.ts";
import {
  KEY,
  load,
  type RuntimeName,
  type Server,
  startEndpoint,
  startExpress,
  startPeer,
  startUpstream,
  taskIds,
} from "./process.ts";

/** Length of a measurement. */
export interface Length {
  rounds: number;
  /** Seconds of each server in each round. */
  seconds: number;
}

/** Limits of a comparison. @default no limit */
interface Budget {
  /** Smallest ratio of requests per second. */
  least?: number;
  /** Largest ratio of CPU time per request. */
  cpu?: number;
  /** Largest ratio of the 99th percentile of the response time. */
  p99?: number;
}

interface Comparison {
  what: string;
  ours: readonly Round[] | undefined;
  theirs: readonly Round[] | undefined;
  budget?: Budget;
}

const IDS = { organization_id: "organization-1", workspace_id: "workspace-1" };
const HEADERS = { "authorization": `Bearer ${KEY}`, "content-type": "application/json" };
const CONCURRENCY = 64;
/** Until compilers have optimized the code that each request runs. */
const WARM_UP_REQUESTS = 20_000;
const DUTIES: Record<RuntimeName, Budget> = {
  deno: { least: 0.9, cpu: 1.15, p99: 1.5 },
  node: { least: 0.9, cpu: 1.15 },
  bun: { least: 0.75, cpu: 1.4 },
};
const FORWARD: Record<RuntimeName, Budget> = {
  deno: { least: 0.65, p99: 2 },
  node: { least: 0.65 },
  bun: { least: 0.5 },
};
const tasks = taskIds(CONCURRENCY);

function forwarding(name: string, { port, pid }: Server, task = "$task"): Target {
  const path = `/${IDS.organization_id}/${IDS.workspace_id}/${task}`;
  return { name, port, pid, method: "GET", path, status: 200, concurrency: CONCURRENCY, tasks };
}

/** Returns requests to `POST /resolve`. */
export function resolving(name: string, { port, pid }: Server, task = "$task"): Target {
  const body = JSON.stringify({ ...IDS, task_id: task });
  const request = { method: "POST", path: "/resolve", headers: HEADERS, body };
  return { name, port, pid, ...request, status: 202, concurrency: CONCURRENCY, tasks };
}

function following(name: string, server: Server): Target {
  const { organization_id, workspace_id } = IDS;
  const path = `/organizations/${organization_id}/workspaces/${workspace_id}/tasks/$task`;
  return { ...forwarding(name, server), path, headers: HEADERS, status: 202 };
}

/** Compares two servers round by round, so that other load affects both. */
function compare({ what, ours = [], theirs = [], budget = {} }: Comparison): Figure[] {
  const figure = (
    name: string,
    of: (round: Round) => number,
    { unit, limit }: { unit: string; limit?: Figure["budget"] | false | undefined },
  ): Figure => {
    const digits = unit === "ms" ? 1 : 0;
    return {
      what: `${what}: ${name}`,
      value: median(ours.map((round, at) => of(round) / of(theirs[at] ?? round))),
      unit: "×",
      ...(limit && { budget: limit }),
      detail: `${median(ours.map(of)).toFixed(digits)} to ` +
        `${median(theirs.map(of)).toFixed(digits)} ${unit}`,
    };
  };
  const { least, cpu, p99 } = budget;
  return [
    figure("requests", ({ throughput }) => throughput, {
      unit: "per second",
      limit: least !== undefined && { least },
    }),
    figure("CPU", ({ cpu }) => 1_000 * cpu, {
      unit: "µs per request",
      limit: cpu !== undefined && { most: cpu },
    }),
    figure("p99", ({ p99 }) => p99, { unit: "ms", limit: p99 !== undefined && { most: p99 } }),
    figure("memory", ({ rss }) => rss / 2 ** 20, { unit: "MiB" }),
  ];
}

/** Measures one caller per task, and 64 callers of one task. */
export async function endpointFigures(
  runtime: RuntimeName,
  { rounds, seconds }: Length,
): Promise<Figure[]> {
  await using upstream = await startUpstream();
  await using forward = await startPeer(runtime, "forward", upstream);
  await using duties = await startPeer(runtime, "duties", upstream);
  await using express = runtime === "node" ? await startExpress(upstream) : undefined;
  await using endpoint = await startEndpoint(runtime, upstream);

  const limit = { ms: 1_000 * seconds };
  const plan = { rounds, limit, warmUp: { requests: WARM_UP_REQUESTS } };
  const apart = await load({
    ...plan,
    targets: [
      forwarding("forward", forward),
      resolving("duties", duties),
      ...(express ? [resolving("express", express)] : []),
      resolving("POST", endpoint),
      following("GET", endpoint),
    ],
  });
  const together = await load({
    ...plan,
    targets: [forwarding("forward", forward, "one"), resolving("POST", endpoint, "one")],
  });
  const against = (other: string, theirs: Comparison["theirs"], budget: Budget): Comparison => (
    { what: `${runtime}: POST /resolve / ${other}`, ours: apart.POST, theirs, budget }
  );
  const comparisons: Comparison[] = [
    ...(express ? [against("Express", apart.express, { least: 1, cpu: 0.9 })] : []),
    against("same duties", apart.duties, DUTIES[runtime]),
    against("bare proxy", apart.forward, FORWARD[runtime]),
    { what: `${runtime}: GET task / bare proxy`, ours: apart.GET, theirs: apart.forward },
    {
      what: `${runtime}: one task for all / bare proxy`,
      ours: together.POST,
      theirs: together.forward,
      budget: { least: 1.5, cpu: 1 },
    },
  ];
  return comparisons.flatMap(compare);
}
