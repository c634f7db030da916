import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreaterOrEqual,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { pollDelay, type PollInterval } from "../../mod.ts";
import { wait } from "../bench/study.ts";
import { seededRandom } from "../helpers/seeded_random.ts";
// internal: users see only their effects
import { PollSchedule } from "../../src/polling.ts";
import { checkPollInterval } from "../../src/schedule.ts";
import { checkProperty } from "../helpers/property.ts";
import { elapsedTime, startClock } from "../../src/internal/clock.ts";
import { random } from "../helpers/client.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

const anyNumber = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(NaN, Infinity, -Infinity, 0, -0, Number.MIN_VALUE, Number.MAX_VALUE),
);
const jitter = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

Deno.test("pollDelay() is a tenth of the run time so far, from 2 to 60 seconds", () => {
  const delays: [number, number][] = [
    [0, 2_000],
    [1, 2_000],
    [20_000, 2_000],
    [20_010, 2_001],
    [100_000, 10_000],
    [5 * MINUTE, 30_000],
    [600_000, 60_000],
    [600_010, 60_000],
    [7 * DAY, 60_000],
  ];
  for (const [elapsed, expected] of delays) {
    assertAlmostEquals(pollDelay({ elapsed, random: 0 }), expected, 1e-6);
    assertAlmostEquals(pollDelay({ elapsed, random: () => 0 }), expected, 1e-6);
  }
});

Deno.test("pollDelay() adds a jitter of up to a tenth", () => {
  for (const [elapsed, base] of [[0, 2_000], [100_000, 10_000], [HOUR, 60_000]] as const) {
    assertAlmostEquals(pollDelay({ elapsed, random: 0.5 }), base * 1.05, 1e-6);
    assertAlmostEquals(pollDelay({ elapsed, random: () => 0.25 }), base * 1.025, 1e-6);
    assert(pollDelay({ elapsed, random: 1 - 2 ** -53 }) <= base * 1.1);
  }
});

Deno.test("pollDelay() takes its jitter from Math.random", () => {
  using _random = random(0.75);
  assertAlmostEquals(pollDelay({ elapsed: 100_000 }), 10_750, 1e-6);
});

Deno.test("pollDelay() is never less than retryAfter", () => {
  assertEquals(pollDelay({ elapsed: 0, retryAfter: 30_000 }), 30_000);
  assertEquals(pollDelay({ elapsed: HOUR, retryAfter: 90_000, random: 0.9 }), 90_000);
  assertEquals(pollDelay({ elapsed: 0, retryAfter: 2 * DAY }), 2 * DAY);
  assertAlmostEquals(
    pollDelay({ elapsed: 100_000, retryAfter: 10_400, random: 0.5 }),
    10_500,
    1e-6,
  );
  for (const retryAfter of [0, 1, 1_999, -5, NaN, undefined]) {
    assertEquals(pollDelay({ elapsed: 0, retryAfter, random: 0 }), 2_000);
  }
});

Deno.test("pollDelay() returns a delay for an elapsed time that is not a number", () => {
  for (const elapsed of [NaN, -1, -HOUR, -Infinity]) {
    assertEquals(pollDelay({ elapsed, random: 0 }), 2_000, String(elapsed));
  }
  assertEquals(pollDelay({ elapsed: Infinity, random: 0 }), 60_000);
});

Deno.test("pollDelay() is within 2 and 66 seconds, for 10,000 elapsed times of any kind", async (t) => {
  await checkProperty(
    t,
    fc.property(anyNumber, jitter, (elapsed, random) => {
      for (const delay of [pollDelay({ elapsed, random }), pollDelay({ elapsed })]) {
        assert(delay >= 2_000 && delay <= 66_000, `${delay} ms after ${elapsed} ms`);
      }
    }),
  );
});

Deno.test("pollDelay() is the later of the schedule and retryAfter, for 10,000 states", async (t) => {
  const retryAfter = fc.oneof(
    fc.integer({ min: 0, max: 200_000 }),
    fc.double({ min: 0, noNaN: true }),
  );
  await checkProperty(
    t,
    fc.property(anyNumber, jitter, retryAfter, (elapsed, random, retryAfter) => {
      const delay = pollDelay({ elapsed, random, retryAfter });
      assertGreaterOrEqual(delay, retryAfter);
      assertEquals(delay, Math.max(retryAfter, pollDelay({ elapsed, random })));
    }),
  );
});

