/** The poll loop of `watch()` and `resolve()`, and which failures it tolerates. */
import { DeepintTaskError, DeepintTimeoutError } from "./errors.ts";
import {
  checkRequestOptions,
  isTransient,
  type RequestOptions,
  type TransientError,
} from "./request.ts";
import { checkPollInterval, MAX_WAIT_MS, pollDelay, type PollInterval } from "./schedule.ts";
import type { Task } from "./task.ts";
import { isInProgress, type TaskInfo, TaskStatus } from "./task_info.ts";
import type { WatchOptions } from "./task_options.ts";
import { type Clock, startAge, startClock } from "./internal/clock.ts";
import { sleep } from "./internal/deadline.ts";
import { quote, sanitizeText } from "./internal/text.ts";

/** Minimum number of failed polls in a row before a wait rejects. */
const MIN_FAILED_POLLS = 6;
/** Minimum duration of an outage before a wait rejects. Both minimums must be reached. */
const OUTAGE_MS = 120_000;
const MAX_POLL_BACKOFF_MS = 60_000;
/** The last poll is made this long before the deadline. */
const LAST_POLL_MS = 1_000;
/** A deadline that is missed by more than this was missed because the process was suspended. */
export const SUSPENDED_MS = 1_000;

/** The part of a task's private state that polling reads. */
export interface TaskState {
  /** `true` if the information lacks what only a load returns. */
  readonly partial: boolean;
  /** Time of the last load on the monotonic clock; `-Infinity` without one. */
  readonly loadedAt: number;
  /** Loads the task as a poll of a wait that `clock` measures. */
  poll(options: RequestOptions, clock: Clock): Promise<void>;
}

/** Options of {@linkcode pollTask}. */
export interface PollTaskOptions extends WatchOptions {
  signal: AbortSignal;
  /** Returns the task's current private state. */
  state: () => TaskState;
  /** Rejects when the status is unknown. */
  raiseOnUnknown: boolean;
}

/** Returns `true` if status, progress or subtask differ. */
export function hasChanged(a: TaskInfo, b: TaskInfo): boolean {
  return a.rawStatus !== b.rawStatus || a.progress !== b.progress || a.subtask !== b.subtask;
}

/**
 * Checks the options of a wait.
 *
 * @throws {RangeError} when one is out of range
 */
export function checkWatchOptions(options: WatchOptions): void {
  const { pollInterval = 3_000 } = options;
  checkPollInterval(pollInterval);
  checkRequestOptions(options);
}

/** Calls `onProgress`; an error that it throws, or rejects with, is only logged. */
export function notifyProgress<T>(onProgress: (value: T) => void, value: T): void {
  // async, so that a returned promise is caught as well; the call still begins immediately
  (async () => await onProgress(value))().catch((error) => {
    // deno-lint-ignore no-console -- `reportError` would end a Deno process
    console.error("onProgress failed:", error);
  });
}

/** Creates the text that names a task in a message. */
export function taskLabel(task: Task, info: TaskInfo = task.info): string {
  return `Task (${task.taskId}) ${sanitizeText(info.name ?? "")}`.trim();
}

/** Creates the error of a task; `problem` follows the task's name in the message. */
export function taskError(
  task: Task,
  code: string,
  { problem, info = task.info }: { problem: string; info?: TaskInfo },
): DeepintTaskError {
  const message = `${taskLabel(task, info)} ${problem}`;
  return new DeepintTaskError(sanitizeText(code), message, { task, info });
}

/** Creates the error of a wait whose deadline has passed, or is earlier than `retryAfter` allows. */
export function timeoutError(task: Task, clock: Clock, retryAfter?: number): DeepintTimeoutError {
  const elapsed = clock.elapsedWithSleep();
  const { info } = task;
  const asked = retryAfter ? `, the server asks to wait ${retryAfter} ms` : "";
  const state = `is still running after ${elapsed} ms (status ${info.status}${asked})`;
  const message = `${taskLabel(task)} ${state}; call resolve() again to keep waiting`;
  return new DeepintTimeoutError(message, { elapsed, info, retryAfter });
}

/** Input of {@linkcode PollSchedule.next}. */
export interface NextPoll {
  /** Creation time of the task. */
  readonly created: Date | null;
  /** Milliseconds until the deadline. */
  readonly remaining: number;
  /** Minimum delay that the server asked for, in milliseconds. */
  readonly pause?: number | undefined;
  /** Milliseconds of the interval that have passed. */
  readonly past?: number;
  /** The jitter, from 0 to 1. */
  readonly random?: number | undefined;
}

/** The time of the next poll: its interval, the back-off, and the last poll before the deadline. */
export class PollSchedule {
  readonly #interval: PollInterval;
  readonly #age: (created: Date | null) => number;
  /** Failed polls in a row. */
  #failures = 0;
  #firstFailureAt = 0;
  /** `true` once the last poll before the deadline is scheduled. */
  #isLast = false;

  constructor(interval: PollInterval, clock: Clock) {
    this.#interval = interval;
    this.#age = startAge(clock);
  }

