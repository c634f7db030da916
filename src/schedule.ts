/** When to poll next: fixed, adaptive, `Retry-After`. Pure; it holds no timers. */
import { outOfRange } from "./internal/text.ts";

export { parseRetryAfter } from "./internal/retry_after.ts";

/** The longest single wait: timers overflow beyond 24.8 days, and nobody waits a day for a poll. */
export const MAX_WAIT_MS = 86_400_000;

/** What {@linkcode pollDelay} goes by. */
export interface PollState {
  /** Milliseconds since the task was created, or since the first poll; see `elapsedTime`. */
  elapsed: number;
  /** What the server asked for, in milliseconds. */
  retryAfter?: number | undefined;
  /**
   * The jitter: a number in [0, 1), or a function that gives one.
   *
   * @default Math.random
   */
  random?: number | (() => number);
}

/**
 * The adaptive schedule: a tenth of the task's run time so far, from 2 to 60 seconds, times a jitter
 * of 1 to 1.1, and never less than what the server asked for. So the end is seen at most 11 % of the
 * run time + 2.2 s late.
 *
 * @returns milliseconds until the next poll
 *
 * @example
 * ```ts
 * import { pollDelay } from "@deepint/task";
 *
 * console.log(pollDelay({ elapsed: 100_000, random: 0 })); // 10000
 * ```
 */
export function pollDelay(state: PollState): number {
  const { elapsed, retryAfter, random = Math.random } = state;
  const jitter = 1 + 0.1 * (typeof random === "number" ? random : random());
  // `|| 0`: what is no number must not become a timer that is none
  return Math.max(Math.min(Math.max(0.1 * elapsed || 0, 2_000), 60_000) * jitter, retryAfter || 0);
}

/** How often to ask: a fixed number of milliseconds, or the adaptive schedule. */
export type PollInterval = number | "adaptive";

/**
 * Checks a poll interval.
 *
 * @throws {RangeError} when it is no number of milliseconds from 250 to a day, nor `"adaptive"`
 */
export function checkPollInterval(interval: PollInterval): void {
  if (interval === "adaptive") return;
  if (typeof interval === "number" && interval >= 250 && interval <= MAX_WAIT_MS) return;
  throw outOfRange(
    "pollInterval",
    interval,
    `"adaptive" or a number of milliseconds from 250 to ${MAX_WAIT_MS}`,
  );
}

/** Milliseconds until the next poll, by whichever schedule. */
export function nextDelay(interval: PollInterval, state: PollState): number {
  return interval === "adaptive" ? pollDelay(state) : Math.max(interval, state.retryAfter || 0);
}
