// Polls that fail while waiting for a task. `Retry-After` is in resolve_retry_after_test.ts.
import { assertEquals, assertRejects } from "@std/assert";
import { DeepintBaseError, DeepintHTTPError } from "../../mod.ts";
import { HANG, pollTimes, taskWith, times } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { Responder } from "../helpers/fake_platform.ts";

const DAY = 86_400;

const running = () => Response.json({ id: "t-1", status: "running" });

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
    const { platform, task } = taskWith();
    platform.inject(responder, 5);
    assertEquals((await clock.runUntil(task.resolve())).status, "success");
    assertEquals([platform.count(), clock.pending], [6, 0]);
  });

  Deno.test(`polls that fail by ${name} for more than 2 minutes reject`, async () => {
    using clock = new FakeClock();
    const { platform, task } = taskWith();
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
      const { platform, task } = taskWith();
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
    const failures = expected.map(() => status(503));
    const at = await pollTimes(failures, { pollInterval: Number(pollInterval) });
    assertEquals(at.slice(1).map((time, index) => time - (at[index] ?? 0)), expected);
  }
});

Deno.test("the last failed poll rejects with its own error", async () => {
  using clock = new FakeClock();
  const { platform, task } = taskWith();
  platform.inject(status(502), 6);
  platform.inject(() => Response.json({ code: "BUSY", message: "later" }, { status: 503 }));
  const waited = clock.runUntil(task.resolve());
  const error = await assertRejects(() => waited, DeepintHTTPError, "later");
  assertEquals([error.code, error.status], ["BUSY", 503]);
});

Deno.test("a successful poll resets the count of failed ones", async () => {
  using clock = new FakeClock();
  const { platform, task } = taskWith();
  platform.inject(status(503), 5);
  platform.inject(running);
  platform.inject(status(503), 5);
  assertEquals((await clock.runUntil(task.resolve())).status, "success");
  assertEquals(platform.count(), 12);
});

Deno.test("a poll makes one attempt, whatever the value of retries", async () => {
  const responses = [status(503), status(503), status(503)];
  for (const retries of [undefined, 0, 5]) {
    assertEquals(await pollTimes(responses, { retries }), [0, 3_000, 9_000, 21_000]);
  }
});

Deno.test("a poll ends after requestTimeout or 10 s, and the next follows an interval later", async () => {
  assertEquals(await pollTimes([HANG], { requestTimeout: 1_500 }), [0, 4_500]);
  assertEquals(await pollTimes([HANG]), [0, 13_000]);
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
    const { platform, task } = taskWith();
    platform.inject(responder);
    const waited = clock.runUntil(task.resolve());
    await assertRejects(() => waited, DeepintHTTPError, undefined, name);
    assertEquals([platform.count(), clock.pending], [1, 0], name);
  }
});

Deno.test("a wait that failed polls ended can be repeated", async () => {
  using clock = new FakeClock();
  const { platform, task } = taskWith();
  platform.inject(status(503), 7);
  const waited = clock.runUntil(task.resolve());
  await assertRejects(() => waited, DeepintHTTPError);
  assertEquals((await clock.runUntil(task.resolve())).status, "success");
});

Deno.test("a deadline beyond 24.8 days, where timers overflow, ends no wait and no attempt", async () => {
  for (const timeout of [30 * DAY * 1_000, Infinity]) {
    const slow = () => new Promise<Response>((resolve) => setTimeout(resolve, 5_000, running()));
    assertEquals(await pollTimes([slow], { timeout, requestTimeout: timeout }), [0, 8_000]);
  }
});
