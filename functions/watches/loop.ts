/**
 * The loop of the durable watches: claims due watches, takes each one step, saves the result. It is the
 * same for every store. One loop per process keeps the limits of all its sweeps together.
 */
import type { Config } from "../config.ts";
import { HttpProblem } from "../http/problem.ts";
import { writeLogEntry } from "../http/log.ts";
import { Alarm } from "./alarm.ts";
import { cancelled, isActive, newWatch, type Watch } from "./state.ts";
import { maxStepMs, type StepOptions, type WatchLogEntry } from "./step.ts";
import type { NewWatch, StoreEngine, SweepResult, WatchStore } from "./store.ts";
import { type Starter, type StartOptions, Steps } from "./steps.ts";
import { callStore, StorePause } from "./store_calls.ts";
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

interface PassResult {
  /** Number of due entries found. */
  readonly found: number;
  /** Milliseconds until the next watch is due. */
  readonly wait: number;
}

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
  readonly #log: (entry: WatchLogEntry) => void;
  readonly #leaseMs: number;
  readonly #pause: StorePause;
  readonly #alarm = new Alarm();
  readonly #steps: Steps;
  #pass: Promise<PassResult> | undefined;

  constructor(store: WatchStore, config: Config, options: LoopOptions = {}) {
    const { log = writeLogEntry } = options;
    this.store = store;
    this.#config = config;
    this.#log = log;
    this.#leaseMs = 2 * maxStepMs(config) + 10_000; // a poll, and the delivery of its event
    const pause = this.#pause = new StorePause(log);
    const onDue = (dueAt: number) => this.#wakeBy(dueAt);
    this.#steps = new Steps(config, { ...options, store, pause, onDue });
  }

  async start({ key, ...fields }: NewWatch): Promise<Watch> {
    const create = (id: string) => ({
      ...newWatch({ id, ...fields }, this.store.now()),
      dueAt: this.#steps.firstPollAt(fields), // not before: the store may learn its clock first
    });
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
    const starter: Starter = { cutOff: cutOff.signal, steps: new Set(), polled: 0, delivered: 0 };
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
        if (this.#steps.running.size === 0) break;
        await Promise.race([end, ...this.#steps.running]);
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
    const starter: Starter = { steps: new Set(), polled: 0, delivered: 0 };
    while (!signal.aborted) {
      this.#alarm.reset();
      const { wait } = await this.#startDue(starter);
      this.#alarm.wakeIn(wait);
      await this.#alarm.sleep({ min: MIN_SLEEP_MS, max: MAX_SLEEP_MS, signal });
    }
    await Promise.all(this.#steps.running);
  }

  /** Makes `run` look for due watches at the given time, if it would sleep longer. */
  #wakeBy(dueAt: number): void {
    this.#alarm.wakeIn(Math.max(dueAt - this.store.now(), this.#pause.remaining));
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
      this.#steps.hasBacklog = false;
      for (const [queue, dueAt] of await callStore(() => this.store.nextDueAt())) {
        const dueIn = dueAt - this.store.now();
        const claimed = dueIn <= 0 ? await this.#claimDue(queue, starter) : undefined;
        found += claimed ?? 0;
        if (dueIn > 0) wait = Math.min(wait, dueIn);
        else if (claimed === 0) wait = Math.min(wait, RECLAIM_MS);
      }
      this.#steps.startLists(starter);
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
  async #claimDue(queue: string, starter: Starter): Promise<number | undefined> {
    let total: number | undefined;
    for (;;) {
      const slots = starter.cutOff?.aborted ? 0 : this.#steps.reserve(queue);
      if (slots === 0) return total;
      const { found, started } = await this.#claim({ queue, slots, starter });
      total = (total ?? 0) + found;
      // those that a list polls use no slot: claim all of them before the list is read
      if (found < slots || started === slots || this.#steps.hasEnoughLists) return total;
    }
  }

  async #claim(options: StartOptions): Promise<{ found: number; started: number }> {
    const { queue, slots: limit } = options;
    try {
      const claim = { queue, limit, leaseMs: this.#leaseMs };
      const { claimed, found, unreadable } = await callStore(() => this.store.claim(claim));
      for (const id of unreadable) this.#logUnreadable(id);
      return { found, started: this.#steps.start(claimed, options) };
    } catch (error) {
      this.#steps.start([], options); // releases the slots
      throw error;
    }
  }

  #logUnreadable(id: string): void {
    const error = "watches: the stored state is unreadable and was set aside";
    this.#log({ time: new Date(this.store.now()).toISOString(), watch: sanitizeText(id), error });
  }
}
