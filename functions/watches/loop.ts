/**
 * The loop of the durable watches: claims due watches, takes each one step, saves the result. It is the
 * same for every store. One loop per process keeps the limits of all its sweeps together.
 */
import type { Config } from "../config.ts";
import { HttpProblem } from "../http/problem.ts";
import { writeLogEntry } from "../http/log.ts";
import { Pools } from "./pools.ts";
import { cancelled, isActive, newWatch, queueOf, type Watch } from "./state.ts";
import { createStep, maxStepMs, type Step, type StepOptions, type WatchLogEntry } from "./step.ts";
import type { NewWatch, StoredWatch, WatchEngine, WatchStore } from "./store.ts";
import { sleep } from "../../src/internal/deadline.ts";
import { sanitizeText } from "../../src/internal/text.ts";

/** Cancellations of one watch, each after a conflict with a step. */
const MAX_UPDATE_TRIES = 100;
/** Watches whose process died are found at most this late. */
const MAX_SLEEP_MS = 30_000;
const MIN_SLEEP_MS = 5;
/** Delay after which a queue is claimed again that another process was claiming. */
const RECLAIM_MS = 100;
/** Delays after failures of the store. */
const MIN_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;
const LOG_INTERVAL_MS = 1_000;

/** Options of {@linkcode WatchLoop}. The store has the clock. */
export type LoopOptions = Omit<StepOptions, "now">;

interface PassResult {
  /** Number of due entries found. */
  found: number;
  /** Time at which the next watch is due. */
  nextAt: number;
}

function tooManyWatches(maxWatches: number): HttpProblem {
  return new HttpProblem("watches-unavailable", `${maxWatches} watches are open, the maximum`, {
    code: "WATCHES_FULL",
    headers: { "retry-after": "60" },
  });
}

/** Watches in a store. Polls and delivers only while {@linkcode WatchLoop.run} or `sweep` runs. */
export class WatchLoop implements WatchEngine {
  readonly #store: WatchStore;
  readonly #config: Config;
  readonly #step: Step;
  readonly #log: (entry: WatchLogEntry) => void;
  readonly #leaseMs: number;
  readonly #pools = new Pools();
  readonly #running = new Set<Promise<void>>();
  #pass: Promise<PassResult> | undefined;
  /** `true` if due watches wait for a free slot. */
  #hasBacklog = false;
  #failures = 0;
  #pausedUntil = -Infinity;
  #loggedAt = -Infinity;
  #wakeController = new AbortController();
  #sleepsUntil = -Infinity;
  #wakeAt = Infinity;

  constructor(store: WatchStore, config: Config, options: LoopOptions = {}) {
    const { log = writeLogEntry } = options;
    this.#store = store;
    this.#config = config;
    this.#step = createStep(config, { ...options, now: () => store.now() });
    this.#log = log;
    this.#leaseMs = 2 * maxStepMs(config) + 10_000; // a poll, and the delivery of its event
  }

