/**
 * Durable watches in Deno KV. A watch is an entry; an index orders the open watches of each queue by
 * the time from which they may be claimed. A claim moves a watch in the index to the end of a lease, so
 * a process that dies leaves only a lease that ends. Every write checks the versionstamp.
 */
import { batched } from "./batch.ts";
import { retryWhileLocked } from "./kv_lock.ts";
import { isActive, isReusable, isWatch, queueOf, type Watch } from "./state.ts";
import type { ClaimOptions, ClaimResult, StoredWatch, WatchStore, WatchUpdate } from "./store.ts";

interface StartRequest {
  readonly key: string;
  readonly create: (id: string) => Watch;
}

interface Change {
  readonly stored: StoredWatch;
  readonly update: WatchUpdate;
}

const ROOT = "deepint-watches";
const OPEN = [ROOT, "open"];
const DUE = [ROOT, "due"];
const generationKey = (key: string) => [ROOT, "head", key];
const watchKey = (id: string) => [ROOT, "watch", id];
const isSameKey = (one: Deno.KvKey, other: Deno.KvKey) => one.join("\n") === other.join("\n");

/** Keys that a KV reads in one call, and changes saved in one commit (a commit checks 100 keys). */
const MAX_READ = 10;
const MAX_SAVED = 50;
/** Commits of one change, each after a conflict with another process. */
const MAX_COMMIT_TRIES = 100;
/** A watch is kept this long after its end, a generation longer than any watch lasts. */
const RETENTION_MS = 7 * 86_400_000;
const GENERATION_RETENTION_MS = 60 * 86_400_000;
/** `sum` wraps around: adding this subtracts 1. */
const MINUS_ONE = 2n ** 64n - 1n;

function dueKey({ watch, claimableAt }: WatchUpdate): Deno.KvKey {
  return [...DUE, queueOf(watch), claimableAt, watch.id];
}

function isUpdate(value: unknown): value is WatchUpdate {
  return typeof value === "object" && value !== null && "watch" in value && isWatch(value.watch) &&
    "claimableAt" in value && Number.isFinite(value.claimableAt);
}

function toStored(
  { key, value, versionstamp }: Deno.KvEntryMaybe<unknown>,
): StoredWatch | undefined {
  if (versionstamp === null || !isUpdate(value) || value.watch.id !== key[2]) return undefined;
  return { ...value, revision: versionstamp };
}

/** Adds the change of an entry and its index to a commit. */
function addChange(commit: Deno.AtomicOperation, { stored, update }: Change): void {
  const { watch, claimableAt } = update;
  const key = watchKey(watch.id);
  commit.check({ key, versionstamp: stored.revision });
  commit.delete(dueKey(stored));
  if (isActive(watch)) {
    commit.set(key, { watch, claimableAt }).set(dueKey(update), null);
  } else {
    commit.set(key, { watch, claimableAt }, { expireIn: RETENTION_MS }).sum(OPEN, MINUS_ONE);
  }
}

/** Options of {@linkcode KvStore}. */
export interface KvStoreOptions {
  /** Maximum number of open watches. @default 10000 */
  maxWatches?: number | undefined;
  /** Resolves with `true` if the file of the KV was deleted. @default never deleted */
  isDeleted?: () => Promise<boolean>;
}

