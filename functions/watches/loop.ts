/**
 * The loop of the durable watches: claims due watches, takes each one step, saves the result. It is the
 * same for every store. One loop per process keeps the limits of all its sweeps together.
 */
import type { Config } from "../config.ts";
import { HttpProblem } from "../http/problem.ts";
import { writeLogEntry } from "../http/log.ts";
import { Pools } from "./pools.ts";
import { cancelled, countChanges, isActive, newWatch, queueOf, type Watch } from "./state.ts";
import { createStep, maxStepMs, type Step, type StepOptions, type WatchLogEntry } from "./step.ts";
import type {
  NewWatch,
  StoredWatch,
  StoreEngine,
  SweepResult,
  WatchStore,
  WatchUpdate,
} from "./store.ts";
import { callStore, StorePause } from "./store_calls.ts";
import { sleep } from "../../src/internal/deadline.ts";
import { sanitizeText } from "../../src/internal/text.ts";

/** Changes of one watch, each after a conflict with a step. */
const MAX_UPDATE_TRIES = 100;
/** Watches whose process died are found at most this late. */
const MAX_SLEEP_MS = 30_000;
const MIN_SLEEP_MS = 5;
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Delay after which a queue is claimed again that another process was claiming. */
const RECLAIM_MS = 100;

/** Options of {@linkcode WatchLoop}. The store has the clock. */
export type LoopOptions = Omit<StepOptions, "now">;

/** A sweep, or the loop, that starts steps. */
interface Starter {
  /** Cuts off the steps. */
  readonly cutOff?: AbortSignal;
  readonly steps: Set<Promise<void>>;
  polled: number;
  delivered: number;
}

interface PassResult {
  /** Number of due entries found. */
  readonly found: number;
  /** Milliseconds until the next watch is due. */
  readonly wait: number;
}

const NO_STEPS = { polled: 0, delivered: 0 };

function tooManyWatches(maxWatches: number): HttpProblem {
  return new HttpProblem("watches-unavailable", `${maxWatches} watches are open, the maximum`, {
    code: "WATCHES_FULL",
    headers: { "retry-after": "60" },
  });
}

/** Watches in a store. Polls and delivers only while {@linkcode WatchLoop.run} or `sweep` runs. */
export class WatchLoop implements StoreEngine {
  readonly store: WatchStore;
  readonly #config: Config;
  readonly #step: Step;
  readonly #log: (entry: WatchLogEntry) => void;
  readonly #leaseMs: number;
  readonly #pools = new Pools();
  readonly #pause: StorePause;
  readonly #running = new Set<Promise<void>>();
  #pass: Promise<PassResult> | undefined;
  /** `true` if due watches wait for a free slot. */
  #hasBacklog = false;
  #wakeController = new AbortController();
  /** Times on the monotonic clock. */
  #sleepsUntil = -Infinity;
  #wakeAt = Infinity;

  constructor(store: WatchStore, config: Config, options: LoopOptions = {}) {
    const { log = writeLogEntry } = options;
    this.store = store;
    this.#config = config;
    this.#step = createStep(config, { ...options, now: () => store.now() });
    this.#log = log;
    this.#pause = new StorePause(log);
    this.#leaseMs = 2 * maxStepMs(config) + 10_000; // a poll, and the delivery of its event
  }

