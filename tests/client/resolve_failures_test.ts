// Polls that fail while waiting for a task, and a server that asks for patience.
import { assert, assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import { DeepintBaseError, DeepintHTTPError, DeepintTimeoutError } from "../../mod.ts";
import { HANG, taskWith, times } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { Responder } from "../helpers/fake_platform.ts";

const DAY = 86_400;

/** A running task that the next GET after those injected shows as ended. */
function setUp() {
  return taskWith({ steps: [{ status: "success", result: "s-1", result_type: "source" }] });
}

function running(headers: Record<string, string> = {}): Response {
  return Response.json({ id: "t-1", status: "running" }, { headers });
}

function status(status: number, headers: Record<string, string> = {}): Responder {
  return () => new Response("{}", { status, headers });
}

const html: Responder = () =>
  new Response("<html>Maintenance</html>", { headers: { "content-type": "text/html" } });

/** Failures after which a later poll may succeed. */
const TRANSIENT: Record<string, Responder> = {
  "no response": () => Promise.reject(new TypeError("connection refused")),
  "a body that breaks off": () =>
    new Response(new ReadableStream({ start: (body) => body.error(new TypeError("reset")) })),
  "a LIMIT code": () => Response.json({ code: "LIMIT" }, { status: 400 }),
  "a LIMIT code with status 200": () => Response.json({ code: "LIMIT", message: "slow down" }),
  ...Object.fromEntries(
    [408, 425, 429, 500, 502, 503, 504, 507, 520, 524, 599].map((
      code,
    ) => [`a ${code}`, status(code)]),
  ),
  "an attempt that takes too long": HANG,
  "a status that is null": () => Response.json({ id: "t-1", status: null }),
  "a missing status": () => Response.json({ id: "t-1", name: "import" }),
  "an HTML page with status 200": html,
  "an empty body with status 200": () => new Response(""),
  "a 204": () => new Response(null, { status: 204 }),
  "JSON that is cut off": () => new Response('{"id":"t-1","sta'),
};

for (const [name, responder] of Object.entries(TRANSIENT)) {
  Deno.test(`five polls in a row that fail by ${name} do not end the wait`, async () => {
    using clock = new FakeClock();
    const { platform, task } = setUp();
    platform.inject(responder, 5);
    assertEquals((await clock.runUntil(task.resolve())).status, "success");
    assertEquals([platform.count(), clock.pending], [6, 0]);
  });

  Deno.test(`polls that fail by ${name} for more than 2 minutes reject`, async () => {
    using clock = new FakeClock();
    const { platform, task } = setUp();
    const start = clock.now;
    platform.inject(responder, Infinity);
    const waited = clock.runUntil(task.resolve());
    await assertRejects(() => waited, DeepintBaseError);
    const at = times(platform, start);
    // an attempt that hangs takes 10 s
    const expected = responder === HANG
      ? [0, 13_000, 29_000, 51_000, 85_000, 143_000]
      : [0, 3_000, 9_000, 21_000, 45_000, 93_000, 153_000];
    assertEquals({ at, pending: clock.pending }, { at: expected, pending: 0 });
    assertEquals(task.info.status, "running");
  });
}

Deno.test("an outage of 2 minutes does not end a wait, at any poll interval", async () => {
  for (const pollInterval of [250, 3_000, 24_000, 60_000, 119_000, "adaptive"] as const) {
    for (const mode of [status(503), HANG]) {
      using clock = new FakeClock();
      const { platform, task } = setUp();
      const start = clock.now;
      const isDown = () => clock.now - start > 30_000 && clock.now - start < 150_000;
      platform.inject((request) => {
        if (isDown()) return mode(request);
        return clock.now - start < 200_000 ? running() : undefined;
      }, Infinity);
      const info = await clock.runUntil(task.resolve({ pollInterval }));
      assertEquals(info.status, "success", `${pollInterval}`);
    }
  }
});

Deno.test("the delay after a failed poll doubles up to 60 s, and a longer interval is kept", async () => {
  const gaps: Record<number, number[]> = {
    250: [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000],
    10_000: [10_000, 20_000, 40_000, 60_000, 60_000],
    90_000: [90_000, 90_000, 90_000, 90_000, 90_000],
  };
  for (const [pollInterval, expected] of Object.entries(gaps)) {
    using clock = new FakeClock();
    const { platform, task } = setUp();
    platform.inject(status(503), expected.length);
    const start = clock.now;
    await clock.runUntil(task.resolve({ pollInterval: Number(pollInterval) }));
    const at = times(platform, start);
    assertEquals(at.slice(1).map((time, index) => time - (at[index] ?? 0)), expected);
  }
});

Deno.test("the last failed poll rejects with its own error", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  platform.inject(status(502), 6);
  platform.inject(() => Response.json({ code: "BUSY", message: "later" }, { status: 503 }));
  const waited = clock.runUntil(task.resolve());
  const error = await assertRejects(() => waited, DeepintHTTPError, "later");
  assertEquals([error.code, error.status], ["BUSY", 503]);
});

