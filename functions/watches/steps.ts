/** The steps in progress of one process: their slots, their saves and the lists that replace polls. */
import type { Config } from "../config.ts";
import { ListPolls } from "./list_polls.ts";
import { Pools } from "./pools.ts";
import { countChanges, isActive, POLLS, queueOf, type Watch } from "./state.ts";
import { createSettingsCheck, createStep, type Step, type StepOptions } from "./step.ts";
import type { StoredWatch, WatchStore, WatchUpdate } from "./store.ts";
import { callStore, type StorePause } from "./store_calls.ts";
import { sleep } from "../../src/internal/deadline.ts";

/** Workspaces that wait for their list; no more watches are claimed meanwhile. */
const MAX_READY_LISTS = 256;

/** A sweep, or the loop, that starts steps. */
export interface Starter {
  /** Cuts off the steps. @default never */
  readonly cutOff?: AbortSignal;
  /** Its steps in progress. */
  readonly steps: Set<Promise<void>>;
  /** Number of polls. */
  polled: number;
  /** Number of accepted events. */
  delivered: number;
}

/** Options of {@linkcode Steps}. */
export interface StepsOptions extends Omit<StepOptions, "now"> {
  store: WatchStore;
  /** Handles failures of the store. */
  pause: StorePause;
  /** Receives the time at which a watch is due next. */
  onDue: (dueAt: number) => void;
}

/** Options of {@linkcode Steps.start}. */
export interface StartOptions {
  queue: string;
  /** Number of reserved slots. */
  slots: number;
  starter: Starter;
}

/** Steps in progress. Nothing else takes slots, so that all sweeps together keep the limits. */
export class Steps {
  readonly #store: WatchStore;
  readonly #pause: StorePause;
  readonly #onDue: (dueAt: number) => void;
  readonly #step: Step;
  readonly #pools = new Pools();
  readonly #lists: ListPolls;
  /** Every step in progress. */
  readonly running = new Set<Promise<void>>();
  /** `true` if due watches wait for a free slot. */
  hasBacklog = false;

  constructor(config: Config, { pause, onDue, ...options }: StepsOptions) {
    const { store } = options;
    this.#store = store;
    this.#pause = pause;
    this.#onDue = onDue;
    this.#step = createStep(config, { ...options, now: () => store.now() });
    const checkSettings = createSettingsCheck(config);
    const isAllowed = (watch: Watch) => checkSettings(watch) === undefined;
    this.#lists = new ListPolls(config, { ...options, isAllowed, onDue });
  }

  /** Returns the time of the first poll of a new watch. */
  firstPollAt(watch: Pick<Watch, "instance" | "ids">): number {
    return this.#lists.firstPollAt(watch);
  }

  /** Takes the free slots of a queue and returns their number. */
  reserve(queue: string): number {
    const slots = this.#pools.reserve(queue);
    if (slots === 0) this.hasBacklog = true;
    return slots;
  }

  /**
   * Starts the steps of claimed watches, each with a reserved slot. Releases the slots that it does not
   * use, and returns the number of those that it uses.
   */
  start(claimed: readonly StoredWatch[], { queue, slots, starter }: StartOptions): number {
    const single = queue === POLLS ? this.#lists.hold(claimed) : claimed;
    this.#pools.release(queue, slots - single.length);
    for (const stored of single) this.#track(starter, this.#process(stored, starter));
    return single.length;
  }

  /** `true` if so many workspaces wait for their list that their leases may end before it is read. */
  get hasEnoughLists(): boolean {
    return this.#lists.ready().length > MAX_READY_LISTS;
  }

  /** Starts to read the lists of workspaces that have due watches. */
  startLists(starter: Starter): void {
    for (const workspace of this.#lists.ready()) {
      if (this.#pools.reserve(POLLS, 1) === 0) {
        this.hasBacklog = true;
        return;
      }
      const work = this.#lists.poll(workspace, starter.cutOff)
        .then((polls) => void (starter.polled += polls))
        .catch((error) => this.#pause.handleFailure(error))
        .finally(() => this.#release(POLLS));
      this.#track(starter, work);
    }
  }

  #track({ steps }: Starter, work: Promise<void>): void {
    const step = work.finally(() => {
      this.running.delete(step);
      steps.delete(step);
    });
    this.running.add(step);
    steps.add(step);
  }

  /** Takes the due steps of a claimed watch, and saves each. Never rejects. */
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
          stored = await this.#save(before, { watch, claimableAt, timedOut }, starter.cutOff);
          this.#lists.forget(watch);
        } finally {
          this.#release(slot);
          slot = next;
        }
        if (stored && isActive(watch) && slot === undefined) this.#onDue(watch.dueAt);
      }
    } catch (error) {
      this.#pause.handleFailure(error);
    } finally {
      if (slot !== undefined) this.#release(slot);
    }
  }

  /** Saves the result of a step; tries again until the lease ends, so that no event is sent twice. */
  async #save(
    stored: StoredWatch,
    update: WatchUpdate,
    cutOff: AbortSignal | undefined,
  ): Promise<StoredWatch | undefined> {
    for (;;) {
      try {
        return await callStore(() => this.#store.save(stored, update));
      } catch (error) {
        this.#pause.handleFailure(error);
        const wait = this.#pause.remaining;
        if (cutOff?.aborted || this.#store.now() + wait >= stored.claimableAt) throw error;
        await sleep(wait, cutOff).catch(() => {}); // cut off: tries once more
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
    if (this.hasBacklog) this.#onDue(this.#store.now());
  }
}
