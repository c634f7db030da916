// Not AbortSignal.any: Vercel's edge runtime lacks it, and src/ imports no package.
/** Deadlines and sleeping: the only timers of the package. */
import { outOfRange } from "./text.ts";

const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Checks a number of milliseconds.
 *
 * @throws {RangeError} when it is negative or not a number
 */
export function checkDuration(name: string, ms: number): void {
  if (typeof ms === "number" && ms >= 0) return;
  throw outOfRange(name, ms, "a number of milliseconds, 0 or more");
}

/** Options of {@linkcode withTimeout}. */
export interface WithTimeoutOptions<T> {
  /** Deadline in milliseconds. */
  ms: number;
  /** Rejects immediately with the signal's reason when it aborts. @default none */
  signal?: AbortSignal | undefined;
  /** Returns the result, or throws the error, to settle with when the deadline passes. */
  onTimeout: () => T;
}

/**
 * Runs `work` with a deadline. When it passes, resolves with the result of `onTimeout`, or rejects with
 * what it throws. On a timeout or an abort, the signal passed to `work` aborts too; the result does not
 * depend on whether `work` listens. The timer is always cleared.
 */
export function withTimeout<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { ms, signal, onTimeout }: WithTimeoutOptions<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const controller = new AbortController();
    // first: if it throws, there is nothing to clear yet
    const working = signal?.aborted ? undefined : work(controller.signal);
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    const stop = (reason?: unknown) => {
      end();
      reject(reason);
      controller.abort(reason);
    };
    const abort = () => stop(signal?.reason);
    const timer = setTimeout(() => {
      try {
        resolve(onTimeout());
        stop();
      } catch (error) {
        stop(error);
      }
    }, Math.min(ms, MAX_TIMER_MS));
    signal?.addEventListener("abort", abort);
    working?.then(resolve, reject).finally(end);
    if (signal?.aborted) abort();
  });
}

/** Resolves after `ms` milliseconds. Rejects with the signal's reason when it aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return withTimeout<void>(() => new Promise(() => {}), { ms, signal, onTimeout: () => {} });
}

/** A wake-up call between asynchronous functions. */
export interface WakeUp {
  /** Resolves at the next {@linkcode WakeUp.notify}. */
  wait(): Promise<void>;
  /** Resolves the pending {@linkcode WakeUp.wait}, if there is one. */
  notify(): void;
}

/** Creates a wake-up call for one waiting function. */
export function createWakeUp(): WakeUp {
  let wake = () => {};
  return {
    wait: () => new Promise<void>((resolve) => wake = resolve),
    notify: () => wake(),
  };
}