Deno.test("pollDelay() never decreases with the elapsed time, for 10,000 pairs", async (t) => {
  const ms = fc.double({ min: 0, max: 30 * DAY, noNaN: true });
  await checkProperty(
    t,
    fc.property(ms, ms, jitter, (a, b, random) => {
      const [early, late] = [Math.min(a, b), Math.max(a, b)];
      assert(pollDelay({ elapsed: early, random }) <= pollDelay({ elapsed: late, random }));
    }),
  );
});

Deno.test("elapsedTime() counts from the creation for an age of 0 to 7 days", () => {
  const firstPoll = NOW - 5 * SECOND;
  for (const age of [0, 1, MINUTE, HOUR, DAY, 7 * DAY - 1]) {
    assertEquals(elapsedTime(new Date(NOW - age), firstPoll, NOW), age);
  }
});

Deno.test("elapsedTime() counts from the first poll for any other age", () => {
  const firstPoll = NOW - 5 * SECOND;
  for (const age of [7 * DAY, 7 * DAY + 1, 400 * DAY, -1, -HOUR, -400 * DAY]) {
    assertEquals(elapsedTime(new Date(NOW - age), firstPoll, NOW), 5 * SECOND, `${age} ms`);
  }
  assertEquals(elapsedTime(null, firstPoll, NOW), 5 * SECOND);
  assertEquals(elapsedTime(new Date(NaN), firstPoll, NOW), 5 * SECOND);
  assertEquals(elapsedTime(null, NOW, NOW), 0);
});

Deno.test("a poll interval is adaptive, or 250 milliseconds and more", () => {
  for (const interval of ["adaptive", 250, 251, 3_000, MINUTE, HOUR] as const) {
    checkPollInterval(interval);
  }
  for (const interval of [3, 0, -1, 1.5, 249, 249.999, NaN, -Infinity]) {
    assertThrows(() => checkPollInterval(interval), RangeError, "milliseconds");
  }
  const { message } = assertThrows(() => checkPollInterval(3), RangeError);
  assert(/\b3\b/.test(message), `${message} does not quote the value`);
});

Deno.test("a fixed interval is kept unless retryAfter is longer", () => {
  const next = (interval: PollInterval, pause?: number) =>
    new PollSchedule(interval, startClock())
      .next({ created: null, remaining: Infinity, pause, random: 0 });
  assertEquals(next(3_000), 3_000);
  assertEquals(next(3_000, 2_000), 3_000);
  assertEquals(next(3_000, 7_000), 7_000);
  assertEquals(next("adaptive"), 2_000);
  assertEquals(next("adaptive", 7_000), 7_000);
});

// --- The schedule as a whole, on simulated time

/** Simulates the polls of a task of `duration`: created at 0, first polled at `start`. */
function simulate(
  { duration, start = 0, known = true, random }: {
    duration: number;
    start?: number;
    known?: boolean;
    random: () => number;
  },
): { polls: number; lateness: number } {
  const created = known ? new Date(NOW) : null;
  const delay = (time: number) =>
    pollDelay({ elapsed: elapsedTime(created, NOW + start, NOW + time), random });
  return wait(duration, delay, start);
}

Deno.test("long tasks take 4 to 12 times fewer adaptive polls than every 3 seconds", () => {
  for (const [duration, ratio] of [[10 * MINUTE, 4], [HOUR, 12]] as const) {
    for (const random of [() => 0, () => 0.999, seededRandom(1)]) {
      for (const known of [true, false]) {
        const { polls } = simulate({ duration, known, random });
        assert(polls > 0 && polls * ratio <= duration / 3_000, `${polls} polls`);
      }
    }
  }
});

Deno.test("the end is seen at most 11 % of the run time + 2.2 s late, for 10,000 durations", async (t) => {
  // as many short ones as long ones
  const duration = fc.double({ min: 0, max: Math.log(8 * DAY), noNaN: true }).map(Math.exp);
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const random = fc.oneof(
    fc.integer().map((seed) => () => seededRandom(seed)),
    fc.constantFrom(() => () => 0, () => () => 1 - 2 ** -53),
  );
  await checkProperty(
    t,
    fc.property(duration, share, fc.boolean(), random, (duration, share, known, random) => {
      // a task may have run for a while before anybody waits for it
      for (const start of [0, duration * share]) {
        const { lateness } = simulate({ duration, start, known, random: random() });
        assert(lateness <= 0.11 * duration + 2_200, `${lateness} ms late after ${duration} ms`);
      }
    }),
  );
});
