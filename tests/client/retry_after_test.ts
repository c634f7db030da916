// How long is waited, by property: whatever `Retry-After` says, and between the polls of a real wait.
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { DeepintHTTPError } from "../../mod.ts";
// the header's reader is not for users
import { parseRetryAfter } from "../../src/internal/retry_after.ts";
import { retryAfterOf, RUNNING, setUp, TASK_PATH } from "../helpers/endpoint.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { checkProperty } from "../helpers/property.ts";
import { taskWith } from "../helpers/client.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

/** The three forms of a date in a header (RFC 9110, 5.6.7), of the ms since 1970. */
const FORMS = [
  (ms: number) => new Date(ms).toUTCString(),
  (ms: number) => {
    const [, day, month, year, time] = new Date(ms).toUTCString().split(" ");
    const weekday = new Date(ms).toLocaleDateString("en", { weekday: "long", timeZone: "UTC" });
    return `${weekday}, ${day}-${month}-${year?.slice(2)} ${time} GMT`;
  },
  (ms: number) => {
    const [weekday, day, month, year, time] = new Date(ms).toUTCString().split(" ");
    return `${weekday?.slice(0, 3)} ${month} ${day?.replace(/^0/, " ")} ${time} ${year}`;
  },
];

const time = fc.integer({ min: NOW - 20 * 365 * DAY, max: NOW + 20 * 365 * DAY });
const date = fc.tuple(time, fc.constantFrom(...FORMS)).map(([ms, form]) => form(ms));
/** Generates header values: bytes, without spaces at the ends. */
const visible = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).filter((code) => code !== 0x7f)
    .map((code) => String.fromCharCode(code)),
  maxLength: 20,
});
const header = fc.oneof(
  fc.integer({ min: 0, max: 200_000 }).map(String),
  fc.stringMatching(/^[0-9.eE+-]{1,12}$/),
  fc.constantFrom(
    "0",
    "00",
    "007",
    "-5",
    "1e9",
    "1.5",
    "59.997",
    "9".repeat(400),
    `${2 ** 31}`,
    "Infinity",
  ),
  fc.constantFrom("3, 5", "3s", "NaN", "", " 7 ", "Fri, 31 Dec 9999 23:59:59 GMT", "\xa07"),
  date,
  fc.tuple(date, visible).map(([date, more]) => date.slice(0, more.length) + more),
  visible,
);

/** The largest number of seconds in a header, in milliseconds. */
function readSeconds(header: string): number | undefined {
  const values = header.split(",").map((item) => item.trim()).filter((item) =>
    /^\d+(\.\d+)?$/.test(item)
  );
  return values.length > 0
    ? Math.max(...values.map((it) => Math.ceil(Number(it)) * 1_000))
    : undefined;
}

Deno.test("Retry-After is read to the second in each form of a date", async (t) => {
  await checkProperty(
    t,
    fc.property(time, fc.constantFrom(...FORMS), (ms, form) => {
      const whole = Math.floor(ms / 1_000) * 1_000;
      assertEquals(parseRetryAfter(form(ms), { now: NOW }), Math.max(0, whole - NOW), form(ms));
    }),
  );
});

