/** A store of watches in memory, for tests of the loop on a fake clock. */
import {
  countChanges,
  hostOf,
  isActive,
  isReusable,
  queueOf,
  waitsForPoll,
  type Watch,
} from "../../functions/watches/state.ts";
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
} from "../../functions/watches/store.ts";

/** Options of {@linkcode MemoryStore}. */
export interface MemoryStoreOptions {
  /** Maximum number of open watches. @default Infinity */
  maxWatches?: number;
  /** Clock, in ms since 1970. @default Date.now */
  now?: () => number;
}

/** A store in memory. It keeps the rules of `store_contract.ts`. */
export class MemoryStore implements WatchStore {
  readonly now: () => number;
  readonly #maxWatches: number;
  readonly #entries = new Map<string, StoredWatch>();
  readonly #generations = new Map<string, number>();
  readonly #hosts = new Map<string, HostStats>();
  #revision = 0;

  constructor({ maxWatches = Infinity, now = () => Date.now() }: MemoryStoreOptions = {}) {
    this.#maxWatches = maxWatches;
    this.now = now;
  }

  start(key: string, create: (id: string) => Watch): Promise<Watch | undefined> {
    const generation = this.#generations.get(key) ?? -1;
    const existing = this.#entries.get(`${key}-${generation}`)?.watch;
    if (existing && isReusable(existing)) return Promise.resolve(existing);
    if (this.#countOpen() >= this.#maxWatches) return Promise.resolve(undefined);
    const watch = create(`${key}-${generation + 1}`);
    this.#generations.set(key, generation + 1);
    this.#set({ watch, claimableAt: watch.dueAt });
    return Promise.resolve(watch);
  }

  get(id: string): Promise<StoredWatch | undefined> {
    return Promise.resolve(this.#entries.get(id));
  }

  claim({ queue, limit, leaseMs }: ClaimOptions): Promise<ClaimResult> {
    const now = this.now();
    const due = [...this.#entries.values()]
      .filter(({ watch, claimableAt }) =>
        isActive(watch) && queueOf(watch) === queue && claimableAt <= now
      )
      .toSorted((one, other) => one.claimableAt - other.claimableAt)
      .slice(0, limit);
    const claimed = due.map(({ watch }) => this.#set({ watch, claimableAt: now + leaseMs }));
    return Promise.resolve({ claimed, found: due.length, unreadable: [] });
  }

  save({ watch, revision }: StoredWatch, update: WatchUpdate): Promise<StoredWatch | undefined> {
    const isCurrent = this.#entries.get(watch.id)?.revision === revision;
    return Promise.resolve(isCurrent ? this.#set(update) : undefined);
  }

  nextDueAt(): Promise<ReadonlyMap<string, number>> {
    const next = new Map<string, number>();
    for (const { watch, claimableAt } of this.#entries.values()) {
      if (!isActive(watch)) continue;
      const queue = queueOf(watch);
      next.set(queue, Math.min(next.get(queue) ?? Infinity, claimableAt));
    }
    return Promise.resolve(next);
  }

  openWatches(
    { instance, organizationId, workspaceId }: WatchedWorkspace,
    { after = "", limit }: WorkspaceOptions,
  ): Promise<StoredWatch[]> {
    const watches = [...this.#entries.values()].filter(({ watch }) =>
      waitsForPoll(watch) && watch.id > after &&
      watch.instance === instance && watch.ids.organizationId === organizationId &&
      watch.ids.workspaceId === workspaceId
    );
    return Promise.resolve(
      watches.toSorted((one, other) => one.watch.id < other.watch.id ? -1 : 1).slice(0, limit),
    );
  }

  list({ state, after, limit }: ListOptions): Promise<Watch[]> {
    const compare = (
      one: Pick<Watch, "startedAt" | "id">,
      other: Pick<Watch, "startedAt" | "id">,
    ) => other.startedAt - one.startedAt || (one.id < other.id ? 1 : one.id > other.id ? -1 : 0);
    const watches = [...this.#entries.values()].map(({ watch }) => watch).filter((watch) =>
      (state === undefined || watch.state === state) && (!after || compare(after, watch) < 0)
    );
    return Promise.resolve(watches.toSorted(compare).slice(0, limit));
  }

  stats(): Promise<StoreStats> {
    const now = this.now();
    const due = [...this.#entries.values()]
      .filter(({ watch, claimableAt }) => isActive(watch) && claimableAt <= now)
      .map(({ claimableAt }) => claimableAt);
    return Promise.resolve({
      open: this.#countOpen(),
      due: due.length,
      oldestDueAt: due.length > 0 ? Math.min(...due) : undefined,
      hosts: new Map(this.#hosts),
    });
  }

  ping(): Promise<void> {
    return Promise.resolve();
  }

  #countOpen(): number {
    return this.#hosts.values().reduce((sum, { open }) => sum + open, 0);
  }

  #set({ watch, claimableAt, timedOut }: WatchUpdate): StoredWatch {
    const changes = countChanges(this.#entries.get(watch.id)?.watch, watch);
    const host = hostOf(watch);
    const stats = this.#hosts.get(host) ?? { open: 0, delivered: 0, failed: 0, timedOut: 0 };
    this.#hosts.set(host, {
      open: stats.open + changes.open,
      delivered: stats.delivered + changes.delivered,
      failed: stats.failed + changes.failed,
      timedOut: stats.timedOut + Number(timedOut ?? false),
    });
    const stored = { watch, claimableAt, revision: String(++this.#revision) };
    this.#entries.set(watch.id, stored);
    return stored;
  }
}
