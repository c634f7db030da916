/** Sleep that can be cut short. */
import { sleep } from "../../src/internal/deadline.ts";

/** Wakes one sleeper at the earliest requested time. Times are on the monotonic clock, in ms. */
export class Alarm {
  #controller = new AbortController();
  #sleepsUntil = -Infinity;
  #wakeAt = Infinity;

  /** Requests a wake-up after `wait` ms. Before a sleep, it shortens that sleep. */
  wakeIn(wait: number): void {
    const at = performance.now() + wait;
    this.#wakeAt = Math.min(this.#wakeAt, at);
    if (at < this.#sleepsUntil) this.#controller.abort();
  }

  /** Forgets the requests. */
  reset(): void {
    this.#controller = new AbortController();
    this.#wakeAt = Infinity;
  }

  /** Sleeps for at least `min` and at most `max` ms, until a requested time or an abort. */
  async sleep({ min, max, signal }: AlarmOptions): Promise<void> {
    const now = performance.now();
    const wait = Math.min(Math.max(min, this.#wakeAt - now), max);
    this.#sleepsUntil = now + wait;
    await sleep(wait, AbortSignal.any([signal, this.#controller.signal])).catch(() => {});
    this.#sleepsUntil = -Infinity;
  }
}

/** Options of {@linkcode Alarm.sleep}. */
export interface AlarmOptions {
  min: number;
  max: number;
  signal: AbortSignal;
}
