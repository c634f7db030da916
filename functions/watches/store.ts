/** Interfaces of the durable watches: an engine keeps watches, a store holds their data. */
import type { Watch } from "./state.ts";

/** A request for a watch. */
export type NewWatch = Pick<Watch, "instance" | "ids" | "callbackUrl" | "deadline"> & {
  /** Identifies the task and the callback: 64 hex digits, the same for every such request. */
  readonly key: string;
};

/** The part of a watch that an engine can report. */
export type WatchSnapshot =
  & Pick<Watch, "id" | "state">
  & Partial<
    Pick<Watch, "ids" | "polls" | "last" | "event" | "attempts" | "lastStatus" | "reason">
  >;

/**
 * Keeps watches while they wait. Ids are `<key>-<generation>`. A key gets a new generation only after
 * the previous one was cancelled, failed or expired.
 */
export interface WatchEngine {
  /** Returns the watch of the key, and starts it if necessary; safe under concurrency. */
  start(order: NewWatch): Promise<WatchSnapshot>;
  /** Returns the state of a watch, or `undefined` if the id is unknown. */
  status(id: string): Promise<WatchSnapshot | undefined>;
  /** Cancels a watch unless it has ended. Returns `undefined` if the id is unknown. */
  cancel(id: string): Promise<WatchSnapshot | undefined>;
  /** Rejects if the store fails. @default the engine has no store of its own */
  ping?(): Promise<void>;
}

/** A watch in a store. */
export interface StoredWatch {
  readonly watch: Watch;
  /** Time from which the watch may be claimed: when it is due, or when its lease ends. */
  readonly claimableAt: number;
  /** Revision of the entry; {@linkcode WatchStore.save} compares it. */
  readonly revision: string;
}

/** Options of {@linkcode WatchStore.claim}. */
export interface ClaimOptions {
  /** Queue to claim from, see `queueOf`. */
  queue: string;
  /** Maximum number of watches. */
  limit: number;
  /** Current time, in ms since 1970. */
  now: number;
  /** End of the lease, in ms since 1970. */
  leaseUntil: number;
}

/** Result of {@linkcode WatchStore.claim}. */
export interface ClaimResult {
  /** Watches that the caller holds until the end of the lease. */
  readonly claimed: readonly StoredWatch[];
  /** Number of due entries found, including those that another process claimed first. */
  readonly found: number;
  /** Ids of entries that are not watches of this version. The store has set them aside. */
  readonly unreadable: readonly string[];
}

/** New contents of an entry. */
export type WatchUpdate = Pick<StoredWatch, "watch" | "claimableAt">;

/**
 * Storage of watches. A store decides nothing and has no clock: claims, steps, back-off and fairness
 * are the same for every store, in `loop.ts`. Every method rejects when the store fails.
 */
export interface WatchStore {
  /**
   * Returns the current watch of the key. If there is none, or `isReusable` is `false` for it, inserts
   * `create(id)` as the next generation. Returns `undefined` if too many watches are open.
   */
  start(key: string, create: (id: string) => Watch): Promise<Watch | undefined>;
  /** Returns a watch, or `undefined` if the id is unknown or the entry unreadable. */
  get(id: string): Promise<StoredWatch | undefined>;
  /** Claims due watches of a queue, the earliest first. Removes index entries without a watch. */
  claim(options: ClaimOptions): Promise<ClaimResult>;
  /** Replaces an entry unless it has changed; then returns `undefined`. */
  save(stored: StoredWatch, update: WatchUpdate): Promise<StoredWatch | undefined>;
  /** Returns the earliest claimable time of each queue that has open watches. */
  nextDueAt(): Promise<ReadonlyMap<string, number>>;
  /** Resolves if the store can be written. */
  ping(): Promise<void>;
}
