/**
 * Durable watches in Deno KV. A claim moves a watch in the index of due times to the end of a lease, so
 * a process that dies leaves only a lease that ends. Every write checks the versionstamp.
 */
import { batched, readPages } from "./batch.ts";
import {
  addChange,
  addWatch,
  type Change,
  CounterChanges,
  countIn,
  COUNTS,
  DUE,
  dueKey,
  generationKey,
  OPEN,
  PING,
  statePrefix,
  toStored,
  unreadableKey,
  watchKey,
  workspacePrefix,
} from "./kv_entries.ts";
import { retryWhileLocked } from "./kv_lock.ts";
import { isActive, isReusable, waitsForPoll, type Watch, WATCH_STATES } from "./state.ts";
import type {
  ClaimOptions,
  ClaimResult,
  HostStats,
  ListOptions,
  StoredWatch,
  StoreStats,
  WatchedWorkspace,
  WatchStore,
  WatchUpdate,
  WorkspaceOptions,
} from "./store.ts";
import { startWallClock } from "../../src/internal/clock.ts";

interface StartRequest {
  readonly key: string;
  readonly create: (id: string) => Watch;
}

type Entry = Deno.KvEntryMaybe<unknown>;
type Found = readonly Deno.KvEntry<unknown>[];

const isSameKey = (one: Deno.KvKey, other: Deno.KvKey) => one.join("\n") === other.join("\n");

/** Keys that a KV reads in one call, and changes saved in one commit (a commit checks 100 keys). */
const MAX_READ = 10;
const MAX_SAVED = 50;
/** Commits of one change, each after a conflict with another process. */
const MAX_COMMIT_TRIES = 100;

/** Options of {@linkcode KvStore}. */
export interface KvStoreOptions {
  /** Maximum number of open watches. @default 10000 */
  maxWatches?: number | undefined;
  /** Resolves with `true` if the file of the KV was deleted. @default never deleted */
  isDeleted?: () => Promise<boolean>;
  /** Clock, in ms since 1970. @default the wall clock, never set back */
  now?: () => number;
}

