/**
 * Durable watches on Deno KV. A watch is an entry, and an index has when it is due next. A sweep claims
 * what is due by moving it in the index to the end of a lease, and commits what came of it only if
 * nobody else has touched it since: so several processes share a store, and one that dies leaves
 * nothing but a lease that runs out.
 */
import { printable, within } from "../mod.ts";
import type { Config } from "./config.ts";
import { Problem } from "./problem.ts";
import { cancelled, isOpen, newWatch, type Watch } from "./watch_state.ts";
import { createStep, type StepOptions, stepTime } from "./watch_step.ts";
import type { WatchEngine, WatchOrder, WatchReport } from "./watches.ts";

/** What {@linkcode createKvWatches} takes beside the store and the configuration. */
export interface KvWatchesOptions extends StepOptions {
  /** Where it says what failed outside of any request. @default a JSON line to standard output */
  log?: (problem: string) => void;
}

/** Watches on a KV. Nothing is polled unless `run` or `sweep` is called. */
export interface KvWatches extends WatchEngine {
  /**
   * Takes each watch that is due a step on, and waits for all of them.
   *
   * @param until when to begin no more, in ms since 1970
   */
  sweep(until?: number): Promise<void>;
  /** Sweeps whenever a watch is due, until the signal aborts; then waits for what is under way. */
  run(signal: AbortSignal): Promise<void>;
}

/** How an entry is kept: the watch, and where in the index it is. */
interface Kept {
  readonly watch: Watch;
  readonly at: number;
}

const ROOT = "deepint-watches";
const OPEN = [ROOT, "open"];
const headKey = (key: string) => [ROOT, "head", key];
const watchKey = (id: string) => [ROOT, "watch", id];
const dueKey = (at: number, id: string) => [ROOT, "due", at, id];

/** Steps at one time, in one process. */
const CONCURRENCY = 64;
/** Commits of one change, each after another has come before it. */
const MAX_TRIES = 100;
/** A watch that has ended can be asked for so long, in ms; its generation for longer than any watch lasts. */
const KEPT_FOR = 7 * 86_400_000;
const HEAD_KEPT_FOR = 60 * 86_400_000;
/** Another process's watch, should that die, is seen so late at most; and a store that fails asked again. */
const SHORTEST_SLEEP = 5;
const LONGEST_SLEEP = 30_000;
const AFTER_FAILURE = 1_000;
/** `sum` wraps: this takes one away. */
const MINUS_ONE = 2n ** 64n - 1n;

