// Not @sinonjs/fake-timers: it does not wait for Web Crypto; two timers that sign 20 MB ran as one.
/**
 * A clock that a test moves. It replaces `setTimeout`, `clearTimeout`, `Date` and `performance.now` until
 * it is disposed of. `AbortSignal.timeout` uses real time.
 *
 * Before the clock moves to the next timer, it waits until promises, streams, messages and Web Crypto have
 * settled. Files and sockets are real: don't use them in such a test.
 *
 * @example
 * ```ts
 * using clock = new FakeClock();
 * const slept = new Promise((resolve) => setTimeout(resolve, 60_000));
 * await clock.runUntil(slept); // takes no real time
 * assertEquals(clock.pending, 0);
 * ```
 *
 * @module
 */

interface Timer {
  readonly id: number;
  readonly due: number;
  readonly run: () => void;
}

/** Above the ids of any runtime, so that a real timer is never mistaken for a fake one. */
const FIRST_ID = 1_000_000_000;

/** A longer delay counts as 1 ms, as in the runtimes. */
const LONGEST_DELAY = 2 ** 31 - 1;

/** Turns of the event loop after which pending work has settled. A body or a stream takes one or two. */
const TURNS = 10;

/** The methods of Web Crypto that the project and its tests use. */
const CRYPTO = ["digest", "importKey", "sign", "verify"] as const;

/** A clock that a test moves. */
export class FakeClock implements Disposable {
  readonly #timers = new Map<number, Timer>();
  readonly #start: number;
  readonly #restore: () => void;
  #now: number;
  #nextId = FIRST_ID;
  /** Milliseconds by which the wall clock is ahead of the timers. */
  #wallOffset = 0;
  /** Calls of Web Crypto in progress. They run on other threads, in real time. */
  #working = 0;

  /** @param start initial value of `Date.now()`, in ms. @default {2026-01-01T00:00:00Z} */
  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#start = this.#now = start;
    this.#restore = this.#install();
  }

  /** The fake time in ms: `Date.now()` without the shift of the wall clock. */
  get now(): number {
    return this.#now;
  }

  /** Number of armed timers: 0 at the end of a test that leaks none. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves the clock forward by some ms and fires the timers that become due, in order. */
  async tick(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.#settle();
    for (let timer = this.#next(end); timer; timer = this.#next(end)) {
      this.#fire(timer);
      await this.#settle();
    }
    this.#now = end;
  }

  /**
   * Moves the clock from timer to timer until the promise settles, and returns its result.
   *
   * @param limit maximum movement of the clock, in ms. @default {86_400_000}, a day
   * @throws {Error} when the promise does not settle within the limit, or waits for no timer.
   */
  async runUntil<T>(promise: Promise<T>, limit = 86_400_000): Promise<T> {
    const start = this.#now;
    let settled = false;
    const settle = () => {
      settled = true;
    };
    promise.then(settle, settle);
    for (;;) {
      await this.#settle();
      if (settled) return promise;
      const timer = this.#next(start + limit);
      if (!timer) throw new Error(this.#stuck(limit));
      this.#fire(timer);
    }
  }

  /**
   * Sets the wall clock forward, or back for a negative number of ms. Timers and `performance.now` are
   * not affected.
   */
  shiftWall(ms: number): void {
    this.#wallOffset += ms;
  }

  /**
   * Suspends the process for some ms, like a laptop that sleeps: only the wall clock advances, as on Linux
   * and macOS. Timers fire after the rest of their delay.
   */
  suspend(ms: number): void {
    this.shiftWall(ms);
  }

  /** Restores the real clock. Pending timers never fire. */
  [Symbol.dispose](): void {
    this.#restore();
  }

  #stuck(limit: number): string {
    return this.pending === 0
      ? "the promise has not settled and no timer is armed"
      : `the promise has not settled within ${limit} ms (${this.pending} timers armed)`;
  }

  /** Returns the earliest timer that is due by then; of several, the one that was set first. */
  #next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers.values()) {
      if (timer.due <= end && (!next || timer.due < next.due)) next = timer;
    }
    return next;
  }

  #fire({ id, due, run }: Timer): void {
    this.#timers.delete(id);
    this.#now = due;
    run();
  }

  /** Waits until everything has settled that does not wait for a timer. */
  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < TURNS; quiet = this.#working > 0 ? 0 : quiet + 1) {
      // A full turn takes microseconds here, a millisecond with a timer; of messages, hundreds are
      // handled in one turn.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  #install(): () => void {
    const { setTimeout, clearTimeout, Date } = globalThis;
    const arm = (callback: (...args: unknown[]) => void, ms = 0, ...args: unknown[]): number => {
      const id = this.#nextId++;
      const delay = ms > LONGEST_DELAY ? 1 : Math.max(0, Math.trunc(ms) || 0);
      this.#timers.set(id, { id, due: this.#now + delay, run: () => callback(...args) });
      return id;
    };
    const disarm: typeof clearTimeout = (id) => {
      if (typeof id !== "number" || !this.#timers.delete(id)) clearTimeout(id);
    };
    const now = () => this.#now + this.#wallOffset;
    // A proxy, so that `instanceof Date` holds for dates of the real and of the fake clock.
    const fakeDate = new Proxy(Date, {
      apply: (target) => new target(now()).toString(),
      construct: (target, args, newTarget) =>
        Reflect.construct(target, args.length > 0 ? args : [now()], newTarget),
      get: (target, key, receiver) => key === "now" ? now : Reflect.get(target, key, receiver),
    });
    Object.assign(globalThis, { setTimeout: arm, clearTimeout: disarm, Date: fakeDate });
    performance.now = () => this.#now - this.#start;
    for (const name of CRYPTO) this.#watch(name);
    return () => {
      Object.assign(globalThis, { setTimeout, clearTimeout, Date });
      // The real ones are the prototypes'.
      Reflect.deleteProperty(performance, "now");
      for (const name of CRYPTO) Reflect.deleteProperty(crypto.subtle, name);
    };
  }

  /** Counts the calls of a method of Web Crypto that are in progress. */
  #watch(name: typeof CRYPTO[number]): void {
    const { subtle } = crypto;
    const real: (...args: never[]) => Promise<unknown> = subtle[name];
    const counted = async (...args: never[]) => {
      this.#working++;
      try {
        return await real.apply(subtle, args);
      } finally {
        this.#working--;
      }
    };
    Object.assign(subtle, { [name]: counted });
  }
}
