// `Retry-After` in the polls of a wait. Failed polls without one are in resolve_failures_test.ts.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { DeepintBaseError, DeepintHTTPError, DeepintTimeoutError } from "../../mod.ts";
import { pollTimes, taskWith, times } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { Responder } from "../helpers/fake_platform.ts";

const DAY = 86_400;
const START = Date.UTC(2026, 0, 1);

const running = (retryAfter?: string): Responder => () =>
  Response.json({ status: "running" }, {
    headers: retryAfter === undefined ? {} : { "retry-after": retryAfter },
  });

const failed = (status: number, retryAfter: string, date = ""): Responder => () =>
  new Response("{}", {
    status,
    headers: { "retry-after": retryAfter, ...(date && { date }) },
  });

const withoutStatus: Responder = () =>
  Response.json({ id: "t-1", status: null }, { headers: { "retry-after": "20" } });

Deno.test("Retry-After sets the next delay only", async () => {
  const responses = {
    "200": running("20"),
    "200 without a status": withoutStatus,
    "429": failed(429, "20"),
    "503": failed(503, "20"),
  };
  for (const [name, response] of Object.entries(responses)) {
    assertEquals(await pollTimes([response, running()]), [0, 20_000, 23_000], name);
  }
});

Deno.test("Retry-After on the 200 of build() or load() holds for the first poll of resolve()", async () => {
  using clock = new FakeClock();
  const { platform, task } = taskWith();
  const start = clock.now;
  platform.inject(running("20"));
  await task.load();
  await clock.tick(10_000); // longer than the interval
  await clock.runUntil(task.resolve());
  assertEquals(times(platform, start), [0, 30_000]);
});

Deno.test("Retry-After never shortens the interval, and an unreadable one is ignored", async () => {
  for (const value of ["0", "1", "1.5", "-20", "soon", "", new Date(0).toUTCString()]) {
    assertEquals(await pollTimes([running(value), failed(429, value)]), [0, 3_000, 6_000], value);
  }
});

Deno.test("the adaptive schedule never waits less than Retry-After", async () => {
  const responses = [running("20"), failed(429, "30")];
  const [, second = NaN, third = NaN] = await pollTimes(responses, { pollInterval: "adaptive" });
  assert(second >= 20_000 && second <= 22_000, `${second}`);
  assert(third - second >= 30_000 && third - second <= 33_000, `${third}`);
});

Deno.test("a Retry-After date is relative to the response's own Date", async () => {
  for (const shift of [7_200_000, 0, -7_200_000]) {
    const [date, until] = [0, 30_000].map((ms) => new Date(START + shift + ms).toUTCString());
    assertEquals(await pollTimes([failed(429, `${until}`, date)]), [0, 30_000]);
  }
});

Deno.test("a Retry-After within the deadline is honoured", async () => {
  assertEquals(await pollTimes([failed(429, "29")], { timeout: 30_000 }), [0, 29_000]);
});

Deno.test("a Retry-After beyond the deadline or 24 h rejects immediately with retryAfter", async () => {
  for (const [seconds, timeout] of [[31, 30_000], [DAY + 1, undefined], [1e9, Infinity]] as const) {
    for (const response of [running(`${seconds}`), failed(429, `${seconds}`)]) {
      using clock = new FakeClock();
      const { platform, task } = taskWith();
      const start = clock.now;
      platform.inject(response);
      const waited = clock.runUntil(task.resolve({ timeout }));
      const error = await assertRejects(() => waited, DeepintBaseError);
      assert(error instanceof DeepintHTTPError || error instanceof DeepintTimeoutError);
      assertEquals(error.retryAfter, seconds * 1_000);
      assertEquals([clock.now - start, platform.count(), clock.pending], [0, 1, 0]);
    }
  }
});

Deno.test("a Retry-After of load() beyond the deadline or 24 h rejects resolve() immediately", async () => {
  for (const [seconds, timeout] of [[31, 30_000], [DAY + 1, Infinity]] as const) {
    using clock = new FakeClock();
    const { platform, task } = taskWith();
    const start = clock.now;
    platform.inject(running(`${seconds}`));
    await task.load();
    const waited = clock.runUntil(task.resolve({ timeout }));
    const error = await assertRejects(() => waited, DeepintTimeoutError);
    assertEquals(error.retryAfter, seconds * 1_000);
    assertEquals([clock.now - start, platform.count(), clock.pending], [0, 1, 0]);
  }
});

Deno.test("a Retry-After in the response of an ended task is ignored", async () => {
  const headers = { "retry-after": String(2 * DAY) };
  const ended = () => Response.json({ status: "success" }, { headers });
  assertEquals(await pollTimes([ended], { timeout: 5_000 }), [0]);
});