  async start({ key, ...fields }: NewWatch): Promise<Watch> {
    const create = (id: string) => newWatch({ id, ...fields }, this.store.now());
    const watch = await callStore(() => this.store.start(key, create));
    if (!watch) throw tooManyWatches(this.#config.maxWatches ?? 10_000);
    if (isActive(watch)) this.#wakeBy(watch.dueAt);
    return watch;
  }

  async status(id: string): Promise<Watch | undefined> {
    return (await callStore(() => this.store.get(id)))?.watch;
  }

  async cancel(id: string): Promise<Watch | undefined> {
    return await this.update(id, (watch) => cancelled(watch, this.store.now()));
  }

  async update(id: string, change: (watch: Watch) => Watch): Promise<Watch | undefined> {
    for (let tries = 0; tries < MAX_UPDATE_TRIES; tries++) {
      const stored = await callStore(() => this.store.get(id));
      if (!stored) return undefined;
      const watch = change(stored.watch);
      if (watch === stored.watch) return watch;
      const update = { watch, claimableAt: watch.dueAt };
      if (!await callStore(() => this.store.save(stored, update))) continue;
      if (isActive(watch)) this.#wakeBy(watch.dueAt);
      return watch;
    }
    throw new Error("too many conflicts with other processes");
  }

  async ping(): Promise<void> {
    await this.store.ping();
  }

  async sweep(limit = Infinity): Promise<SweepResult> {
    const cutOff = new AbortController();
    const starter = { cutOff: cutOff.signal, steps: new Set<Promise<void>>(), ...NO_STEPS };
    let resolve = () => {};
    const end = new Promise<void>((it) => resolve = it); // Node 20 lacks Promise.withResolvers
    const timer = limit > MAX_TIMER_MS ? undefined : setTimeout(() => {
      cutOff.abort();
      resolve();
    }, limit);
    try {
      while (!cutOff.signal.aborted) {
        const { found } = await this.#startDue(starter);
        if (found > 0) continue;
        if (this.#running.size === 0) break;
        await Promise.race([end, ...this.#running]);
      }
      await Promise.all(starter.steps);
    } finally {
      clearTimeout(timer);
    }
    const { polled, delivered } = starter;
    return { polled, delivered };
  }

  /** Sweeps whenever a watch is due, until the signal aborts; then waits for the steps in progress. */
  async run(signal: AbortSignal): Promise<void> {
    const starter = { steps: new Set<Promise<void>>(), ...NO_STEPS };
    while (!signal.aborted) {
      this.#wakeController = new AbortController();
      this.#wakeAt = Infinity;
      const pass = await this.#startDue(starter);
      const now = performance.now();
      const wait = Math.min(
        Math.max(MIN_SLEEP_MS, Math.min(pass.wait, this.#wakeAt - now)),
        MAX_SLEEP_MS,
      );
      this.#sleepsUntil = now + wait;
      await sleep(wait, AbortSignal.any([signal, this.#wakeController.signal])).catch(() => {});
      this.#sleepsUntil = -Infinity;
    }
    await Promise.all(this.#running);
  }

  /** Makes `run` look for due watches at the given time, if it would sleep longer. */
  #wakeBy(dueAt: number): void {
    const wait = Math.max(dueAt - this.store.now(), this.#pause.remaining);
    const at = performance.now() + wait;
    this.#wakeAt = Math.min(this.#wakeAt, at);
    if (at < this.#sleepsUntil) this.#wakeController.abort();
  }

  /** Starts the due steps for which there are slots. Concurrent callers share one pass. */
  #startDue(starter: Starter): Promise<PassResult> {
    return this.#pass ??= this.#tryStartDue(starter).finally(() => this.#pass = undefined);
  }

  async #tryStartDue(starter: Starter): Promise<PassResult> {
    if (this.#pause.remaining > 0) return { found: 0, wait: this.#pause.remaining };
    try {
      let found = 0;
      let wait = Infinity;
      this.#hasBacklog = false;
      for (const [queue, dueAt] of await callStore(() => this.store.nextDueAt())) {
        const dueIn = dueAt - this.store.now();
        const claimed = dueIn <= 0 ? await this.#claim(queue, starter) : undefined;
        found += claimed ?? 0;
        if (dueIn > 0) wait = Math.min(wait, dueIn);
        else if (claimed === 0) wait = Math.min(wait, RECLAIM_MS);
      }
      this.#pause.reset();
      return { found, wait: found > 0 ? 0 : wait };
    } catch (error) {
      this.#pause.handleFailure(error);
      return { found: 0, wait: this.#pause.remaining };
    }
  }

  /**
   * Claims due watches of a queue and starts their steps. Returns the number of entries found, or
   * `undefined` if no slot is free.
   */
  async #claim(queue: string, starter: Starter): Promise<number | undefined> {
    const slots = starter.cutOff?.aborted ? 0 : this.#pools.reserve(queue);
    if (slots === 0) {
      this.#hasBacklog = true;
      return undefined;
    }
    let unused = slots;
    try {
      const options = { queue, limit: slots, leaseMs: this.#leaseMs };
      const { claimed, found, unreadable } = await callStore(() => this.store.claim(options));
      for (const id of unreadable) this.#logUnreadable(id);
      for (const stored of claimed) {
        unused--;
        this.#track(starter, this.#process(stored, starter));
      }
      return found;
    } finally {
      this.#pools.release(queue, unused);
    }
  }

  #logUnreadable(id: string): void {
    const error = "watches: the stored state is unreadable and was set aside";
    this.#log({ time: new Date(this.store.now()).toISOString(), watch: sanitizeText(id), error });
  }

  #track({ steps }: Starter, work: Promise<void>): void {
    const step = work.finally(() => {
      this.#running.delete(step);
      steps.delete(step);
    });
    this.#running.add(step);
    steps.add(step);
  }

  /** Takes a claimed watch to its next wait. Never rejects. */
  async #process(claimed: StoredWatch, starter: Starter): Promise<void> {
    let stored: StoredWatch | undefined = claimed;
    let slot: string | undefined = queueOf(claimed.watch);
    try {
      while (stored && slot !== undefined) {
        const before = stored;
        const { watch, timedOut } = await this.#step(before.watch, starter.cutOff);
        starter.polled += watch.polls - before.watch.polls;
        starter.delivered += countChanges(before.watch, watch).delivered;
        this.#pools.setSlow(slot, timedOut);
        const next = starter.cutOff?.aborted ? undefined : this.#nextSlot(watch);
        // the event is saved before it is delivered
        const claimableAt = next === undefined ? watch.dueAt : claimed.claimableAt;
        try {
          stored = await this.#save(before, { watch, claimableAt, timedOut });
        } finally {
          this.#release(slot);
          slot = next;
        }
        if (stored && isActive(watch) && slot === undefined) this.#wakeBy(watch.dueAt);
      }
    } catch (error) {
      this.#pause.handleFailure(error);
    } finally {
      if (slot !== undefined) this.#release(slot);
    }
  }

  /** Saves the result of a step; tries again while the lease lasts, so that no event is sent twice. */
  async #save(stored: StoredWatch, update: WatchUpdate): Promise<StoredWatch | undefined> {
    for (;;) {
      try {
        return await callStore(() => this.store.save(stored, update));
      } catch (error) {
        this.#pause.handleFailure(error);
        const wait = this.#pause.remaining;
        if (this.store.now() + wait >= stored.claimableAt) throw error;
        await sleep(wait);
      }
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
    if (this.#hasBacklog) this.#wakeBy(this.store.now());
  }
}
