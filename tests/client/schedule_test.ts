import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreaterOrEqual,
  assertRejects,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { pollDelay, type PollInterval } from "../../mod.ts";
import { wait } from "../bench/study.ts";
import { seededRandom } from "../helpers/seeded_random.ts";
// the check and the header's reader are not for users
import { parseRetryAfter } from "../../src/internal/retry_after.ts";
import { PollSchedule } from "../../src/polling.ts";
import { checkPollInterval } from "../../src/schedule.ts";
import { checkProperty } from "../helpers/property.ts";
import { elapsedTime, startClock } from "../../src/internal/clock.ts";
import { taskWith } from "../helpers/client.ts";

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
  const { random } = Math;
  try {
    Math.random = () => 0.75;
    assertAlmostEquals(pollDelay({ elapsed: 100_000 }), 10_750, 1e-6);
    Math.random = () => 0;
    assertAlmostEquals(pollDelay({ elapsed: 100_000 }), 10_000, 1e-6);
  } finally {
    Math.random = random;
  }
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
  for (const retryAfter of [0, 1, 1_999, -5, undefined]) {
    assertEquals(pollDelay({ elapsed: 0, retryAfter, random: 0 }), 2_000);
  }
});

Deno.test("pollDelay() returns a delay for an elapsed time that is not a number", () => {
  for (const elapsed of [NaN, -1, -HOUR, -Infinity]) {
    assertEquals(pollDelay({ elapsed, random: 0 }), 2_000, String(elapsed));
  }
  assertEquals(pollDelay({ elapsed: Infinity, random: 0 }), 60_000);
});