/** A store of watches in a KV. Closing the KV is up to the caller. */
export class KvStore implements WatchStore {
  readonly #kv: Deno.Kv;
  readonly #maxWatches: number;
  readonly #isDeleted: (() => Promise<boolean>) | undefined;
  readonly #start = batched<StartRequest, Watch | undefined>(
    MAX_READ - 1,
    (requests) => this.#startAll(requests),
  );
  readonly #save = batched<Change, StoredWatch | undefined>(
    MAX_SAVED,
    (changes) => this.#saveAll(changes),
  );

  constructor(kv: Deno.Kv, { maxWatches = 10_000, isDeleted }: KvStoreOptions = {}) {
    this.#kv = kv;
    this.#maxWatches = maxWatches;
    this.#isDeleted = isDeleted;
  }

  start(key: string, create: (id: string) => Watch): Promise<Watch | undefined> {
    return this.#start({ key, create });
  }

  async get(id: string): Promise<StoredWatch | undefined> {
    return toStored(await retryWhileLocked(() => this.#kv.get(watchKey(id))));
  }

  save(stored: StoredWatch, update: WatchUpdate): Promise<StoredWatch | undefined> {
    return this.#save({ stored, update });
  }

  async claim({ queue, limit, now, leaseUntil }: ClaimOptions): Promise<ClaimResult> {
    const range = { start: [...DUE, queue], end: [...DUE, queue, now + 1] };
    const keys = await this.#list(range, limit);
    const claimed: StoredWatch[] = [];
    const unreadable: string[] = [];
    for (let index = 0; index < keys.length; index += MAX_READ) {
      const chunk = keys.slice(index, index + MAX_READ);
      const entries = await retryWhileLocked(() =>
        this.#kv.getMany<unknown[]>(chunk.map((key) => watchKey(String(key[4]))))
      );
      await Promise.all(entries.map(async (entry, index) => {
        const key = chunk[index] ?? [];
        const stored = toStored(entry);
        if (stored && isActive(stored.watch) && isSameKey(dueKey(stored), key)) {
          const update = { watch: stored.watch, claimableAt: leaseUntil };
          const saved = await this.save(stored, update);
          if (saved) claimed.push(saved);
        } else if (await this.#removeDue(key, entry) && entry.versionstamp !== null && !stored) {
          unreadable.push(String(key[4]));
        }
      }));
    }
    return { claimed, found: keys.length, unreadable };
  }

  async nextDueAt(): Promise<ReadonlyMap<string, number>> {
    const next = new Map<string, number>();
    let start: Deno.KvKey | undefined;
    for (;;) {
      const [key] = await this.#list({ prefix: DUE, ...(start && { start }) }, 1);
      if (!key) return next;
      const [, , queue, dueAt, id] = key;
      if (typeof queue === "string" && typeof dueAt === "number" && typeof id === "string") {
        next.set(queue, dueAt);
        start = [...DUE, queue, true]; // `true` sorts after every number
      } else {
        await retryWhileLocked(() => this.#kv.delete(key));
      }
    }
  }

  async ping(): Promise<void> {
    await retryWhileLocked(() => this.#kv.set([ROOT, "ping"], true));
    if (await this.#isDeleted?.()) throw new Error("the file of the store was deleted");
  }

  #commit(change: Deno.AtomicOperation): Promise<Deno.KvCommitResult | Deno.KvCommitError> {
    return retryWhileLocked(() => change.commit());
  }

  async #list(selector: Deno.KvListSelector, limit: number): Promise<Deno.KvKey[]> {
    const list = () => Array.fromAsync(this.#kv.list(selector, { limit }), ({ key }) => key);
    return await retryWhileLocked(list);
  }

  /** Removes an index entry, and sets its watch aside if that is unreadable. */
  async #removeDue(due: Deno.KvKey, entry: Deno.KvEntryMaybe<unknown>): Promise<boolean> {
    const { key, value, versionstamp } = entry;
    const commit = this.#kv.atomic().check({ key, versionstamp }).delete(due);
    if (versionstamp !== null && !toStored(entry)) {
      commit.delete(key).set([ROOT, "unreadable", key[2] ?? ""], value).sum(OPEN, MINUS_ONE);
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
    let room = this.#maxWatches - (open.value instanceof Deno.KvU64 ? Number(open.value.value) : 0);
    const commit = this.#kv.atomic().check(open);
    const watches = new Map<string, Watch>();
    let added = 0n;
    for (const [index, [key, create]] of creators.entries()) {
      const head = heads[index];
      const generation = typeof head?.value === "number" ? head.value : -1;
      const existing = generation < 0 ? undefined : await this.get(`${key}-${generation}`);
      if (existing && isReusable(existing.watch)) {
        watches.set(key, existing.watch);
      } else if (head && room-- > 0) {
        const watch = create(`${key}-${generation + 1}`);
        const value = { watch, claimableAt: watch.dueAt };
        commit.check(head)
          .set(generationKey(key), generation + 1, { expireIn: GENERATION_RETENTION_MS })
          .set(watchKey(watch.id), value)
          .set(dueKey(value), null);
        watches.set(key, watch);
        added++;
      }
    }
    if (added > 0n && !(await this.#commit(commit.sum(OPEN, added))).ok) return undefined;
    return watches;
  }

  async #saveAll(changes: readonly Change[]): Promise<(StoredWatch | undefined)[]> {
    // of two changes of one entry the second has lost; in one commit both checks would hold
    const first = new Map<string, Change>();
    for (const change of changes) {
      const { id } = change.update.watch;
      if (!first.has(id)) first.set(id, change);
    }
    const commit = this.#kv.atomic();
    for (const change of first.values()) addChange(commit, change);
    const result = await this.#commit(commit).catch((error) => {
      if (changes.length === 1) throw error;
    });
    if (result?.ok) {
      const { versionstamp: revision } = result;
      return changes.map((change) =>
        first.get(change.update.watch.id) === change ? { ...change.update, revision } : undefined
      );
    }
    // one of them has lost, or the commit is too large: save each in its own commit
    if (changes.length === 1) return [undefined];
    return (await Promise.all(changes.map((change) => this.#saveAll([change])))).flat();
  }
}
