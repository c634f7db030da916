/**
 * Durable watches on Deno KV. A watch is an entry, and an index has when it is due next. A sweep claims
 * what is due by moving it in the index to the end of a lease, and commits what came of it only if
 * nobody else has touched it since: so several processes share a store, and one that dies leaves
 * nothing but a lease that runs out.
 */
import { writeLogEntry } from "../http/log.ts";
import type { Config } from "../config.ts";
import { HttpProblem } from "../http/problem.ts";
import { cancelled, isActive, newWatch, type Watch } from "./state.ts";
import { createStep, maxStepMs, type StepOptions } from "./step.ts";
import type { NewWatch, WatchEngine } from "./routes.ts";
import { sanitizeText } from "../../src/internal/text.ts";
import { sleep } from "../../src/internal/deadline.ts";

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
interface StoredWatch {
  readonly watch: Watch;
  readonly at: number;
}

type StoredEntry = Deno.KvEntry<StoredWatch>;
type StartResult = Watch | HttpProblem;

/** What an entry is to become. */
interface Update {
  readonly entry: StoredEntry;
  readonly watch: Watch;
  readonly at: number;
}

const ROOT = "deepint-watches";
const OPEN = [ROOT, "open"];
const generationKey = (key: string) => [ROOT, "head", key];
const watchKey = (id: string) => [ROOT, "watch", id];
const dueKey = (at: number, id: string) => [ROOT, "due", at, id];

/** Steps at one time, in one process. */
const CONCURRENCY = 64;
/** What a KV reads at one time, and how many changes are saved in one commit: it checks 100 keys. */
const MAX_READ = 10;
const MAX_SAVED = 50;
/** Commits of one change, each after another has come before it. */
const MAX_TRIES = 100;
/** A watch that has ended can be asked for so long, in ms; its generation for longer than any watch lasts. */
const RETENTION_MS = 7 * 86_400_000;
const GENERATION_RETENTION_MS = 60 * 86_400_000;
/** How long another process may have the file locked: SQLite refuses at once, and does not wait. */
const LOCK_TIMEOUT_MS = 10_000;
const LOCK_RETRY_MS = 20;
/** Another process's watch, should that die, is seen so late at most; and a store that fails asked again. */
const MAX_SLEEP_MS = 30_000;
const MIN_SLEEP_MS = 5;
const MIN_BACKOFF_MS = 1_000;
/** `sum` wraps: this takes one away. */
const MINUS_ONE = 2n ** 64n - 1n;

