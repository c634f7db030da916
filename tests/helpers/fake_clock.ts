// Not @sinonjs/fake-timers: it does not wait for Web Crypto; two timers that sign 20 MB ran as one.
/**
 * A clock that a test moves: it takes the place of `setTimeout`, `clearTimeout`, `Date` and
 * `performance.now` until it is disposed of. `AbortSignal.timeout` keeps to real time.
 *
 * Between two timers everything settles that waits for none: promises, streams, messages and Web
 * Crypto. Files and sockets are real and have no place in such a test.
 *
 * @example
 * ```ts
 * using clock = new FakeClock();
 * const slept = new Promise((resolve) => setTimeout(resolve, 60_000));
 * await clock.runUntil(slept); // at once
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

/** Far above what runtimes give, so that a real timer is never taken for one of ours. */
const FIRST_ID = 1_000_000_000;

/** More than this a runtime cannot count: it fires at once, a mistake that a test should show. */
const LONGEST_DELAY = 2 ** 31 - 1;

/** Turns of the event loop that settle what is under way. A body or a stream takes one or two. */
const TURNS = 10;

/** The methods of Web Crypto that the project and its tests use. */
const CRYPTO = ["digest", "importKey", "sign", "verify"] as const;

/** Time at a test's will. */
export class FakeClock implements Disposable {
  readonly #timers = new Map<number, Timer>();
  readonly #start: number;
  readonly #restore: () => void;
  #now: number;
  #nextId = FIRST_ID;
  /** Lead of the wall clock over the timers, in ms. */
  #wallOffset = 0;
  /** Calls of Web Crypto under way. They run on other threads, for as long as it takes them. */
  #working = 0;

  /** @param start what `Date.now()` says first, in ms. @default {2026-01-01T00:00:00Z} */
  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#start = this.#now = start;
    this.#restore = this.#install();
  }

  /** The fake time in ms, as `Date.now()` says while the wall clock is not shifted. */
  get now(): number {
    return this.#now;
  }

  /** Number of armed timers: 0 at the end of a test without leaks. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves the clock on by so many ms, firing what is due on the way, in order. */
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
   * Moves the clock on from timer to timer until the promise settles, and gives its outcome.
   *
   * @param limit how far the clock may move, in ms. @default {86_400_000}, a day
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
   * Sets the wall clock forward, or back for a negative number of ms. Timers and `performance.now` do not
   * notice.
   */
  shiftWall(ms: number): void {
    this.#wallOffset += ms;
  }

  /**
   * Suspends the process for so many ms, as a laptop that sleeps: only the wall clock goes on, as on
   * Linux and macOS. Timers fire after the rest of their delay.
   */
  suspend(ms: number): void {
    this.shiftWall(ms);
  }

  /** Gives the real clock back. Timers still armed never fire. */
  [Symbol.dispose](): void {
    this.#restore();
  }

  #stuck(limit: number): string {
    return this.pending === 0
      ? "the promise has not settled and no timer is armed"
      : `the promise has not settled within ${limit} ms (${this.pending} timers armed)`;
  }

  /** The next timer due by then: the earliest, of those the first armed. */
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

  /** Lets everything happen that waits for no timer. */
  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < TURNS; quiet = this.#working > 0 ? 0 : quiet + 1) {
      // A whole turn in microseconds: a timer takes a millisecond, and of messages, hundreds are
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
    // A proxy, so that what is `instanceof Date` stays so on either side of the clock.
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

  /** Keeps count of the calls of a method of Web Crypto that are under way. */
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
