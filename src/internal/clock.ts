/** Clocks: durations that survive changes of the wall clock, and the age of a task. */

const MAX_AGE_MS = 7 * 86_400_000;

/** A clock that starts at 0. */
export interface Clock {
  /** Returns the elapsed time in milliseconds on the monotonic clock, for poll intervals. */
  elapsed(): number;
  /**
   * Returns the larger of the monotonic and the wall-clock time in whole milliseconds, for deadlines:
   * many systems stop the monotonic clock while they sleep.
   */
  elapsedWithSleep(): number;
  /** Returns the milliseconds until the deadline. */
  remaining(): number;
}

/** Starts a clock, with a deadline in milliseconds. */
export function startClock(timeout = Infinity): Clock {
  const startedAt = performance.now();
  const wallStartedAt = Date.now();
  const elapsed = () => performance.now() - startedAt;
  const elapsedWithSleep = () => Math.ceil(Math.max(elapsed(), Date.now() - wallStartedAt));
  return { elapsed, elapsedWithSleep, remaining: () => timeout - elapsedWithSleep() };
}

/**
 * Returns how long a task has been running, in milliseconds: since its creation if that is plausible (0
 * to 7 days ago), otherwise since `firstPoll`.
 */
export function elapsedTime(
  created: Date | null,
  firstPoll: number,
  now: number = Date.now(),
): number {
  const age = now - (created?.getTime() ?? NaN);
  return age >= 0 && age < MAX_AGE_MS ? age : now - firstPoll;
}

/**
 * Returns a function like {@linkcode elapsedTime} for a wait that `clock` measures. The wall clock is
 * read once for each creation time, so that a later change of it does not change the age.
 */
export function startAge(clock: Clock): (created: Date | null) => number {
  let known: number | undefined;
  let startedAt = 0;
  return (created) => {
    const time = created?.getTime();
    if (time !== known) {
      const now = clock.elapsed();
      known = time;
      startedAt = now - elapsedTime(created, Date.now() - now);
    }
    return clock.elapsed() - startedAt;
  };
}

/**
 * Starts a clock in ms since 1970 that follows the wall clock forward, also while the system sleeps, but
 * never back.
 */
export function startWallClock(): () => number {
  let offset = -Infinity;
  return () => {
    const monotonic = performance.now();
    offset = Math.max(offset, Date.now() - monotonic);
    return Math.floor(offset + monotonic);
  };
}