/** Makes the watches of a KV. The store stays the caller's to close. */
export function createKvWatches(
  kv: Deno.Kv,
  config: Config,
  options: StepOptions = {},
): KvWatches {
  const { now = Date.now, log = writeLogEntry } = options;
  const { maxWatches = 10_000 } = config;
  const step = createStep(config, options);
  const lease = 2 * maxStepMs(config) + 10_000;
  const running = new Set<Promise<void>>();
  let wakeController = new AbortController();
  /** What was saved since `run` last looked is due then at the earliest; until when it sleeps, if it does. */
  let nextWakeAt = Infinity;
  let sleepsUntil = -Infinity;

  /** Has `run` look again when a watch is due, which it may not know of. */
  function wakeBy(due: number): void {
    nextWakeAt = Math.min(nextWakeAt, due);
    if (due < sleepsUntil) wakeController.abort();
  }

  const get = (id: string) => retryWhileLocked(() => kv.get<StoredWatch>(watchKey(id)));
  const commit = (change: Deno.AtomicOperation) => retryWhileLocked(() => change.commit());

  /** Begins several watches in one commit; gives undefined when somebody else came before it. */
  async function startAll(orders: readonly NewWatch[]): Promise<StartResult[] | undefined> {
    const keys = [OPEN, ...orders.map(({ key }) => generationKey(key))] as const;
    const [open, ...heads] = await retryWhileLocked(() =>
      kv.getMany<(Deno.KvU64 | number)[]>(keys)
    );
    if (!open) return undefined;
    let room = maxWatches - (open.value instanceof Deno.KvU64 ? Number(open.value.value) : 0);
    const change = kv.atomic().check(open);
    const begun = new Map<string, StartResult>();
    let added = 0n;
    for (const [index, { key, ids, callbackUrl, deadline }] of orders.entries()) {
      const head = heads[index];
      if (!head || begun.has(key)) continue;
      const before = typeof head.value === "number" ? head.value : -1;
      const existing = before < 0 ? undefined : (await get(`${key}-${before}`)).value?.watch;
      if (existing?.state === "watching" || existing?.state === "delivered") {
        begun.set(key, existing);
        continue;
      }
      if (room-- <= 0) {
        begun.set(key, tooManyWatches(maxWatches));
        continue;
      }
      const watch = newWatch({ id: `${key}-${before + 1}`, ids, callbackUrl, deadline }, now());
      change.check(head)
        .set(generationKey(key), before + 1, { expireIn: GENERATION_RETENTION_MS })
        .set(watchKey(watch.id), { watch, at: watch.dueAt })
        .set(dueKey(watch.dueAt, watch.id), null);
      begun.set(key, watch);
      added++;
    }
    if (added > 0n && !(await commit(change.sum(OPEN, added))).ok) return undefined;
    if (added > 0n) wakeBy(now());
    return orders.map(({ key }) => begun.get(key) ?? tooManyWatches(maxWatches));
  }

  const begin = batched<NewWatch, StartResult>(MAX_READ - 1, async (orders) => {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const begun = await startAll(orders);
      if (begun) return begun;
    }
    throw new Error("others change the store all the time");
  });

  /** Adds a change of an entry to a commit. */
  function add(change: Deno.AtomicOperation, { entry, watch, at }: Update): void {
    const { key, value, versionstamp } = entry;
    change.check({ key, versionstamp });
    if (isActive(watch)) change.set(key, { watch, at });
    else change.set(key, { watch, at }, { expireIn: RETENTION_MS }).sum(OPEN, MINUS_ONE);
    if (at !== value.at || !isActive(watch)) change.delete(dueKey(value.at, watch.id));
    if (at !== value.at && isActive(watch)) change.set(dueKey(at, watch.id), null);
  }

  async function saveAll(changes: readonly Update[]): Promise<(StoredEntry | undefined)[]> {
    // of two changes of one entry the second has lost: in one commit both checks would hold
    const first = new Map<string, Update>();
    for (const one of changes) if (!first.has(one.watch.id)) first.set(one.watch.id, one);
    const change = kv.atomic();
    for (const one of first.values()) add(change, one);
    const committed = await commit(change).catch((error) => {
      if (changes.length === 1) throw error;
    });
    if (!committed?.ok) {
      // one of them has lost, or together they are too much; alone, each is as good as before
      if (changes.length === 1) return [undefined];
      return (await Promise.all(changes.map((one) => saveAll([one])))).flat();
    }
    const { versionstamp } = committed;
    return changes.map((one) => {
      const { entry: { key }, watch, at } = one;
      return first.get(watch.id) === one ? { key, value: { watch, at }, versionstamp } : undefined;
    });
  }

  /** Writes what became of a watch, unless somebody else has; gives the entry as it is then. */
  const save = batched<Update, StoredEntry | undefined>(MAX_SAVED, saveAll);

  /** Claims a watch that is due and takes it on, up to its next wait. */
  async function processWatch(found: StoredEntry): Promise<void> {
    const leased = now() + lease;
    let entry = await save({ entry: found, watch: found.value.watch, at: leased });
    while (entry) {
      const watch = await step(entry.value.watch);
      // what there is to tell is kept before it is told
      const waits = !isActive(watch) || watch.dueAt > watch.updatedAt;
      entry = await save({ entry, watch, at: waits ? watch.dueAt : leased });
      if (!waits) continue;
      if (isActive(watch)) wakeBy(watch.dueAt);
      return;
    }
  }

  /** Begins to take on what is due, some at a time. */
  async function startDue(until = Infinity): Promise<void> {
    const due = kv.list<null>({ start: [ROOT, "due"], end: [ROOT, "due", now() + 1] });
    for await (const keys of chunks(due, MAX_READ)) {
      const entries = await retryWhileLocked(() =>
        kv.getMany<StoredWatch[]>(keys.map(([, , , id]) => watchKey(String(id))))
      );
      for (const [index, entry] of entries.entries()) {
        const key = keys[index];
        if (now() >= until) return;
        if (!key || entry.versionstamp === null || entry.value.at !== key[2]) continue; // taken by now
        const taken = processWatch(entry).catch(logError).finally(() => running.delete(taken));
        running.add(taken);
        if (running.size >= CONCURRENCY) await Promise.race(running);
      }
    }
  }

  /** When something is due next, or the claim of what is under way ends. */
  async function nextDue(): Promise<number> {
    for await (const { key } of kv.list<null>({ prefix: [ROOT, "due"] }, { limit: 1 })) {
      return Number(key[2]);
    }
    return Infinity;
  }

  function logError(error: unknown): void {
    const time = new Date(now()).toISOString();
    log({
      time,
      error: sanitizeText(`watches: ${error instanceof Error ? error.message : "failed"}`),
    });
  }

  return {
    async start(order) {
      const begun = await begin(order);
      if (begun instanceof HttpProblem) throw begun;
      return begun;
    },
    async status(id) {
      return (await get(id)).value?.watch;
    },
    async cancel(id) {
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const found = await get(id);
        if (found.versionstamp === null) return undefined;
        const { watch, at } = found.value;
        if (!isActive(watch)) return watch;
        const saved = await save({ entry: found, watch: cancelled(watch, now()), at });
        if (saved) return saved.value.watch;
      }
      throw new Error("others change the watch all the time");
    },
    async sweep(until) {
      await startDue(until);
      await Promise.all(running);
    },
    async run(signal) {
      while (!signal.aborted) {
        wakeController = new AbortController();
        nextWakeAt = Infinity;
        const next = await startDue().then(nextDue).catch((error) => {
          logError(error);
          return now() + MIN_BACKOFF_MS;
        });
        const wait = Math.min(
          Math.max(MIN_SLEEP_MS, Math.min(next, nextWakeAt) - now()),
          MAX_SLEEP_MS,
        );
        sleepsUntil = now() + wait;
        await sleep(wait, AbortSignal.any([signal, wakeController.signal])).catch(
          () => {},
        );
        sleepsUntil = -Infinity;
      }
      await Promise.all(running);
    },
  };
}

