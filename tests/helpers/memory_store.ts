/** A store of watches in memory, for tests of the loop on a fake clock. */
import { isActive, isReusable, queueOf, type Watch } from "../../functions/watches/state.ts";
import type {
  ClaimOptions,
  ClaimResult,
  StoredWatch,
  WatchStore,
  WatchUpdate,
} from "../../functions/watches/store.ts";

/** A store in memory. It keeps the rules of `store_contract.ts`. */
export class MemoryStore implements WatchStore {
  readonly #maxWatches: number;
  readonly #entries = new Map<string, StoredWatch>();
  readonly #generations = new Map<string, number>();
  #revision = 0;

  constructor({ maxWatches = Infinity }: { maxWatches?: number } = {}) {
    this.#maxWatches = maxWatches;
  }

  start(key: string, create: (id: string) => Watch): Promise<Watch | undefined> {
    const generation = this.#generations.get(key) ?? -1;
    const existing = this.#entries.get(`${key}-${generation}`)?.watch;
    if (existing && isReusable(existing)) return Promise.resolve(existing);
    const open = [...this.#entries.values()].filter(({ watch }) => isActive(watch)).length;
    if (open >= this.#maxWatches) return Promise.resolve(undefined);
    const watch = create(`${key}-${generation + 1}`);
    this.#generations.set(key, generation + 1);
    this.#set({ watch, claimableAt: watch.dueAt });
    return Promise.resolve(watch);
  }

  get(id: string): Promise<StoredWatch | undefined> {
    return Promise.resolve(this.#entries.get(id));
  }

  claim({ queue, limit, now, leaseUntil }: ClaimOptions): Promise<ClaimResult> {
    const due = [...this.#entries.values()]
      .filter(({ watch, claimableAt }) =>
        isActive(watch) && queueOf(watch) === queue && claimableAt <= now
      )
      .toSorted((one, other) => one.claimableAt - other.claimableAt)
      .slice(0, limit);
    const claimed = due.map(({ watch }) => this.#set({ watch, claimableAt: leaseUntil }));
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

  ping(): Promise<void> {
    return Promise.resolve();
  }

  #set(update: WatchUpdate): StoredWatch {
    const stored = { ...update, revision: String(++this.#revision) };
    this.#entries.set(update.watch.id, stored);
    return stored;
  }
}
