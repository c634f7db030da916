/** Interfaces of the durable watches: an engine keeps watches, a store holds their data. */
import type { TaskIds } from "../http/task_ids.ts";
import type { Watch, WatchState } from "./state.ts";

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

/** Steps that a sweep took. */
export interface SweepResult {
  /** Number of polls. */
  readonly polled: number;
  /** Number of events that a receiver accepted. */
  readonly delivered: number;
}

/** An engine that works on a store. */
export interface StoreEngine extends WatchEngine {
  /** The store. */
  readonly store: WatchStore;
  /**
   * Changes a watch, repeatedly while others change it too. Returns `undefined` if the id is unknown.
   *
   * @param change returns the new state, or the same object for no change; may throw
   */
  update(id: string, change: (watch: Watch) => Watch): Promise<Watch | undefined>;
  /**
   * Takes the steps that are due. After `limit` ms it starts no more and cuts off those in progress,
   * which count as attempts without a response.
   *
   * @param limit maximum duration in ms. @default Infinity
   */
  sweep(limit?: number): Promise<SweepResult>;
}

/** A watch in a store. */
export interface StoredWatch {
  readonly watch: Watch;
  /** Time from which the watch may be claimed: when it is due, or when its lease ends. */
  readonly claimableAt: number;
  /** Revision of the entry; {@linkcode WatchStore.save} compares it. */
  readonly revision: string;
}

/** New contents of an entry. */
export interface WatchUpdate extends Pick<StoredWatch, "watch" | "claimableAt"> {
  /** `true` if the step was a delivery that timed out; only counted. @default false */
  readonly timedOut?: boolean;
}

/** Options of {@linkcode WatchStore.claim}. */
export interface ClaimOptions {
  /** Queue to claim from, see `queueOf`. */
  queue: string;
  /** Maximum number of watches. */
  limit: number;
  /** Duration of the lease in ms. */
  leaseMs: number;
}

/** Result of {@linkcode WatchStore.claim}. */
export interface ClaimResult {
  /** Watches that the caller holds until `claimableAt`, the end of the lease. */
  readonly claimed: readonly StoredWatch[];
  /** Number of due entries found, including those that another process claimed first. */
  readonly found: number;
  /** Ids of entries that are not watches of this version. The store has set them aside. */
  readonly unreadable: readonly string[];
}

/** Place of a watch in {@linkcode WatchStore.list}. */
export type ListPosition = Pick<Watch, "startedAt" | "id">;

/** Options of {@linkcode WatchStore.list}. */
export interface ListOptions {
  /** State of the watches. @default any state */
  state?: WatchState | undefined;
  /** Position of the last watch of the previous page. @default the first page */
  after?: ListPosition | undefined;
  /** Maximum number of watches. */
  limit: number;
}

/** Options of {@linkcode WatchStore.openWatches}. */
export interface WorkspaceOptions {
  /** Id of the last watch of the previous page. @default the first page */
  after?: string | undefined;
  /** Maximum number of watches. */
  limit: number;
}

/** A workspace of an instance. */
export type WatchedWorkspace =
  & Pick<Watch, "instance">
  & Pick<TaskIds, "organizationId" | "workspaceId">;

/** Figures of a host that receives callbacks; all but `open` count since the store was created. */
export interface HostStats {
  /** Open watches. */
  readonly open: number;
  /** Events that the receiver accepted. */
  readonly delivered: number;
  /** Watches that ended in the state `failed`. */
  readonly failed: number;
  /** Deliveries that timed out. */
  readonly timedOut: number;
}

/** Figures of a store. */
export interface StoreStats {
  /** Open watches. */
  readonly open: number;
  /** Watches that may be claimed now. */
  readonly due: number;
  /** Time since which the oldest of them may be claimed. @default none is due */
  readonly oldestDueAt?: number | undefined;
  /** Figures by the host of the callback, as in `hostOf`. */
  readonly hosts: ReadonlyMap<string, HostStats>;
}

/**
 * Storage of watches. A store decides nothing: steps, back-off and fairness are the same for every
 * store, in `loop.ts`. Every method except `now` rejects when the store fails.
 */
export interface WatchStore {
  /**
   * Returns the time on the store's clock, in whole ms since 1970. Every time of a watch is on this clock.
   */
  now(): number;
  /**
   * Returns the current watch of the key. If there is none, or `isReusable` is `false` for it, inserts
   * `create(id)` as the next generation. Returns `undefined` if too many watches are open.
   */
  start(key: string, create: (id: string) => Watch): Promise<Watch | undefined>;
  /**
   * Returns a watch, or `undefined` if the id is unknown or the entry unreadable. Many concurrent calls
   * must be cheap.
   */
  get(id: string): Promise<StoredWatch | undefined>;
  /** Claims due watches of a queue, the earliest first. Removes index entries without a watch. */
  claim(options: ClaimOptions): Promise<ClaimResult>;
  /**
   * Replaces an entry and updates the counters by `countChanges`, also for a watch that is reopened. If the
   * entry has another revision, changes nothing and returns `undefined`. Many concurrent calls must be cheap.
   */
  save(stored: StoredWatch, update: WatchUpdate): Promise<StoredWatch | undefined>;
  /** Returns the earliest claimable time of each queue that has open watches. */
  nextDueAt(): Promise<ReadonlyMap<string, number>>;
  /** Returns the open watches of a workspace that wait for a poll, leased ones too, ordered by id. */
  openWatches(workspace: WatchedWorkspace, options: WorkspaceOptions): Promise<StoredWatch[]>;
  /** Returns watches in descending order of `startedAt`, then of `id`. */
  list(options: ListOptions): Promise<Watch[]>;
  /** Returns the figures of the store without reading every watch. */
  stats(): Promise<StoreStats>;
  /** Resolves if the store can be written. */
  ping(): Promise<void>;
}
