/**
 * Entries of the watches in a KV. Each watch is an entry; indexes order the watches by the time from
 * which they may be claimed, by their state and by their workspace. Counters are entries too.
 */
import {
  countChanges,
  hostOf,
  isActive,
  queueOf,
  waitsForPoll,
  type Watch,
  type WatchState,
} from "./state.ts";
import { isWatch } from "./stored_state.ts";
import type { StoredWatch, WatchedWorkspace, WatchUpdate } from "./store.ts";

/** An update of a stored watch. */
export interface Change {
  readonly stored: StoredWatch;
  readonly update: WatchUpdate;
}

const ROOT = "deepint-watches";
/** Counter of the open watches. */
export const OPEN = [ROOT, "open"];
/** Prefix of the index of due times; the value of its entries is the host of the callback. */
export const DUE = [ROOT, "due"];
/** Prefix of the counters of hosts. */
export const COUNTS = [ROOT, "count"];
export const PING = [ROOT, "ping"];

/** A watch is kept this long after its end. */
const RETENTION_MS = 7 * 86_400_000;
/** A generation is kept for longer than the longest watch and its retention. */
const GENERATION_RETENTION_MS = 60 * 86_400_000;

export const generationKey = (key: string): Deno.KvKey => [ROOT, "head", key];
export const watchKey = (id: string): Deno.KvKey => [ROOT, "watch", id];
export const unreadableKey = (id: string): Deno.KvKey => [ROOT, "unreadable", id];
export const statePrefix = (state: WatchState): Deno.KvKey => [ROOT, "state", state];

export function stateKey({ state, startedAt, id }: Watch): Deno.KvKey {
  return [...statePrefix(state), startedAt, id];
}

export function workspacePrefix(
  { instance, organizationId, workspaceId }: WatchedWorkspace,
): Deno.KvKey {
  return [ROOT, "workspace", instance, organizationId, workspaceId];
}

export function dueKey({ watch, claimableAt }: WatchUpdate): Deno.KvKey {
  return [...DUE, queueOf(watch), claimableAt, watch.id];
}

function workspaceKey({ instance, ids, id }: Watch): Deno.KvKey {
  return [...workspacePrefix({ instance, ...ids }), id];
}

function isUpdate(value: unknown): value is WatchUpdate {
  return typeof value === "object" && value !== null && "watch" in value && isWatch(value.watch) &&
    "claimableAt" in value && Number.isFinite(value.claimableAt);
}

/** Returns the watch of an entry, or `undefined` if there is none in the current format. */
export function toStored(
  { key, value, versionstamp }: Deno.KvEntryMaybe<unknown>,
): StoredWatch | undefined {
  if (versionstamp === null || !isUpdate(value) || value.watch.id !== key[2]) return undefined;
  return { watch: value.watch, claimableAt: value.claimableAt, revision: versionstamp };
}

/** Returns the value of a counter. */
export function countIn({ value }: Deno.KvEntryMaybe<unknown>): number {
  return value instanceof Deno.KvU64 ? Number(BigInt.asIntN(64, value.value)) : 0;
}

/** Changes of counters, to be made by one commit. */
export class CounterChanges {
  readonly #changes = new Map<string, { key: Deno.KvKey; change: number }>();

  /** Changes the counters for a change of a watch. */
  addWatch(before: Watch | undefined, { watch, timedOut }: WatchUpdate): void {
    const { open, delivered, failed } = countChanges(before, watch);
    const host = hostOf(watch);
    this.addOpen(host, open);
    this.#add([...COUNTS, host, "delivered"], delivered);
    this.#add([...COUNTS, host, "failed"], failed);
    this.#add([...COUNTS, host, "timedOut"], timedOut ? 1 : 0);
  }

  /** Changes the number of open watches of a host. */
  addOpen(host: string, change: number): void {
    this.#add(OPEN, change);
    this.#add([...COUNTS, host, "open"], change);
  }

  /** Adds the changes to a commit. */
  addTo(commit: Deno.AtomicOperation): void {
    for (const { key, change } of this.#changes.values()) {
      // `sum` wraps around, so that the complement of a number subtracts it
      if (change !== 0) commit.sum(key, BigInt.asUintN(64, BigInt(change)));
    }
  }

  #add(key: Deno.KvKey, change: number): void {
    const name = key.join("\n");
    this.#changes.set(name, { key, change: (this.#changes.get(name)?.change ?? 0) + change });
  }
}

/** Adds a new watch, a generation of its key, to a commit. */
export function addWatch(
  commit: Deno.AtomicOperation,
  watch: Watch,
  { key, generation }: { key: string; generation: number },
): void {
  const value = { watch, claimableAt: watch.dueAt };
  commit.set(generationKey(key), generation, { expireIn: GENERATION_RETENTION_MS })
    .set(watchKey(watch.id), value)
    .set(dueKey(value), hostOf(watch))
    .set(stateKey(watch), null)
    .set(workspaceKey(watch), null);
}

/** Adds the change of a watch and its indexes to a commit. */
export function addChange(commit: Deno.AtomicOperation, { stored, update }: Change): void {
  const { watch, claimableAt } = update;
  const before = stored.watch;
  const expiry = isActive(watch) ? undefined : { expireIn: RETENTION_MS };
  const key = watchKey(watch.id);
  commit.check({ key, versionstamp: stored.revision }).set(key, { watch, claimableAt }, expiry);
  if (isActive(before)) commit.delete(dueKey(stored));
  if (isActive(watch)) commit.set(dueKey(update), hostOf(watch));
  if (before.state !== watch.state) {
    commit.delete(stateKey(before)).set(stateKey(watch), null, expiry);
  }
  if (waitsForPoll(before) && !waitsForPoll(watch)) commit.delete(workspaceKey(before));
}