  /** `true` if the last poll failed. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  /** Records a failed poll that began at `startedAt`; returns `true` if polling must end. */
  addFailure(startedAt: number): boolean {
    if (this.#failures++ === 0) this.#firstFailureAt = performance.now();
    return this.#failures >= MIN_FAILED_POLLS && startedAt - this.#firstFailureAt >= OUTAGE_MS;
  }

  /** Records a success. */
  reset(): void {
    this.#failures = 0;
  }

  /** Returns the milliseconds between two polls, doubled after each failure but the first. */
  interval(created: Date | null, random: number = Math.random()): number {
    const elapsed = this.#age(created);
    const interval = this.#interval === "adaptive"
      ? pollDelay({ elapsed, random })
      : this.#interval;
    return Math.max(interval, Math.min(interval * 2 ** (this.#failures - 1), MAX_POLL_BACKOFF_MS));
  }

  /** Returns the milliseconds until the next poll; `Infinity` if none fits before the deadline. */
  next({ created, remaining, pause = 0, past = 0, random }: NextPoll): number {
    // timers count whole milliseconds: one that fires a fraction early would spin
    const delay = Math.max(pause, Math.ceil(this.interval(created, random) - past), 0);
    if (delay < remaining) return delay;
    const last = Math.max(pause, Math.ceil(remaining - Math.min(LAST_POLL_MS, remaining / 2)));
    if (this.#isLast || last >= remaining) return Infinity;
    this.#isLast = true;
    return last;
  }
}

/** A wait for one task. */
class TaskWait {
  readonly #task: Task;
  readonly #options: PollTaskOptions;
  readonly #clock: Clock;
  readonly #schedule: PollSchedule;
  #failure: TransientError | undefined;
  /** `true` if the next poll is the one after a suspension past the deadline. */
  #isFinal = false;

  constructor(task: Task, options: PollTaskOptions) {
    this.#task = task;
    this.#options = options;
    this.#clock = startClock(options.timeout);
    this.#schedule = new PollSchedule(options.pollInterval ?? 3_000, this.#clock);
  }

  async *run(): AsyncGenerator<TaskInfo, void, void> {
    const { state } = this.#options;
    const task = this.#task;
    const { created, rawStatus, status } = task.info;
    const age = performance.now() - state().loadedAt;
    const isOld = age > Math.max(this.#schedule.interval(created), task.retryAfter ?? 0);
    const isKnown = !state().partial && rawStatus !== null && !(status === "unknown" && isOld);
    let shown = isKnown ? task.info : undefined;
    let isDue = isOld || !shown;
    if (shown) yield this.#assertKnown(shown);
    while (!shown || isInProgress(shown.status)) {
      if (!isDue && !this.#isFinal) await this.#sleep();
      isDue = false;
      if (this.#remaining() <= 0) this.#expire();
      const isFinal = this.#isFinal;
      // another call may have seen the end in the meantime
      if (state().partial || !TaskStatus.isTerminal(task.info.status)) await this.#poll();
      const { info } = task;
      if (!this.#failure && info.rawStatus !== null && (!shown || hasChanged(shown, info))) {
        shown = info;
        yield this.#assertKnown(shown);
      }
      if (isFinal && (!shown || isInProgress(shown.status))) {
        throw timeoutError(this.#task, this.#clock);
      }
    }
  }

  #remaining(): number {
    return this.#isFinal ? Infinity : this.#clock.remaining();
  }

  /** Sleeps until the next poll, or the last one that fits, or the deadline. */
  async #sleep(): Promise<void> {
    const { signal } = this.#options;
    const { retryAfter: pause = 0 } = this.#failure ?? this.#task;
    const remaining = this.#remaining();
    if (pause > Math.min(remaining, MAX_WAIT_MS)) {
      throw this.#failure ?? timeoutError(this.#task, this.#clock, pause);
    }
    const delay = this.#schedule.next({ created: this.#task.info.created, remaining, pause });
    await sleep(Math.min(delay, remaining), signal);
    if (delay >= remaining) return this.#expire();
    this.#isFinal = this.#clock.remaining() <= 0; // suspended: the sleep would have ended before
  }

  /** Ends the wait at its deadline; after a suspension, one more poll is made first. */
  #expire(): void {
    this.#isFinal = this.#clock.remaining() < -SUSPENDED_MS;
    if (!this.#isFinal) throw timeoutError(this.#task, this.#clock);
  }

  async #poll(): Promise<void> {
    const { state, ...options } = this.#options;
    const startedAt = performance.now();
    this.#failure = undefined;
    try {
      await state().poll({ ...options, timeout: this.#remaining(), retries: 0 }, this.#clock);
      this.#schedule.reset();
    } catch (error) {
      if (error instanceof DeepintTimeoutError && !error.retryable) return this.#expire();
      if (!isTransient(error) || this.#schedule.addFailure(startedAt)) throw error;
      this.#failure = error;
    }
  }

  #assertKnown(info: TaskInfo): TaskInfo {
    if (info.status !== "unknown" || !this.#options.raiseOnUnknown) return info;
    const problem = `has the unknown status ${quote(info.rawStatus)}; it may still be running`;
    throw taskError(this.#task, "TASK_STATUS_UNKNOWN", { problem, info });
  }
}

/** Polls a task: yields its current information, then again on each change, until the wait ends. */
export function pollTask(
  task: Task,
  options: PollTaskOptions,
): AsyncGenerator<TaskInfo, void, void> {
  return new TaskWait(task, options).run();
}
