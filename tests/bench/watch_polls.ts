/** Requests that the durable watches of one workspace take: by its list, and one GET for each poll. */
import { WatchLoop } from "../../functions/watches/loop.ts";
import { KvStore } from "../../functions/watches/kv_store.ts";
import { newWatch, pollInterval } from "../../functions/watches/state.ts";
import type { WatchStore } from "../../functions/watches/store.ts";
import { startPostgres } from "../helpers/postgres.ts";
import { root } from "../helpers/run_deno.ts";
import { configWith } from "../helpers/watches.ts";
import type { Figure } from "./figure.ts";
import { openSimulated } from "./simulated_postgres.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const TASK_MS = 2 * HOUR;
const DEADLINE_MS = 24 * HOUR;
const PAGE = 500;

/** Options of {@linkcode countRequests}. */
export interface CountOptions {
  /** Number of watches. */
  count: number;
  /** Time within which they start, in ms. */
  within: number;
  /** Duration of each task in ms. @default 2 hours */
  taskMs?: number;
  /** Opens an empty store on the simulated clock. */
  open(now: () => number): WatchStore | Promise<WatchStore>;
}

/** Requests and lateness of all watches. */
export interface Count {
  lists: number;
  loads: number;
  /** Requests of one GET for each poll. */
  single: number;
  /** Longest time between the end of a task and its poll, in ms. */
  latest: number;
}

/** Counts the requests of watches whose tasks start with them, on a simulated clock. */
export async function countRequests(
  { count, within, taskMs = TASK_MS, open }: CountOptions,
): Promise<Count> {
  const start = Date.UTC(2026, 0, 1);
  let now = start;
  const created: number[] = [];
  const result: Count = { lists: 0, loads: 0, single: count * pollsOfOne(taskMs), latest: 0 };
  const task = (number: number) => {
    const createdAt = created[number] ?? NaN;
    const status = now >= createdAt + taskMs ? "success" : "running";
    return { id: `t-${number}`, created: createdAt, status };
  };
  const fetch = (url: string) => {
    const { pathname, searchParams } = new URL(url);
    const number = /task\/t-(\d+)$/.exec(pathname)?.[1];
    if (number !== undefined) {
      result.loads++;
      const body = task(Number(number));
      if (body.status === "success") {
        result.latest = Math.max(result.latest, now - body.created - taskMs);
      }
      return Promise.resolve(Response.json(body));
    }
    result.lists++;
    const first = Number(searchParams.get("page")) * PAGE;
    const numbers = [...created.keys()].slice(first, first + PAGE);
    const pages = Math.ceil(created.length / PAGE);
    return Promise.resolve(Response.json({ items: numbers.map(task), pages_count: pages }));
  };
  const store = await open(() => now);
  const callbackFetch = () => Promise.resolve(new Response());
  const loop = new WatchLoop(store, configWith("hooks.example.com"), {
    fetch,
    callbackFetch,
    log() {},
  });
  const startAt = (number: number) => start + Math.ceil(number * within / count);
  for (;;) {
    while (created.length < count && startAt(created.length) <= now) {
      const number = created.push(now) - 1;
      await loop.start({
        key: number.toString(16).padStart(64, "0"),
        instance: "app.deepint.net",
        ids: { organizationId: "o-1", workspaceId: "w-1", taskId: `t-${number}` },
        callbackUrl: "https://hooks.example.com/end",
        deadline: DEADLINE_MS,
      });
    }
    await loop.sweep();
    const nextStart = created.length < count ? startAt(created.length) : Infinity;
    const next = Math.min(nextStart, ...(await store.nextDueAt()).values());
    if (next === Infinity) return result;
    now = Math.max(now + 1, next);
  }
}

/** Counts the polls of a single watch on the schedule. */
function pollsOfOne(taskMs: number): number {
  const watch = newWatch({
    id: "",
    instance: "",
    ids: { organizationId: "", workspaceId: "", taskId: "" },
    callbackUrl: "https://hooks.example.com/",
    deadline: DEADLINE_MS,
  }, 0);
  let polls = 1;
  for (let now = 0; now < taskMs; polls++) {
    now += pollInterval(watch, undefined, { now, random: 0.5 });
  }
  return polls;
}

/** Opens empty stores of both kinds. */
async function openStores() {
  const path = await Deno.makeTempDir({ dir: new URL("dist/", root).pathname });
  const server = await startPostgres();
  const opened: AsyncDisposable[] = [server];
  let files = 0;
  return {
    stores: {
      async "Deno KV"(now: () => number): Promise<WatchStore> {
        const kv = await Deno.openKv(`${path}/${files++}.kv`);
        opened.unshift({ [Symbol.asyncDispose]: () => Promise.resolve(kv.close()) });
        return new KvStore(kv, { now });
      },
      async "PostgreSQL"(now: () => number): Promise<WatchStore> {
        const store = await openSimulated(server, now);
        opened.unshift(store);
        return store;
      },
    },
    async [Symbol.asyncDispose]() {
      for (const one of opened) await one[Symbol.asyncDispose]();
      await Deno.remove(path, { recursive: true });
    },
  };
}

const STARTS = {
  "at once": 0,
  "within 10 minutes": 10 * MINUTE,
  "evenly over 2 hours": 2 * HOUR,
};

/** Compares polls by the list with one GET for each, for 10,000 watches of 2-hour tasks. */
export async function watchFigures(): Promise<Figure[]> {
  await using opened = await openStores();
  const figures: Figure[] = [];
  for (const [store, open] of Object.entries(opened.stores)) {
    for (const [start, within] of Object.entries(STARTS)) {
      const count = await countRequests({ count: 10_000, within, open });
      const { lists, loads, single, latest } = count;
      const late = Math.round(latest / 1_000);
      figures.push({
        what: `10,000 watches in ${store} started ${start}: one GET for each poll / by the list`,
        value: single / (lists + loads),
        unit: "×",
        budget: { least: 50 },
        detail: `${single} to ${lists} lists and ${loads} GETs, at most ${late} s late`,
      });
      // deno-lint-ignore no-console -- a run takes minutes
      console.error(figures.at(-1)?.what, figures.at(-1)?.detail);
    }
  }
  return figures;
}