/** A store of watches in a KV. Closing the KV is up to the caller. */
export class KvStore implements WatchStore {
  readonly now: () => number;
  readonly #kv: Deno.Kv;
  readonly #maxWatches: number;
  readonly #isDeleted: (() => Promise<boolean>) | undefined;
  readonly #start = batched<StartRequest, Watch | undefined>(
    MAX_READ - 1,
    (requests) => this.#startAll(requests),
  );
  readonly #read = batched<string, Entry>(
    MAX_READ,
    (ids) => retryWhileLocked(() => this.#kv.getMany<unknown[]>(ids.map(watchKey))),
  );
  readonly #save = batched<Change, StoredWatch | undefined>(
    MAX_SAVED,
    (changes) => this.#saveAll(changes),
  );

  constructor(
    kv: Deno.Kv,
    { maxWatches = 10_000, isDeleted, now = startWallClock() }: KvStoreOptions = {},
  ) {
    this.#kv = kv;
    this.#maxWatches = maxWatches;
    this.#isDeleted = isDeleted;
    this.now = now;
  }

  start(key: string, create: (id: string) => Watch): Promise<Watch | undefined> {
    return this.#start({ key, create });
  }

  async get(id: string): Promise<StoredWatch | undefined> {
    return toStored(await this.#read(id));
  }

  save(stored: StoredWatch, update: WatchUpdate): Promise<StoredWatch | undefined> {
    return this.#save({ stored, update });
  }

  async claim({ queue, limit, leaseMs }: ClaimOptions): Promise<ClaimResult> {
    const now = this.now();
    const range = { start: [...DUE, queue], end: [...DUE, queue, now + 1] };
    const found = await this.#list(range, { limit });
    const claimed: StoredWatch[] = [];
    const unreadable: string[] = [];
    await Promise.all(found.map(async (due) => {
      const id = String(due.key[4]);
      const entry = await this.#read(id);
      const stored = toStored(entry);
      if (stored && isActive(stored.watch) && isSameKey(dueKey(stored), due.key)) {
        const saved = await this.save(stored, { ...stored, claimableAt: now + leaseMs });
        if (saved) claimed.push(saved);
      } else if (await this.#removeDue(due, entry) && entry.versionstamp !== null && !stored) {
        unreadable.push(id);
      }
    }));
    return { claimed, found: found.length, unreadable };
  }

  async nextDueAt(): Promise<ReadonlyMap<string, number>> {
    const next = new Map<string, number>();
    let start: Deno.KvKey | undefined;
    for (;;) {
      const selector = { prefix: DUE, ...(start && { start }) };
      const [entry] = await this.#list(selector, { limit: 1 });
      if (!entry) return next;
      const [, , queue, dueAt, id] = entry.key;
      if (typeof queue === "string" && typeof dueAt === "number" && typeof id === "string") {
        next.set(queue, dueAt);
        start = [...DUE, queue, true]; // `true` sorts after every number
      } else {
        await retryWhileLocked(() => this.#kv.delete(entry.key));
      }
    }
  }

  openWatches(
    workspace: WatchedWorkspace,
    { after = "", limit }: WorkspaceOptions,
  ): Promise<StoredWatch[]> {
    const prefix = workspacePrefix(workspace);
    const read = (last?: Deno.KvEntry<unknown>) => {
      const start = [...prefix, `${String(last?.key.at(-1) ?? after)}\0`];
      return this.#list({ start, end: [...prefix, true] }, { limit });
    };
    return readPages({ limit, read, parse: (found) => this.#readIndexed(found, waitsForPoll) });
  }

  async list({ state, after, limit }: ListOptions): Promise<Watch[]> {
    const pages = (state ? [state] : WATCH_STATES).map((state) => {
      const start = statePrefix(state);
      const read = (last?: Deno.KvEntry<unknown>) => {
        const end = last?.key ?? [...start, ...after ? [after.startedAt, after.id] : [true]];
        return this.#list({ start, end }, { limit, reverse: true });
      };
      const parse = (found: Found) => this.#readIndexed(found, (watch) => watch.state === state);
      return readPages({ limit, read, parse });
    });
    const watches = (await Promise.all(pages)).flat().map(({ watch }) => watch);
    return watches.toSorted((one, other) =>
      other.startedAt - one.startedAt || (one.id < other.id ? 1 : -1)
    ).slice(0, limit);
  }

  async stats(): Promise<StoreStats> {
    const hosts = new Map<string, HostStats>();
    for (const entry of await this.#list({ prefix: COUNTS })) {
      const [, , host, name] = entry.key.map(String);
      const none = { open: 0, delivered: 0, failed: 0, timedOut: 0 };
      if (host && name) hosts.set(host, { ...none, ...hosts.get(host), [name]: countIn(entry) });
    }
    const now = this.now();
    let due = 0;
    let oldestDueAt: number | undefined;
    for (const [queue, dueAt] of await this.nextDueAt()) {
      if (dueAt > now) continue;
      oldestDueAt = Math.min(dueAt, oldestDueAt ?? Infinity);
      const range = { start: [...DUE, queue], end: [...DUE, queue, now + 1] };
      due += (await this.#list(range)).length;
    }
    const open = countIn(await retryWhileLocked(() => this.#kv.get(OPEN)));
    return { open, due, oldestDueAt, hosts };
  }

  async ping(): Promise<void> {
    await retryWhileLocked(() => this.#kv.set(PING, true));
    if (await this.#isDeleted?.()) throw new Error("the file of the store was deleted");
  }

  #commit(change: Deno.AtomicOperation): Promise<Deno.KvCommitResult | Deno.KvCommitError> {
    return retryWhileLocked(() => change.commit());
  }

  #list(selector: Deno.KvListSelector, options?: Deno.KvListOptions): Promise<Found> {
    return retryWhileLocked(() => Array.fromAsync(this.#kv.list(selector, options)));
  }

  /** Reads the watches of index entries. Removes those whose watch is gone or in another state. */
  async #readIndexed(
    found: Found,
    isIndexed: (watch: Watch) => boolean,
  ): Promise<StoredWatch[]> {
    const watches = await Promise.all(found.map(async ({ key }) => {
      const entry = await this.#read(String(key.at(-1)));
      const stored = toStored(entry);
      if (stored && isIndexed(stored.watch)) return stored;
      await this.#commit(this.#kv.atomic().check(entry).delete(key));
      return undefined;
    }));
    return watches.filter((stored) => stored !== undefined);
  }

  /** Removes an index entry, and sets its watch aside if that is unreadable. */
  async #removeDue(due: Deno.KvEntry<unknown>, entry: Entry): Promise<boolean> {
    const { key, value, versionstamp } = entry;
    const commit = this.#kv.atomic().check({ key, versionstamp }).delete(due.key);
    if (versionstamp !== null && !toStored(entry)) {
      commit.delete(key).set(unreadableKey(String(key[2])), value);
      const counters = new CounterChanges();
      if (typeof due.value === "string") counters.addOpen(due.value, -1);
      counters.addTo(commit);
    }
    return (await this.#commit(commit)).ok;
  }

  async #startAll(requests: readonly StartRequest[]): Promise<readonly (Watch | undefined)[]> {
    for (let tries = 0; tries < MAX_COMMIT_TRIES; tries++) {
      const watches = await this.#tryStart(requests);
      if (watches) return requests.map(({ key }) => watches.get(key));
    }
    throw new Error("too many conflicts with other processes");
  }

  /** Starts watches in one commit. Returns `undefined` after a conflict with another process. */
  async #tryStart(requests: readonly StartRequest[]): Promise<Map<string, Watch> | undefined> {
    const creators = [...new Map(requests.map(({ key, create }) => [key, create]))];
    const keys = [OPEN, ...creators.map(([key]) => generationKey(key))] as const;
    const [open, ...heads] = await retryWhileLocked(() =>
      this.#kv.getMany<(Deno.KvU64 | number)[]>(keys)
    );
    if (!open) return undefined;
    let room = this.#maxWatches - countIn(open);
    const commit = this.#kv.atomic().check(open);
    const counters = new CounterChanges();
    const watches = new Map<string, Watch>();
    let hasAdded = false;
    for (const [index, [key, create]] of creators.entries()) {
      const head = heads[index];
      const generation = typeof head?.value === "number" ? head.value : -1;
      const existing = generation < 0 ? undefined : await this.get(`${key}-${generation}`);
      if (existing && isReusable(existing.watch)) {
        watches.set(key, existing.watch);
      } else if (head && room-- > 0) {
        const watch = create(`${key}-${generation + 1}`);
        addWatch(commit.check(head), watch, { key, generation: generation + 1 });
        counters.addWatch(undefined, { watch, claimableAt: watch.dueAt });
        watches.set(key, watch);
        hasAdded = true;
      }
    }
    counters.addTo(commit);
    return !hasAdded || (await this.#commit(commit)).ok ? watches : undefined;
  }

  async #saveAll(changes: readonly Change[]): Promise<(StoredWatch | undefined)[]> {
    // of two changes of one entry the second has lost; in one commit both checks would hold
    const first = new Map<string, Change>();
    for (const change of changes) {
      const { id } = change.update.watch;
      if (!first.has(id)) first.set(id, change);
    }
    const commit = this.#kv.atomic();
    const counters = new CounterChanges();
    for (const change of first.values()) {
      addChange(commit, change);
      counters.addWatch(change.stored.watch, change.update);
    }
    counters.addTo(commit);
    const result = await this.#commit(commit).catch((error) => {
      if (changes.length === 1) throw error;
    });
    if (result?.ok) {
      const { versionstamp: revision } = result;
      return changes.map((change) => {
        const { watch, claimableAt } = change.update;
        return first.get(watch.id) === change ? { watch, claimableAt, revision } : undefined;
      });
    }
    // one of them has lost, or the commit is too large: save each in its own commit
    if (changes.length === 1) return [undefined];
    return (await Promise.all(changes.map((change) => this.#saveAll([change])))).flat();
  }
}
