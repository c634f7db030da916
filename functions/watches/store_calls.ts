/** Calls of a store that may fail or never answer: deadline, back-off and log. */
import type { WatchLogEntry } from "./step.ts";
import { withTimeout } from "../../src/internal/deadline.ts";
import { sanitizeText } from "../../src/internal/text.ts";

/** Longer than a KV waits for the lock of its file. */
const CALL_TIMEOUT_MS = 15_000;
/** Items at a time, as many as a commit takes: the steps of all lists wait for the same store. */
const CHUNK_SIZE = 100;
/** Delays after failures of the store. */
const MIN_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 60_000;
const LOG_INTERVAL_MS = 1_000;

/**
 * Calls a store with a deadline.
 *
 * @throws {Error} when the store does not answer in time; a late result is dropped
 */
export function callStore<T>(call: () => Promise<T>): Promise<T> {
  const onTimeout = () => {
    throw new Error("the store does not respond");
  };
  return withTimeout(call, { ms: CALL_TIMEOUT_MS, onTimeout });
}

/** Handles items by calls of a store, many at a time. */
export async function callStoreForEach<T>(
  items: Iterable<T>,
  handle: (item: T) => Promise<unknown>,
): Promise<void> {
  const rest = [...items];
  while (rest.length > 0) {
    const chunk = rest.splice(0, CHUNK_SIZE);
    await callStore(() => Promise.all(chunk.map(handle)));
  }
}

/** Pauses after failures of a store, each twice as long as the one before, and logs them. */
export class StorePause {
  readonly #log: (entry: WatchLogEntry) => void;
  #failures = 0;
  #endsAt = -Infinity;
  #loggedAt = -Infinity;

  constructor(log: (entry: WatchLogEntry) => void) {
    this.#log = log;
  }

  /** Remaining time of the pause in ms; 0 without a pause. */
  get remaining(): number {
    return Math.max(0, this.#endsAt - performance.now());
  }

  /** Records a failure. Those during a pause do not prolong it. */
  handleFailure(error: unknown): void {
    const now = performance.now();
    if (now >= this.#endsAt) {
      this.#endsAt = now + Math.min(MIN_BACKOFF_MS * 2 ** this.#failures++, MAX_BACKOFF_MS);
    }
    if (now < this.#loggedAt + LOG_INTERVAL_MS) return;
    this.#loggedAt = now;
    const message = sanitizeText(`watches: ${error instanceof Error ? error.message : "failed"}`);
    this.#log({ time: new Date().toISOString(), error: message });
  }

  /** Records a success, so that the next pause is short again. */
  reset(): void {
    this.#failures = 0;
  }
}
