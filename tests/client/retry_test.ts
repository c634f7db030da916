// When a request is repeated, and how long it waits before. Deadlines are in deadline_test.ts.
import { assertEquals, assertLessOrEqual, assertRejects } from "@std/assert";
import { DeepintHTTPError, Task } from "../../mod.ts";
import { DELETE, GET, HANG, random, taskWith, times } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { Responder } from "../helpers/fake_platform.ts";

function status(status: number, headers: Record<string, string> = {}): Responder {
  return () => new Response(status === 304 ? null : "{}", { status, headers });
}

const TRANSIENT: Record<string, Responder> = {
  "no answer": () => Promise.reject(new TypeError("connection refused")),
  "a body that breaks off": () =>
    new Response(new ReadableStream({ start: (body) => body.error(new TypeError("reset")) })),
  "an attempt that takes too long": HANG,
  "429": status(429),
  "502": status(502),
  "503": status(503),
  "504": status(504),
  "a LIMIT code with 400": () => Response.json({ code: "LIMIT" }, { status: 400 }),
  "a LIMIT code with 200": () => Response.json({ code: "LIMIT", message: "slow down" }),
  "an error with a LIMIT code and 200": () => Response.json({ result: "error", code: "LIMIT" }),
};

const FINAL: Record<string, Responder> = {
  ...Object.fromEntries(
    [301, 302, 304, 307, 400, 401, 402, 403, 404, 409, 501].map((code) => [code, status(code)]),
  ),
  "an error with 200": () => Response.json({ result: "error" }),
  "no task": () => new Response("<p>Sorry</p>"),
  "a huge body": () => new Response(" ".repeat(1_048_577)),
};

for (const [name, responder] of Object.entries(TRANSIENT)) {
  Deno.test(`a request that ends with ${name} is repeated twice, GET and DELETE`, async () => {
    for (const send of [GET, DELETE]) {
      using clock = new FakeClock();
      const { platform, task } = taskWith();
      platform.inject(responder, 2);
      await clock.runUntil(send(task));
      assertEquals(platform.count(), 3);
      platform.inject(responder, 3);
      const failed = clock.runUntil(send(task));
      await assertRejects(() => failed);
      assertEquals([platform.count(), clock.pending], [6, 0]);
    }
  });
}

for (const [name, responder] of Object.entries(FINAL)) {
  Deno.test(`a request that ends with ${name} is not repeated, GET nor DELETE`, async () => {
    for (const send of [GET, DELETE]) {
      using clock = new FakeClock();
      const { platform, task } = taskWith();
      platform.inject(responder);
      const failed = clock.runUntil(send(task, { retries: 5 }));
      await assertRejects(() => failed, DeepintHTTPError);
      assertEquals([platform.count(), clock.pending], [1, 0]);
    }
  });
}

Deno.test("a 500 is repeated for GET only", async () => {
  using clock = new FakeClock();
  const { platform, task } = taskWith();
  platform.inject(status(500));
  await clock.runUntil(GET(task));
  assertEquals(platform.count(), 2);
  platform.inject(status(500));
  const failed = clock.runUntil(DELETE(task));
  await assertRejects(() => failed, DeepintHTTPError);
  assertEquals(platform.count(), 3);
});

Deno.test("retries says how often a request is repeated, 0 included", async () => {
  for (const retries of [0, 1, 4]) {
    using clock = new FakeClock();
    const { platform, task } = taskWith();
    platform.inject(status(503), 9);
    const failed = clock.runUntil(GET(task, { retries }));
    await assertRejects(() => failed, DeepintHTTPError);
    assertEquals(platform.count(), retries + 1);
  }
});

Deno.test("a request rejects with the error of its last attempt", async () => {
  using clock = new FakeClock();
  const { platform, task } = taskWith();
  platform.inject(status(502));
  platform.inject(() => Promise.reject(new TypeError("reset")));
  platform.inject(() => Response.json({ code: "BUSY", message: "later" }, { status: 503 }));
  const failed = clock.runUntil(GET(task));
  const error = await assertRejects(() => failed, DeepintHTTPError, "later");
  assertEquals([error.code, error.status], ["BUSY", 503]);
});

