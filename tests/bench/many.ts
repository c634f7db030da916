/** Requests and work for listing and awaiting many tasks. */
import { Credentials, type Fetch, pollDelay, resolveAll, Task } from "../../mod.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";
import { type Figure, median } from "./figure.ts";
import { wait } from "./study.ts";
import { TOKEN } from "./task.ts";

const MINUTE = 60_000;
const SOME = 5_000;
const GROWTH = [10, 100, 1_000, 10_000];
const IDS = { organizationId: "organization-1", workspaceId: "workspace-1" };
const credentials = new Credentials({ token: TOKEN });

/** Compares listing 5,000 tasks with the bare requests. */
export async function listFigures(): Promise<Figure[]> {
  const platform = createFakePlatform({ token: TOKEN });
  for (let at = 0; at < SOME; at++) platform.add({ status: "running" });
  const ratios: number[] = [];
  let requests = 0;
  let seconds = 0;
  for (let round = 0; round < 5; round++) {
    const before = platform.count();
    const began = performance.now();
    let count = 0;
    for await (const _ of Task.list({ ...IDS, credentials, fetch: platform.fetch })) count++;
    if (count !== SOME) throw new Error(`${count} tasks were listed, not ${SOME}`);
    const listed = performance.now();
    requests = platform.count() - before;
    for (let page = 0; page < requests; page++) {
      const url = `https://app.deepint.net/api/v1/workspace/workspace-1/tasks?page=${page}`;
      await (await platform.fetch(url, { headers: HEADERS })).json();
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

/** Waits for many tasks of the same length on a simulated clock. */
export async function waitFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  await waitFor(100, MINUTE, "adaptive"); // so that what is compiled then is not counted
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
        `keeps ${Math.max(0, bytes / 1_024).toFixed(0)} KiB`,
    });
  }
  return figures;
}

const HEADERS = { "x-auth-token": TOKEN, "x-deepint-organization": "organization-1" };

/** Cost of a wait. */
interface Cost {
  /** Requests in all, and before the first task ended. */
  requests: number;
  before: number;
  /** Real time in ms. */
  ms: number;
  /** Memory that the wait keeps while all tasks are running, in addition to the tasks. */
  bytes: number;
}

async function waitFor(
  count: number,
  duration: number,
  pollInterval: number | "adaptive",
): Promise<Cost> {
  const real = performance.now.bind(performance);
  using clock = new FakeClock();
  const platform = createFakePlatform({ token: TOKEN, record: false });
  const steps = [{ status: "running", ms: duration }, { status: "success", result: "s-1" }];
  const ended = clock.now + duration;
  let requests = 0;
  let before = 0;
  const fetch: Fetch = (url, init) => {
    requests++;
    if (clock.now < ended) before++;
    return platform.fetch(url, init);
  };
  const tasks = Array.from({ length: count }, () => {
    const { id, organization, workspace } = platform.add({ steps });
    const ids = { organization_id: organization, workspace_id: workspace, task_id: id };
    return Task.fromDict(ids, { credentials, fetch });
  });
  const heap = liveHeap();
  let kept = 0;
  setTimeout(() => kept = liveHeap() - heap, duration / 2);
  const began = real();
  let settled = 0;
  await clock.runUntil((async () => {
    for await (const { error } of resolveAll(tasks, { pollInterval })) {
      if (error) throw error;
      settled++;
    }
  })());
  if (settled !== count) throw new Error(`${settled} tasks have settled, not ${count}`);
  return { requests, before, ms: real() - began, bytes: kept };
}

/** Returns the size of the live heap: `deno task bench` exposes the collector. */
function liveHeap(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return Deno.memoryUsage().heapUsed;
}

/** Returns the polls that `resolve({ pollInterval: "adaptive" })` needs for one task. */
function pollsOfOne(duration: number): number {
  const { polls } = wait(duration, (elapsed) => pollDelay({ elapsed, random: 0.5 }));
  return polls;
}
