/** Many tasks: the requests that it takes to list them and to wait for them, and how that grows. */
import { Credentials, pollDelay, resolveAll, Task } from "../../mod.ts";
import { FakeClock } from "../fake_clock.ts";
import { createStandIn, type StandIn } from "../stand_in.ts";
import { type Figure, median } from "./figure.ts";
import { wait } from "./study.ts";
import { TOKEN } from "./task.ts";

const MINUTE = 60_000;
const SOME = 5_000;
const GROWTH = [10, 100, 1_000, 10_000];
const IDS = { organizationId: "organization-1", workspaceId: "workspace-1" };
const credentials = new Credentials({ token: TOKEN });

/** Lists 5,000 tasks, against the bare requests that it takes. */
export async function listFigures(): Promise<Figure[]> {
  const standIn = createStandIn({ token: TOKEN });
  for (let at = 0; at < SOME; at++) standIn.add({ status: "running" });
  const ratios: number[] = [];
  let requests = 0;
  let seconds = 0;
  for (let round = 0; round < 5; round++) {
    const before = standIn.count();
    const began = performance.now();
    let count = 0;
    for await (const _ of Task.list({ ...IDS, credentials, fetch: standIn.fetch })) count++;
    if (count !== SOME) throw new Error(`${count} tasks were listed, not ${SOME}`);
    const listed = performance.now();
    requests = standIn.count() - before;
    for (let page = 0; page < requests; page++) {
      const url = `https://app.deepint.net/api/v1/workspace/workspace-1/tasks?page=${page}`;
      await (await standIn.fetch(url, { headers: HEADERS })).json();
    }
    ratios.push((listed - began) / (performance.now() - listed));
    seconds = (listed - began) / 1_000;
  }
  return [
    { what: "requests to list 5,000 tasks", value: requests, budget: { most: 10 } },
    {
      what: "list of 5,000 tasks / its bare pages",
      value: median(ratios),
      unit: "×",
      detail: `${(1_000 * seconds).toFixed(0)} ms, without a network`,
    },
  ];
}

/** Waits for tasks of one length all at once, on a simulated clock. */
export async function waitFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  const many = await waitFor(SOME, 10 * MINUTE, "adaptive");
  const apart = SOME * pollsOfOne(10 * MINUTE);
  figures.push({
    what: "5,000 tasks of 10 minutes: a poller each / resolveAll, before the first ends",
    value: apart / many.before,
    unit: "×",
    budget: { least: 100 },
    detail: `${apart.toLocaleString("en")} to ${many.before.toLocaleString("en")} requests`,
  });
  const short = await waitFor(1_000, 6_000, 1_000);
  figures.push({
    what: "1,000 tasks of 6 s, a poll a second: requests in all",
    value: short.requests,
    budget: { most: 1_060 },
  });
  for (const count of GROWTH) {
    const { requests, before, ms, bytes } = await waitFor(count, 10 * MINUTE, "adaptive");
    figures.push({
      what: `resolveAll of ${count.toLocaleString("en")} tasks of 10 minutes: requests`,
      value: requests,
      detail: `${before} before the first ends; ${ms.toFixed(0)} ms of work, ` +
        `${(bytes / 2 ** 20).toFixed(1)} MiB`,
    });
  }
  return figures;
}

const HEADERS = { "x-auth-token": TOKEN, "x-deepint-organization": "organization-1" };

/** What a wait came to: requests in all and before the first task ended, real ms, bytes of the heap. */
interface Cost {
  requests: number;
  before: number;
  ms: number;
  bytes: number;
}

async function waitFor(
  count: number,
  duration: number,
  pollInterval: number | "adaptive",
): Promise<Cost> {
  const real = performance.now.bind(performance);
  using clock = new FakeClock();
  const standIn = createStandIn({ token: TOKEN });
  const steps = [{ status: "running", ms: duration }, { status: "success", result: "s-1" }];
  const tasks = Array.from({ length: count }, () => handleOf(standIn, standIn.add({ steps }).id));
  const ended = clock.now + duration;
  const heap = Deno.memoryUsage().heapUsed;
  const began = real();
  let most = heap;
  let settled = 0;
  await clock.runUntil((async () => {
    for await (const { error } of resolveAll(tasks, { pollInterval })) {
      if (error) throw error;
      if (settled++ % 100 === 0) most = Math.max(most, Deno.memoryUsage().heapUsed);
    }
  })());
  if (settled !== count) throw new Error(`${settled} tasks have settled, not ${count}`);
  return {
    requests: standIn.count(),
    before: standIn.count(({ at }) => at < ended),
    ms: real() - began,
    bytes: most - heap,
  };
}

function handleOf(standIn: StandIn, id: string): Task {
  const ids = { organization_id: "organization-1", workspace_id: "workspace-1", task_id: id };
  return Task.fromDict(ids, { credentials, fetch: standIn.fetch });
}

/** Polls of a task by itself before it ends: as `resolve({ pollInterval: "adaptive" })` makes them. */
function pollsOfOne(duration: number): number {
  const { polls } = wait(duration, (elapsed) => pollDelay({ elapsed, random: 0.5 }));
  return polls;
}