Deno.test("pollDelay() ignores a retryAfter that is not a number", () => {
  assertEquals(pollDelay({ elapsed: 0, retryAfter: NaN, random: 0 }), 2_000);
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

Deno.test("elapsedTime() is never over 7 days by the creation, for 10,000 dates", async (t) => {
  const time = fc.integer({ min: NOW - 30 * DAY, max: NOW + 30 * DAY });
  await checkProperty(
    t,
    fc.property(fc.option(time), fc.integer({ min: 0, max: HOUR }), (created, polling) => {
      const elapsed = elapsedTime(created === null ? null : new Date(created), NOW - polling, NOW);
      const age = created === null ? -1 : NOW - created;
      assertEquals(elapsed, age >= 0 && age < 7 * DAY ? age : polling);
    }),
  );
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

Deno.test("a ported pollInterval of 3 is a RangeError of resolve() and watch(), and no request", async () => {
  const { task, platform } = taskWith();
  const watched = async () => await Array.fromAsync(task.watch({ pollInterval: 3 }));
  await assertRejects(() => task.resolve({ pollInterval: 3 }), RangeError, "milliseconds");
  await assertRejects(watched, RangeError, "milliseconds");
  assertEquals(platform.count(), 0);
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

Deno.test("Retry-After is read as seconds", () => {
  assertEquals(parseRetryAfter("0", { now: NOW }), 0);
  assertEquals(parseRetryAfter("1", { now: NOW }), 1_000);
  assertEquals(parseRetryAfter("120", { now: NOW }), 120_000);
  assertEquals(parseRetryAfter(" 120 ", { now: NOW }), 120_000);
  assertEquals(parseRetryAfter("007", { now: NOW }), 7_000);
});

Deno.test("Retry-After with decimals is rounded up to whole seconds", () => {
  const values = { "60.0": 60_000, "59.997": 60_000, "1.5": 2_000, "0.001": 1_000, "0.0": 0 };
  for (const [value, ms] of Object.entries(values)) assertEquals(parseRetryAfter(value), ms, value);
});

Deno.test("the largest value of a joined Retry-After counts", () => {
  const values = {
    "60, 60": 60_000,
    "120, 60": 120_000,
    "5, 60.2 ,7": 61_000,
    "1,000": 1_000,
    "soon, 30": 30_000,
    "-5, 10": 10_000,
    "10, Fri, 02 Jan 2026 03:05:35 GMT": 90_000,
    "Fri, 02 Jan 2026 03:05:35 GMT, Fri, 02 Jan 2026 03:04:35 GMT": 90_000,
  };
  const now = Date.UTC(2026, 0, 2, 3, 4, 5);
  for (const [value, ms] of Object.entries(values)) {
    assertEquals(parseRetryAfter(value, { now }), ms, value);
  }
});

Deno.test("a Retry-After date is relative to the response's own Date", () => {
  const header = "Fri, 02 Jan 2026 03:04:35 GMT";
  const date = "Fri, 02 Jan 2026 03:04:05 GMT";
  const now = Date.UTC(2026, 0, 2, 1, 0, 0);
  assertEquals(parseRetryAfter(header, { date, now }), 30_000);
  assertEquals(parseRetryAfter(header, { date: "garbage", now }), 7_475_000);
  assertEquals(parseRetryAfter("7", { date, now }), 7_000);
});

Deno.test("a Retry-After date that has passed is a delay of 0", () => {
  const dates = [
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
  ];
  for (const date of dates) assertEquals(parseRetryAfter(date, { now: NOW }), 0, date);
});

Deno.test("a Retry-After date is relative to the current time", () => {
  const in30 = new Date(Date.now() + 30_000).toUTCString();
  const ms = parseRetryAfter(in30);
  assert(ms !== undefined && ms > 20_000 && ms <= 30_000, `${ms}`);
});

Deno.test("Retry-After is never shortened, however long", () => {
  assertEquals(parseRetryAfter("86400", { now: NOW }), DAY);
  assertEquals(parseRetryAfter("1000000000", { now: NOW }), 1e12);
  assertEquals(parseRetryAfter("Sat, 02 Jan 2027 03:04:05 GMT", { now: NOW }), 365 * DAY);
  const huge = parseRetryAfter("9".repeat(400), { now: NOW });
  assert(huge !== undefined && huge > 1e12, `${huge}`);
});

Deno.test("Retry-After that is missing or unreadable is undefined", () => {
  const garbage = [
    "",
    " ",
    "-5",
    "-1000000000",
    "+5",
    "1e9",
    "0x10",
    "5s",
    "5 seconds",
    "soon",
    "NaN",
    "Infinity",
    "null",
    "GMT",
    "2026-01-02",
    "2026-01-02T03:05:35Z",
    "Jan 2",
    "1 Jan 2027",
    "Mon",
    "Fri, 02 Jan 2026",
    "Fri, 02 Foo 2026 03:05:35 GMT",
    "Fri, 99 Jan 2026 03:05:35 GMT",
    "Fri, 02 Jan 2026 99:05:35 GMT",
    "٥",
  ];
  assertEquals(parseRetryAfter(null, { now: NOW }), undefined);
  for (const value of garbage) assertEquals(parseRetryAfter(value, { now: NOW }), undefined, value);
});

Deno.test("Retry-After is undefined or 0 and more, for 10,000 generated headers", async (t) => {
  const header = fc.oneof(
    fc.string(),
    fc.integer().map(String),
    fc.stringMatching(
      /^(Mon|Sunday|Fri),? \d{1,2}[ -](Jan|Feb|Foo)[ -]\d{2,4} \d\d:\d\d:\d\d( GMT)?$/,
    ),
    fc.stringMatching(/^[0-9.eE+-]{1,12}$/),
  );
  await checkProperty(
    t,
    fc.property(header, (header) => {
      const ms = parseRetryAfter(header, { now: NOW });
      assert(ms === undefined || ms >= 0, `${ms} of ${header}`);
    }),
  );
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

Deno.test("a task of 10 minutes takes 4 times fewer adaptive polls than every 3 seconds", () => {
  for (const random of [() => 0, () => 0.999, seededRandom(1)]) {
    for (const known of [true, false]) {
      const { polls } = simulate({ duration: 10 * MINUTE, known, random });
      assert(polls > 0 && polls * 4 <= 10 * MINUTE / 3_000, `${polls} polls`);
    }
  }
});

Deno.test("a task of an hour takes 12 times fewer adaptive polls than every 3 seconds", () => {
  for (const random of [() => 0, () => 0.999, seededRandom(1)]) {
    for (const known of [true, false]) {
      const { polls } = simulate({ duration: HOUR, known, random });
      assert(polls > 0 && polls * 12 <= HOUR / 3_000, `${polls} polls`);
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