Deno.test("build(), fromUrl() and list() repeat their requests too", async () => {
  using clock = new FakeClock();
  const { platform, task } = taskWith();
  const { organizationId, workspaceId, taskId, credentials } = task;
  const options = { organizationId, workspaceId, credentials, fetch: platform.fetch };
  const url = `https://app.deepint.net/api/v1/workspace/${workspaceId}/task/${taskId}`;
  const list = async () => {
    for await (const task of Task.list(options)) return task;
  };
  const operations = [
    () => Task.build({ ...options, taskId }),
    () => Task.fromUrl(url, options),
    list,
  ];
  for (const [index, operation] of operations.entries()) {
    platform.inject(status(503));
    await clock.runUntil<unknown>(operation());
    assertEquals(platform.count(), 2 * (index + 1));
  }
});

Deno.test("the waits between attempts are random, up to 500 ms, then 1 s, then 2 s", async () => {
  for (const [value, delays] of [[0, [0, 0, 0]], [0.5, [250, 500, 1_000]]] as const) {
    using clock = new FakeClock();
    using _random = random(value);
    const { platform, task } = taskWith();
    const start = clock.now;
    platform.inject(status(503), 3);
    await clock.runUntil(GET(task, { retries: 3 }));
    const at = times(platform, start);
    assertEquals(at.slice(1).map((time, index) => time - (at[index] ?? NaN)), [...delays]);
  }
});

Deno.test("a retry waits for Retry-After, in seconds or until a date", async () => {
  for (const code of [429, 502, 503, 504]) {
    for (const byDate of [false, true]) {
      using clock = new FakeClock();
      const { platform, task } = taskWith();
      const start = clock.now;
      const value = byDate ? new Date(start + 25_000).toUTCString() : "25";
      platform.inject(status(code, { "retry-after": value }));
      await clock.runUntil(GET(task));
      assertEquals(times(platform, start), [0, 25_000], `${code} ${value}`);
    }
  }
});

Deno.test("Retry-After has no cap of our own below 24 h", async () => {
  using clock = new FakeClock();
  const { platform, task } = taskWith();
  const start = clock.now;
  platform.inject(status(429, { "retry-after": "80000" }));
  await clock.runUntil(GET(task, { timeout: 86_400_000 }));
  assertEquals(times(platform, start), [0, 80_000_000]);
});

Deno.test("a Retry-After that has passed or is unreadable is ignored", async () => {
  for (const value of ["0", "-5", "1e9", "5 s", "soon", "", new Date(0).toUTCString()]) {
    using clock = new FakeClock();
    const { platform, task } = taskWith();
    const start = clock.now;
    platform.inject(status(429, { "retry-after": value }));
    await clock.runUntil(GET(task));
    const [, second = NaN] = times(platform, start);
    assertLessOrEqual(second, 500, value);
  }
});

Deno.test("a Retry-After that exceeds the deadline rejects immediately with retryAfter", async () => {
  for (const send of [GET, DELETE]) {
    using clock = new FakeClock();
    const { platform, task } = taskWith();
    const start = clock.now;
    platform.inject(status(429, { "retry-after": "31" }));
    const failed = clock.runUntil(send(task));
    const error = await assertRejects(() => failed, DeepintHTTPError);
    assertEquals([error.status, error.retryAfter], [429, 31_000]);
    assertEquals([platform.count(), clock.now - start, clock.pending], [1, 0, 0]);
  }
});

Deno.test("a Retry-After of more than 24 h rejects immediately, whatever the deadline", async () => {
  for (const seconds of [86_401, 30 * 86_400, 1_000_000_000]) {
    using clock = new FakeClock();
    const { platform, task } = taskWith();
    const start = clock.now;
    platform.inject(status(503, { "retry-after": String(seconds) }));
    const failed = clock.runUntil(GET(task, { timeout: Infinity }));
    const error = await assertRejects(() => failed, DeepintHTTPError);
    assertEquals([error.retryAfter, platform.count()], [seconds * 1_000, 1]);
    assertEquals([clock.now - start, clock.pending], [0, 0]);
  }
});

Deno.test("a delay longer than the remaining deadline is not started", async () => {
  using clock = new FakeClock();
  using _random = random(0.99);
  const { platform, task } = taskWith();
  const start = clock.now;
  platform.inject(status(503), 2);
  const failed = clock.runUntil(GET(task, { timeout: 400 }));
  const error = await assertRejects(() => failed, DeepintHTTPError);
  assertEquals([error.status, platform.count(), clock.now - start], [503, 1, 0]);
});