Deno.test("retryAfter is in milliseconds, or undefined without a Retry-After header", async (t) => {
  const counts = { none: 0, some: 0 };
  await checkProperty(
    t,
    fc.asyncProperty(header, fc.constantFrom(200, 429, 503), async (header, status) => {
      const headers = { "retry-after": header };
      const { task } = taskWith({
        known: {},
        fetch: () => Promise.resolve(Response.json({ status: "running" }, { status, headers })),
      });
      const loaded = status === 200
        ? await task.load()
        : await assertRejects(() => task.load({ retries: 0 }), DeepintHTTPError);
      const { retryAfter } = loaded;
      counts[retryAfter === undefined ? "none" : "some"]++;
      if (!/(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(header)) {
        assertEquals(retryAfter, readSeconds(header));
      } else assert(retryAfter === undefined || retryAfter >= 0 && retryAfter < Infinity);
    }),
  );
  assert(counts.none > 1_000 && counts.some > 1_000, JSON.stringify(counts));
});

Deno.test("Retry-After of the endpoint is whole seconds from 1 to 2^31 - 1, whatever upstream says", async (t) => {
  const endpoint = setUp();
  const age = fc.oneof(fc.integer({ min: -1_000, max: 8 * DAY }), fc.constant(undefined));
  await checkProperty(
    t,
    fc.asyncProperty(
      header,
      age,
      fc.constantFrom("202", "429", "retry"),
      async (header, age, kind) => {
        endpoint.platform.inject(() =>
          Response.json({
            ...RUNNING,
            created: age === undefined ? null : new Date(Date.now() - age).toISOString(),
          }, { status: kind === "429" ? 429 : 200, headers: { "retry-after": header } })
        );
        const ids = { organization_id: "o-1", workspace_id: "w-1", task_id: "t-1" };
        const response = kind === "retry"
          ? await endpoint.bearer({ ...ids, pending: "retry" })
          : await endpoint.get(TASK_PATH);
        assertEquals(response.status, kind === "202" ? 202 : 503);
        const seconds = retryAfterOf(response);
        assert(seconds >= 1 && seconds <= 2 ** 31 - 1, `${seconds}`);
        const body = await response.json();
        if (kind === "202") assertEquals(body.retry_after, seconds);
        const asked = readSeconds(header);
        if (asked !== undefined) {
          assert(seconds >= Math.min(asked / 1_000, 2 ** 31 - 1), `${seconds} s of ${header}`);
        } else if (kind !== "429" && !/(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(header)) {
          assert(seconds >= 2 && seconds <= 66, `${seconds} s`);
        }
      },
    ),
  );
});

// --- A real wait, on a fake clock

/** One poll: what is answered, and when it asks to be asked again. */
interface Poll {
  /** HTTP status; 0 without a response. */
  status: number;
  progress: number;
  /** `true` if the status of the task changes with it. */
  word: "pending" | "running";
  /** Seconds. */
  retryAfter: number | undefined;
}

const poll: fc.Arbitrary<Poll> = fc.record({
  status: fc.constantFrom(200, 200, 200, 429, 503, 0),
  progress: fc.integer({ min: 0, max: 100 }),
  word: fc.constantFrom("pending", "running"),
  retryAfter: fc.option(fc.oneof(fc.integer({ min: 0, max: 90 }), fc.nat(4_000)), {
    nil: undefined,
    freq: 2,
  }),
});
/** Age of the task when the wait begins: seconds as often as days. */
const age = fc.oneof(
  fc.double({ min: 0, max: Math.log(8 * DAY), noNaN: true }).map((log) =>
    Math.round(Math.exp(log))
  ),
  fc.constantFrom(0, -DAY, 7 * DAY, 7 * DAY - 1),
);

Deno.test("polls of a wait are 2 to 66 s apart, at most 11 % + 2.2 s, or as Retry-After says", async (t) => {
  using clock = new FakeClock();
  let gaps = 0;
  await checkProperty(
    t,
    fc.asyncProperty(
      age,
      fc.boolean(),
      fc.array(poll, { minLength: 1, maxLength: 4 }),
      async (age, known, polls) => {
        const begun = clock.now;
        const created = known ? new Date(begun - age).toISOString() : null;
        const at: number[] = [];
        const fetch = () => {
          const poll = polls[at.push(clock.now) - 1];
          if (!poll) return Promise.resolve(Response.json({ status: "success", created }));
          const { status, progress, word, retryAfter } = poll;
          if (status === 0) return Promise.reject(new TypeError("connection reset"));
          const headers = retryAfter === undefined ? {} : { "retry-after": `${retryAfter}` };
          return Promise.resolve(
            Response.json({ status: word, progress, created }, { status, headers }),
          );
        };
        const { task } = taskWith({ fetch, known: { status: "running", created } });
        await clock.runUntil(task.resolve({ pollInterval: "adaptive" }));
        assertEquals([at.length, at[0], clock.pending], [polls.length + 1, begun, 0]);
        let failures = 0;
        for (const [index, poll] of polls.entries()) {
          const from = at[index] ?? NaN;
          const gap = (at[index + 1] ?? NaN) - from;
          gaps++;
          // the worst case of lateness: it ended just after this poll
          const run = from - begun + (known && age >= 0 && age < 7 * DAY ? age : 0);
          const asked = poll.status === 0 ? 0 : 1_000 * (poll.retryAfter ?? 0);
          assert(gap >= Math.max(asked, 2_000), `${gap} ms after ${from - begun}`);
          // the second failed poll in a row doubles the delay
          failures = poll.status === 200 ? 0 : failures + 1;
          const most = Math.min(66_000, (0.11 * run + 2_200) * 2 ** Math.max(0, failures - 1));
          assert(gap <= Math.max(asked, most), `${gap} ms with ${asked} asked after ${run} ms`);
        }
      },
    ),
  );
  assert(gaps > 10_000, `${gaps} gaps`);
});