/**
 * Makes a function of one of a function of several: what is asked for while that is at work waits, and
 * goes together. A commit is what costs time, not what is in it.
 */
function batched<In, Out>(
  max: number,
  work: (inputs: readonly In[]) => Promise<readonly Out[]>,
): (input: In) => Promise<Out> {
  let waiting: { input: In; settled: PromiseWithResolvers<Out> }[] = [];
  let working = false;

  async function run(): Promise<void> {
    if (working) return;
    working = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, max);
      waiting = waiting.slice(max);
      try {
        const outputs = await work(batch.map(({ input }) => input));
        for (const [index, output] of outputs.entries()) batch[index]?.settled.resolve(output);
      } catch (error) {
        for (const { settled } of batch) settled.reject(error);
      }
    }
    working = false;
  }

  return (input) => {
    const settled = Promise.withResolvers<Out>();
    waiting.push({ input, settled });
    run();
    return settled.promise;
  };
}

async function* chunks(
  list: Deno.KvListIterator<null>,
  size: number,
): AsyncGenerator<Deno.KvKey[]> {
  let keys: Deno.KvKey[] = [];
  for await (const { key } of list) {
    if (keys.push(key) < size) continue;
    yield keys;
    keys = [];
  }
  if (keys.length > 0) yield keys;
}

function tooManyWatches(maxWatches: number): HttpProblem {
  return new HttpProblem(
    "watches-unavailable",
    `as many watches are open as may be: ${maxWatches}`,
    {
      code: "WATCHES_FULL",
      headers: { "retry-after": "60" },
    },
  );
}

/** Does what may meet a lock of another process, again until it meets none. */
async function retryWhileLocked<T>(work: () => Promise<T>): Promise<T> {
  for (let waited = 0;;) {
    try {
      return await work();
    } catch (error) {
      const locked = error instanceof Error && /\blocked\b/.test(error.message);
      if (!locked || waited > LOCK_TIMEOUT_MS) throw error;
    }
    const wait = 1 + Math.random() * LOCK_RETRY_MS;
    waited += wait;
    await sleep(wait);
  }
}