Deno.test("a successful poll resets the count of failed ones", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  platform.inject(status(503), 5);
  platform.inject(() => running());
  platform.inject(status(503), 5);
  assertEquals((await clock.runUntil(task.resolve())).status, "success");
  assertEquals(platform.count(), 12);
});

Deno.test("a poll makes one attempt, whatever the value of retries", async () => {
  for (const retries of [undefined, 0, 5]) {
    using clock = new FakeClock();
    const { platform, task } = setUp();
    const start = clock.now;
    platform.inject(status(503), 3);
    await clock.runUntil(task.resolve({ retries }));
    assertEquals(times(platform, start), [0, 3_000, 9_000, 21_000]);
  }
});

Deno.test("a poll ends after requestTimeout, and the wait continues an interval later", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  const start = clock.now;
  platform.inject(HANG);
  await clock.runUntil(task.resolve({ requestTimeout: 1_500 }));
  assertEquals(times(platform, start), [0, 4_500]);
});

Deno.test("a poll ends after 10 s when no requestTimeout is given", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  const start = clock.now;
  platform.inject(HANG);
  await clock.runUntil(task.resolve());
  assertEquals(times(platform, start), [0, 13_000]);
});

Deno.test("a permanent failure of a poll rejects immediately", async () => {
  const bodies: Record<string, Responder> = {
    ...Object.fromEntries(
      [400, 401, 402, 403, 404, 409, 422, 501, 505].map((code) => [code, status(code)]),
    ),
    "a redirect": status(302, { location: "/" }),
    "another task": () => Response.json({ id: "t-2", status: "success" }),
    "a wrong kind": () => Response.json({ id: "t-1", status: 5 }),
    "an array": () => Response.json([]),
    null: () => Response.json(null),
    "a body over the cap": () => new Response(" ".repeat(1_048_577)),
  };
  for (const [name, responder] of Object.entries(bodies)) {
    using clock = new FakeClock();
    const { platform, task } = setUp();
    platform.inject(responder);
    const waited = clock.runUntil(task.resolve());
    await assertRejects(() => waited, DeepintHTTPError, undefined, name);
    assertEquals([platform.count(), clock.pending], [1, 0], name);
  }
});

Deno.test("a wait that failed polls ended can be repeated", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  platform.inject(status(503), 7);
  const waited = clock.runUntil(task.resolve());
  await assertRejects(() => waited, DeepintHTTPError);
  assertEquals((await clock.runUntil(task.resolve())).status, "success");
});

Deno.test("Retry-After on a 200 sets the next delay only", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  const start = clock.now;
  platform.inject(() => running({ "retry-after": "20" }));
  platform.inject(() => running());
  await clock.runUntil(task.resolve());
  assertEquals(times(platform, start), [0, 20_000, 23_000]);
});

Deno.test("Retry-After on the 200 of build() or load() holds for the first poll of resolve()", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  const start = clock.now;
  platform.inject(() => running({ "retry-after": "20" }));
  await task.load();
  await clock.runUntil(task.resolve());
  assertEquals(times(platform, start), [0, 20_000]);
});

Deno.test("a Retry-After of load() that does not fit rejects resolve() at once with retryAfter", async () => {
  for (const [seconds, timeout] of [[31, 30_000], [DAY + 1, Infinity]] as const) {
    using clock = new FakeClock();
    const { platform, task } = setUp();
    const start = clock.now;
    platform.inject(() => running({ "retry-after": String(seconds) }));
    await task.load();
    const waited = clock.runUntil(task.resolve({ timeout }));
    const error = await assertRejects(() => waited, DeepintTimeoutError);
    assertEquals(error.retryAfter, seconds * 1_000);
    assertEquals([clock.now - start, platform.count(), clock.pending], [0, 1, 0]);
  }
});

for (const code of [429, 503]) {
  Deno.test(`Retry-After on a ${code} sets the next delay only`, async () => {
    using clock = new FakeClock();
    const { platform, task } = setUp();
    const start = clock.now;
    platform.inject(status(code, { "retry-after": "20" }));
    platform.inject(() => running());
    await clock.runUntil(task.resolve());
    assertEquals(times(platform, start), [0, 20_000, 23_000]);
  });
}

Deno.test("Retry-After on a 200 that lacks the status sets the next delay too", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  const start = clock.now;
  const headers = { "retry-after": "20" };
  platform.inject(() => Response.json({ id: "t-1", status: null }, { headers }));
  await clock.runUntil(task.resolve());
  assertEquals(times(platform, start), [0, 20_000]);
});

