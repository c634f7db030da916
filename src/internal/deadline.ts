// Not AbortSignal.any: Vercel's edge runtime lacks it, and src/ imports no package.
/** Deadlines and sleeping: the only timers of the client. */
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
 * Waits for a promise with a deadline. When it passes, resolves with the result of `onTimeout`, or
 * rejects with what it throws. The timer is always cleared.
 *
 * @param controller aborts on a timeout or an abort
 */
export function raceTimeout<T>(
  promise: Promise<T>,
  { ms, signal, onTimeout }: WithTimeoutOptions<T>,
  controller?: AbortController,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    const stop = (reason?: unknown) => {
      end();
      reject(reason);
      controller?.abort(reason);
    };
    const abort = () => stop(signal?.reason);
    const expire = () => {
      try {
        resolve(onTimeout());
        stop();
      } catch (error) {
        stop(error);
      }
    };
    if (ms < Infinity) timer = setTimeout(expire, Math.min(Math.max(ms, 0), MAX_TIMER_MS));
    signal?.addEventListener("abort", abort);
    promise.then((value) => {
      end();
      resolve(value);
    }, (error) => {
      end();
      reject(error);
    });
    if (signal?.aborted) abort();
  });
}

/**
 * Runs `work` with a deadline, as {@linkcode raceTimeout} does. On a timeout or an abort, the signal
 * passed to `work` aborts too; the result does not depend on whether `work` listens.
 */
export async function withTimeout<T>(
  work: (signal: AbortSignal) => Promise<T>,
  options: WithTimeoutOptions<T>,
): Promise<T> {
  options.signal?.throwIfAborted();
  const controller = new AbortController();
  return await raceTimeout(work(controller.signal), options, controller);
}

/** Resolves after `ms` milliseconds. Rejects with the signal's reason when it aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return withTimeout<void>(() => new Promise(() => {}), { ms, signal, onTimeout: () => {} });
}