  async start({ key, ...fields }: NewWatch): Promise<Watch> {
    const create = (id: string) => newWatch({ id, ...fields }, this.#store.now());
    const watch = await this.#store.start(key, create);
    if (!watch) throw tooManyWatches(this.#config.maxWatches ?? 10_000);
    if (isActive(watch)) this.#wakeBy(watch.dueAt);
    return watch;
  }

  async status(id: string): Promise<Watch | undefined> {
    return (await this.#store.get(id))?.watch;
  }

  async cancel(id: string): Promise<Watch | undefined> {
    for (let tries = 0; tries < MAX_UPDATE_TRIES; tries++) {
      const stored = await this.#store.get(id);
      if (!stored || !isActive(stored.watch)) return stored?.watch;
      const watch = cancelled(stored.watch, this.#store.now());
      if (await this.#store.save(stored, { ...stored, watch })) return watch;
    }
    throw new Error("too many conflicts with other processes");
  }

  async ping(): Promise<void> {
    await this.#store.ping();
  }

  /**
   * Takes the steps that are due, including those that become due meanwhile.
   *
   * @param until time after which no step starts, in ms since 1970
   */
  async sweep(until = Infinity): Promise<void> {
    while (this.#store.now() < until) {
      const { found } = await this.#startDue();
      if (found > 0) continue;
      if (this.#running.size === 0) return;
      await Promise.race(this.#running);
    }
    await Promise.all(this.#running);
  }

  /** Sweeps whenever a watch is due, until the signal aborts; then waits for the steps in progress. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wakeController = new AbortController();
      this.#wakeAt = Infinity;
      const { nextAt } = await this.#startDue();
      const dueIn = Math.min(nextAt, this.#wakeAt) - this.#store.now();
      const wait = Math.min(Math.max(MIN_SLEEP_MS, dueIn), MAX_SLEEP_MS);
      this.#sleepsUntil = this.#store.now() + wait;
      await sleep(wait, AbortSignal.any([signal, this.#wakeController.signal])).catch(() => {});
      this.#sleepsUntil = -Infinity;
    }
    await Promise.all(this.#running);
  }

  /** Makes `run` look for due watches at the given time, if it would sleep longer. */
  #wakeBy(dueAt: number): void {
    const at = Math.max(dueAt, this.#pausedUntil);
    this.#wakeAt = Math.min(this.#wakeAt, at);
    if (at < this.#sleepsUntil) this.#wakeController.abort();
  }

  /** Starts the due steps for which there are slots. Concurrent callers share one pass. */
  #startDue(): Promise<PassResult> {
    return this.#pass ??= this.#tryStartDue().finally(() => this.#pass = undefined);
  }

  async #tryStartDue(): Promise<PassResult> {
    if (this.#store.now() < this.#pausedUntil) return { found: 0, nextAt: this.#pausedUntil };
    try {
      let found = 0;
      let nextAt = Infinity;
      this.#hasBacklog = false;
      for (const [queue, dueAt] of await this.#store.nextDueAt()) {
        if (dueAt > this.#store.now()) {
          nextAt = Math.min(nextAt, dueAt);
          continue;
        }
        const claimed = await this.#claim(queue);
        found += claimed ?? 0;
        if (claimed === 0) nextAt = Math.min(nextAt, this.#store.now() + RECLAIM_MS);
      }
      this.#failures = 0;
      return { found, nextAt: found > 0 ? this.#store.now() : nextAt };
    } catch (error) {
      this.#handleFailure(error);
      return { found: 0, nextAt: this.#pausedUntil };
    }
  }

  /**
   * Claims due watches of a queue and starts their steps. Returns the number of entries found, or
   * `undefined` if no slot is free.
   */
  async #claim(queue: string): Promise<number | undefined> {
    const slots = this.#pools.reserve(queue);
    if (slots === 0) {
      this.#hasBacklog = true;
      return undefined;
    }
    let unused = slots;
    try {
      const options = { queue, limit: slots, leaseMs: this.#leaseMs };
      const { claimed, found, unreadable } = await this.#store.claim(options);
      for (const id of unreadable) {
        const error = "watches: the stored state is unreadable and was set aside";
        const time = new Date(this.#store.now()).toISOString();
        this.#log({ time, watch: sanitizeText(id), error });
      }
      for (const stored of claimed) {
        unused--;
        const step = this.#process(stored).finally(() => this.#running.delete(step));
        this.#running.add(step);
      }
      return found;
    } finally {
      this.#pools.release(queue, unused);
    }
  }

  /** Takes a claimed watch to its next wait. Never rejects. */
  async #process(claimed: StoredWatch): Promise<void> {
    let stored: StoredWatch | undefined = claimed;
    let slot: string | undefined = queueOf(claimed.watch);
    try {
      while (stored && slot !== undefined) {
        const { watch, timedOut } = await this.#step(stored.watch);
        this.#pools.setSlow(slot, timedOut);
        const next = this.#nextSlot(watch);
        // the event is saved before it is delivered
        const claimableAt = next === undefined ? watch.dueAt : claimed.claimableAt;
        try {
          stored = await this.#store.save(stored, { watch, claimableAt, timedOut });
        } finally {
          this.#release(slot);
          slot = next;
        }
        if (stored && isActive(watch) && slot === undefined) this.#wakeBy(watch.dueAt);
      }
    } catch (error) {
      this.#handleFailure(error);
    } finally {
      if (slot !== undefined) this.#release(slot);
    }
  }

  /** Reserves a slot for a step that is due immediately; `undefined` if it must wait. */
  #nextSlot(watch: Watch): string | undefined {
    if (!isActive(watch) || watch.dueAt > watch.updatedAt) return undefined;
    const queue = queueOf(watch);
    return this.#pools.reserve(queue, 1) === 1 ? queue : undefined;
  }

  #release(queue: string): void {
    this.#pools.release(queue);
    if (this.#hasBacklog) this.#wakeBy(this.#store.now());
  }

  /** Pauses the loop after a failure of the store, twice as long after each failure in a row. */
  #handleFailure(error: unknown): void {
    const now = this.#store.now();
    if (now >= this.#pausedUntil) {
      const delay = Math.min(MIN_BACKOFF_MS * 2 ** this.#failures++, MAX_BACKOFF_MS);
      this.#pausedUntil = now + delay;
    }
    if (now < this.#loggedAt + LOG_INTERVAL_MS) return;
    this.#loggedAt = now;
    const message = sanitizeText(`watches: ${error instanceof Error ? error.message : "failed"}`);
    this.#log({ time: new Date(now).toISOString(), error: message });
  }
}
