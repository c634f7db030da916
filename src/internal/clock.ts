/** Measuring how long a task has been running. */

const MAX_AGE_MS = 7 * 86_400_000;

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
