/** The delay before the next poll: fixed, adaptive, `Retry-After`. Pure, without timers. */
import { outOfRange } from "./internal/text.ts";

/** The longest delay, one day. Timers overflow after 24.8 days. */
export const MAX_WAIT_MS = 86_400_000;

/** Input of {@linkcode pollDelay}. */
export interface PollState {
  /** Milliseconds since the task was created, or since the first poll. */
  elapsed: number;
  /** Minimum delay that the server asked for, in milliseconds. */
  retryAfter?: number | undefined;
  /**
   * The jitter: a number in [0, 1), or a function that returns one.
   *
   * @default Math.random
   */
  random?: number | (() => number);
}

/**
 * Returns the delay before the next poll on the adaptive schedule: a tenth of the task's run time, from 2
 * to 60 seconds, multiplied by a jitter of 1 to 1.1, and at least what the server asked for. The end of
 * a task is seen at most 11 % of its run time + 2.2 s late.
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
  // `|| 0` turns NaN into 0; a NaN timer would fire immediately
  return Math.max(Math.min(Math.max(0.1 * elapsed || 0, 2_000), 60_000) * jitter, retryAfter || 0);
}

/** Milliseconds between polls, or `"adaptive"` (see {@linkcode pollDelay}). */
export type PollInterval = number | "adaptive";

/**
 * Checks a poll interval.
 *
 * @throws {RangeError} when it is neither 250 to 86,400,000 milliseconds nor `"adaptive"`
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