Deno.test("Retry-After may be an HTTP date", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  const start = clock.now;
  platform.inject(() => running({ "retry-after": new Date(start + 20_000).toUTCString() }));
  await clock.runUntil(task.resolve());
  assertEquals(times(platform, start), [0, 20_000]);
});

Deno.test("Retry-After never shortens the interval, and an unreadable one is ignored", async () => {
  const past = new Date(0).toUTCString();
  for (const value of ["0", "1", "1.5", "-20", "1e9", "20 s", "soon", "", past]) {
    using clock = new FakeClock();
    const { platform, task } = setUp();
    const start = clock.now;
    platform.inject(() => running({ "retry-after": value }));
    platform.inject(status(429, { "retry-after": value }));
    await clock.runUntil(task.resolve());
    assertEquals(times(platform, start), [0, 3_000, 6_000], value);
  }
});

Deno.test("the adaptive schedule never waits less than Retry-After", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  const start = clock.now;
  platform.inject(() => running({ "retry-after": "20" }));
  platform.inject(status(429, { "retry-after": "30" }));
  await clock.runUntil(task.resolve({ pollInterval: "adaptive" }));
  const [, second = NaN, third = NaN] = times(platform, start);
  assert(second >= 20_000 && second <= 22_000, `${second}`);
  assert(third - second >= 30_000 && third - second <= 33_000, `${third}`);
});

Deno.test("a 429 whose Retry-After exceeds the deadline rejects immediately with retryAfter", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  const start = clock.now;
  platform.inject(status(429, { "retry-after": "31" }));
  const waited = clock.runUntil(task.resolve({ timeout: 30_000 }));
  const error = await assertRejects(() => waited, DeepintHTTPError);
  assertEquals([error.status, error.retryAfter], [429, 31_000]);
  assertEquals([clock.now - start, platform.count(), clock.pending], [0, 1, 0]);
});

Deno.test("a Retry-After within the deadline is honoured", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  const start = clock.now;
  platform.inject(status(429, { "retry-after": "29" }));
  await clock.runUntil(task.resolve({ timeout: 30_000 }));
  assertEquals(times(platform, start), [0, 29_000]);
});

Deno.test("a Retry-After of more than 24 h rejects immediately with retryAfter, with and without a deadline", async () => {
  const answers: Record<string, (headers: Record<string, string>) => Response> = {
    "on a 429": (headers) => new Response("{}", { status: 429, headers }),
    "on a 200": running,
  };
  for (const [name, answer] of Object.entries(answers)) {
    for (const seconds of [DAY + 1, 30 * DAY, 1_000_000_000]) {
      using clock = new FakeClock();
      const { platform, task } = setUp();
      const start = clock.now;
      platform.inject(() => answer({ "retry-after": String(seconds) }));
      const waited = clock.runUntil(task.resolve());
      const error = await assertRejects(() => waited, DeepintBaseError, undefined, name);
      assert("retryAfter" in error && error.retryAfter === seconds * 1_000, name);
      assertEquals([clock.now - start, platform.count(), clock.pending], [0, 1, 0], name);
    }
  }
});

Deno.test("a Retry-After in the response of an ended task is ignored", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  const start = clock.now;
  platform.inject(() => {
    const headers = { "retry-after": String(2 * DAY) };
    return Response.json({ id: "t-1", status: "success" }, { headers });
  });
  assertEquals((await clock.runUntil(task.resolve({ timeout: 5_000 }))).status, "success");
  assertLessOrEqual(clock.now - start, 0);
});

Deno.test("a deadline beyond 24.8 days, where timers overflow, ends no wait and no attempt", async () => {
  for (const timeout of [30 * DAY * 1_000, Infinity]) {
    using clock = new FakeClock();
    const { platform, task } = setUp();
    const start = clock.now;
    platform.inject(() => new Promise((resolve) => setTimeout(resolve, 5_000, running())));
    await clock.runUntil(task.resolve({ timeout, requestTimeout: timeout }));
    assertEquals([...times(platform, start), clock.pending], [0, 8_000, 0]);
  }
});

Deno.test("a decimal Retry-After is rounded up to whole seconds", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp();
  const start = clock.now;
  for (const answer of [running, running, running, status(429, { "retry-after": "59.997" })]) {
    platform.inject(() => (answer as () => Response)());
  }
  await clock.runUntil(task.resolve());
  assertEquals(times(platform, start), [0, 3_000, 6_000, 9_000, 69_000]);
});

Deno.test("a Retry-After date is relative to the response's own Date", async () => {
  for (const shift of [7_200_000, -7_200_000]) {
    using clock = new FakeClock();
    const { platform, task } = setUp();
    const start = clock.now;
    const date = new Date(start + shift).toUTCString();
    const until = new Date(start + shift + 30_000).toUTCString();
    platform.inject(status(429, { date, "retry-after": until }));
    await clock.runUntil(task.resolve());
    assertEquals(times(platform, start), [0, 30_000]);
  }
});
