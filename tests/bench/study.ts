// A simulation of both polling schedules over many tasks. It only calculates: it sets no timers.
import { pollDelay } from "../../mod.ts";
import { seededRandom } from "../helpers/seeded_random.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Interval of the fixed schedule: the default of `Task.resolve`, in ms. */
const FIXED = 3 * SECOND;

/** Standard deviation of the logarithm of the run times. */
export const SIGMA = 1;

/** Tasks for each median. */
export const TASKS = 10_000;

/** Median run times in ms. */
const MEDIANS: readonly { name: string; median: number }[] = [
  { name: "1 minute", median: MINUTE },
  { name: "10 minutes", median: 10 * MINUTE },
  { name: "1 hour", median: 60 * MINUTE },
];

/** Polls of one task, and the time from its end to the last poll in ms. */
export interface Wait {
  polls: number;
  lateness: number;
}

/**
 * Polls a task that ends after `duration` ms, beginning at `start`.
 *
 * @param delay returns the ms until the next poll, for the ms since the task's creation
 */
export function wait(duration: number, delay: (time: number) => number, start = 0): Wait {
  let polls = 0;
  let time = start;
  while (time < duration) {
    time += delay(time);
    polls++;
  }
  return { polls, lateness: time - duration };
}

/** Largest lateness of the adaptive schedule: 11 % of the run time + 2.2 s. */
export function bound(duration: number): number {
  return 0.11 * duration + 2.2 * SECOND;
}

/** One task of the study, polled on both schedules. Durations are in ms. */
export interface Sample {
  duration: number;
  fixed: Wait;
  adaptive: Wait;
}

/** The tasks of one median. */
export interface Group {
  name: string;
  median: number;
  samples: Sample[];
}

/** Simulates both schedules. The same seed gives the same numbers. */
export function study(seed = 1): Group[] {
  const durations = seededRandom(seed);
  const random = seededRandom(seed + 1);
  return MEDIANS.map(({ name, median }) => ({
    name,
    median,
    samples: Array.from({ length: TASKS }, () => {
      const duration = median * Math.exp(SIGMA * normal(durations));
      return {
        duration,
        fixed: wait(duration, () => FIXED),
        adaptive: wait(duration, (elapsed) => pollDelay({ elapsed, random })),
      };
    }),
  }));
}

/** Polls and lateness of one schedule over many tasks. */
export interface Summary {
  /** Polls a task, on average. */
  polls: number;
  /** Time from the end of a task to the poll that sees it, in ms: mean and worst. */
  lateness: number;
  worst: number;
  /** Largest ratio of a task's lateness to its bound. */
  ofBound: number;
}

/** Summarizes one schedule. */
export function summary(samples: readonly Sample[], schedule: "fixed" | "adaptive"): Summary {
  const waits = samples.map((sample) => sample[schedule]);
  return {
    polls: mean(waits.map(({ polls }) => polls)),
    lateness: mean(waits.map(({ lateness }) => lateness)),
    worst: greatest(waits.map(({ lateness }) => lateness)),
    ofBound: greatest(samples.map((sample) => sample[schedule].lateness / bound(sample.duration))),
  };
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

// the arguments of a call of `Math.max` are limited
function greatest(numbers: readonly number[]): number {
  return numbers.reduce((most, number) => Math.max(most, number), -Infinity);
}

/** Returns a normally distributed number (Box-Muller transform). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