/** Makes the watches of a KV. The store stays the caller's to close. */
export function createKvWatches(
  kv: Deno.Kv,
  config: Config,
  options: KvWatchesOptions = {},
): KvWatches {
  const { now = Date.now, log = logLine } = options;
  const { maxWatches = 10_000 } = config;
  const step = createStep(config, options);
  const lease = 2 * stepTime(config) + 10_000;
  const running = new Set<Promise<void>>();
  let starting: Promise<unknown> = Promise.resolve();
  let woken = new AbortController();

  async function begin({ key, ids, callbackUrl, deadline }: WatchOrder): Promise<WatchReport> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const [head, open] = await kv.getMany<[number, Deno.KvU64]>([headKey(key), OPEN]);
      const before = head.value ?? -1;
      const existing = await kv.get<Kept>(watchKey(`${key}-${before}`));
      if (existing.value && ["watching", "delivered"].includes(existing.value.watch.state)) {
        return existing.value.watch;
      }
      if (Number(open.value?.value ?? 0n) >= maxWatches) {
        throw new Problem("watches-unavailable", `${maxWatches} watches are open, of as many`, {
          code: "WATCHES_FULL",
          headers: { "retry-after": "60" },
        });
      }
      const watch = newWatch({ id: `${key}-${before + 1}`, ids, callbackUrl, deadline }, now());
      const { ok } = await kv.atomic().check(head, open)
        .set(headKey(key), before + 1, { expireIn: HEAD_KEPT_FOR })
        .set(watchKey(watch.id), { watch, at: watch.due })
        .set(dueKey(watch.due, watch.id), null)
        .sum(OPEN, 1n)
        .commit();
      if (ok) {
        woken.abort();
        return watch;
      }
    }
    throw new Error("others change the store all the time");
  }

  /** Writes what became of a watch, unless somebody else has; gives the entry's new version. */
  async function save(
    { key, value, versionstamp }: Deno.KvEntry<Kept>,
    watch: Watch,
    at: number,
  ): Promise<Deno.KvEntry<Kept> | undefined> {
    const kept: Kept = { watch, at };
    const change = kv.atomic().check({ key, versionstamp });
    if (isOpen(watch)) change.set(key, kept);
    else change.set(key, kept, { expireIn: KEPT_FOR }).sum(OPEN, MINUS_ONE);
    if (at !== value.at || !isOpen(watch)) change.delete(dueKey(value.at, watch.id));
    if (at !== value.at && isOpen(watch)) change.set(dueKey(at, watch.id), null);
    const committed = await change.commit();
    return committed.ok ? { key, value: kept, versionstamp: committed.versionstamp } : undefined;
  }

  /** Claims a watch that is due and takes it on, up to its next wait. */
  async function take(id: string, at: number): Promise<void> {
    const found = await kv.get<Kept>(watchKey(id));
    if (found.versionstamp === null) return await kv.delete(dueKey(at, id)); // of an entry that is gone
    if (found.value.at !== at) return; // somebody has, by now
    const leased = now() + lease;
    let entry = await save(found, found.value.watch, leased);
    while (entry) {
      const watch = await step(entry.value.watch);
      // what there is to tell is kept before it is told
      const waits = !isOpen(watch) || watch.due > watch.changed;
      entry = await save(entry, watch, waits ? watch.due : leased);
      if (waits) return;
    }
  }

  async function launch(until = Infinity): Promise<void> {
    const due = kv.list<null>({ start: [ROOT, "due"], end: [ROOT, "due", now() + 1] });
    for await (const { key: [, , at, id] } of due) {
      if (now() >= until) break;
      if (typeof at !== "number" || typeof id !== "string") continue;
      const taken = take(id, at).catch(report).finally(() => running.delete(taken));
      running.add(taken);
      if (running.size >= CONCURRENCY) await Promise.race(running);
    }
  }

  /** Milliseconds until something is due. */
  async function untilNext(): Promise<number> {
    for await (const { key } of kv.list<null>({ prefix: [ROOT, "due"] }, { limit: 1 })) {
      return Math.min(Math.max(SHORTEST_SLEEP, Number(key[2]) - now()), LONGEST_SLEEP);
    }
    return LONGEST_SLEEP;
  }

  function report(error: unknown): void {
    log(printable(error instanceof Error ? error.message : "failed"));
  }

  return {
    start(order) {
      // one after another: side by side each would make the others try again
      const begun = starting.then(() => begin(order));
      starting = begun.catch(() => {});
      return begun;
    },
    async status(id) {
      return (await kv.get<Kept>(watchKey(id))).value?.watch;
    },
    async cancel(id) {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const found = await kv.get<Kept>(watchKey(id));
        if (found.versionstamp === null) return undefined;
        const { watch, at } = found.value;
        if (!isOpen(watch)) return watch;
        const saved = await save(found, cancelled(watch, now()), at);
        if (saved) return saved.value.watch;
      }
      throw new Error("others change the watch all the time");
    },
    async sweep(until) {
      await launch(until);
      await Promise.all(running);
    },
    async run(signal) {
      while (!signal.aborted) {
        woken = new AbortController();
        const wait = await launch().then(untilNext).catch((error) => {
          report(error);
          return AFTER_FAILURE;
        });
        await within(wait, AbortSignal.any([signal, woken.signal]), () => {}).catch(() => {});
      }
      await Promise.all(running);
    },
  };
}

function logLine(problem: string): void {
  // deno-lint-ignore no-console -- the log is standard output
  console.log(JSON.stringify({ time: new Date().toISOString(), watches: problem }));
}
