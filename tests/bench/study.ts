/** What waiting costs and how late it ends, over many tasks: arithmetic alone, no timers. */
import { pollDelay } from "../../mod.ts";
import { seededRandom } from "../helpers/seeded_random.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** What the fixed schedule waits: the default of `Task.resolve`, in ms. */
export const FIXED = 3 * SECOND;

/** Of each distribution of run times: the logarithm is normal with this standard deviation. */
export const SIGMA = 1;

/** Tasks for each median. */
export const TASKS = 10_000;

/** The medians of the run times, in ms, with their names. */
export const MEDIANS: readonly { name: string; median: number }[] = [
  { name: "1 minute", median: MINUTE },
  { name: "10 minutes", median: 10 * MINUTE },
  { name: "1 hour", median: 60 * MINUTE },
];

/** One task waited for: how many polls it took, and how long after the end (ms) the last one was. */
export interface Wait {
  polls: number;
  lateness: number;
}

/**
 * Waits for a task that ends after `duration` ms, from `start` on.
 *
 * @param delay gives the ms until the next poll, at so many ms after the task's creation
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

/** The most that the adaptive schedule may be late: 11 % of the run time + 2.2 s. */
export function bound(duration: number): number {
  return 0.11 * duration + 2.2 * SECOND;
}

/** One task of the study, waited for in both ways. Durations are in ms. */
export interface Sample {
  duration: number;
  fixed: Wait;
  adaptive: Wait;
}

/** All the tasks of one median. */
export interface Group {
  name: string;
  median: number;
  samples: Sample[];
}

/** Makes the study anew; the same seed gives the same numbers. */
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

/** What a schedule comes to for many tasks. */
export interface Summary {
  /** Polls a task, on average. */
  polls: number;
  /** How late the end is seen, in ms, on average and at worst. */
  lateness: number;
  worst: number;
  /** The worst share of its own bound that any task's lateness reached. */
  ofBound: number;
}

/** Sums up one schedule. */
export function summary(samples: readonly Sample[], schedule: "fixed" | "adaptive"): Summary {
  const waits = samples.map((sample) => sample[schedule]);
  return {
    polls: mean(waits.map(({ polls }) => polls)),
    lateness: mean(waits.map(({ lateness }) => lateness)),
    worst: greatest(waits.map(({ lateness }) => lateness)),
    ofBound: greatest(samples.map((sample) => sample[schedule].lateness / bound(sample.duration))),
  };
}

/** The average. */
export function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

/** The greatest, of more than fit into a call of `Math.max`. */
export function greatest(numbers: readonly number[]): number {
  return numbers.reduce((most, number) => Math.max(most, number), -Infinity);
}

/** A number of the standard normal distribution (Box and Muller). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
