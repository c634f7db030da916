// The deadlines of one operation and of one attempt, and its abort. Those of a wait are in
// abort_test.ts.
import { assert, assertEquals, assertRejects, assertStrictEquals, fail } from "@std/assert";
import { DeepintTimeoutError } from "../../mod.ts";
import { DELETE, GET, HANG, random, taskWith, times } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { Responder } from "../helpers/fake_platform.ts";

const BRACE = new TextEncoder().encode("{");
const HANG_IN_BODY: Responder = () =>
  new Response(new ReadableStream({ start: (to) => to.enqueue(BRACE) }));

Deno.test("an attempt that takes longer than 10 s is repeated, the operation ends after 30 s", async () => {
  using clock = new FakeClock();
  using _random = random(0);
  const { platform, task } = taskWith();
  const start = clock.now;
  platform.inject(HANG, 9);
  const failed = clock.runUntil(GET(task, { retries: 9 }));
  const error = await assertRejects(() => failed, DeepintTimeoutError);
  assertEquals([error.code, error.elapsed], ["TIMEOUT", 30_000]);
  assertStrictEquals(error.info, task.info);
  assertEquals(times(platform, start), [0, 10_000, 20_000]);
  assertEquals([clock.now - start, clock.pending], [30_000, 0]);
  assert(platform.requests.every(({ init }) => init?.signal?.aborted));
});

Deno.test("requestTimeout bounds an attempt, timeout the whole operation", async () => {
  using clock = new FakeClock();
  using _random = random(0);
  const { platform, task } = taskWith();
  const start = clock.now;
  platform.inject(HANG, 9);
  const options = { requestTimeout: 1_000, timeout: 2_500, retries: 9 };
  const failed = clock.runUntil(GET(task, options));
  const error = await assertRejects(() => failed, DeepintTimeoutError);
  assertEquals(times(platform, start), [0, 1_000, 2_000]);
  assertEquals([error.elapsed, clock.now - start, clock.pending], [2_500, 2_500, 0]);
});

Deno.test("attempts that all take too long reject with a timeout", async () => {
  using clock = new FakeClock();
  using _random = random(0);
  const { platform, task } = taskWith();
  platform.inject(HANG, 9);
  const failed = clock.runUntil(GET(task, { requestTimeout: 1_000 }));
  const error = await assertRejects(() => failed, DeepintTimeoutError);
  assertEquals([error.elapsed, platform.count(), clock.pending], [3_000, 3, 0]);
});

Deno.test("requestTimeout covers the body, and so does timeout", async () => {
  const options = [{ requestTimeout: 1_000, retries: 0 }, { timeout: 1_000 }];
  for (const option of options) {
    using clock = new FakeClock();
    const { platform, task } = taskWith();
    const start = clock.now;
    platform.inject(HANG_IN_BODY);
    const failed = clock.runUntil(GET(task, option));
    await assertRejects(() => failed, DeepintTimeoutError);
    assertEquals([clock.now - start, clock.pending, platform.count()], [1_000, 0, 1]);
  }
});

Deno.test("timeout covers the token function", async () => {
  using clock = new FakeClock();
  const { platform, task } = taskWith({ token: () => new Promise<string>(() => {}) });
  const start = clock.now;
  const failed = clock.runUntil(GET(task, { timeout: 5_000 }));
  await assertRejects(() => failed, DeepintTimeoutError);
  assertEquals([clock.now - start, clock.pending, platform.count()], [5_000, 0, 0]);
});

Deno.test("an abort at any point of a request rejects immediately with the signal's reason", async () => {
  const points: Record<string, Responder> = {
    "while it connects": HANG,
    "in the body": HANG_IN_BODY,
    "between attempts": () => new Response("{}", { status: 503, headers: { "retry-after": "20" } }),
  };
  for (const [name, responder] of Object.entries(points)) {
    for (const send of [GET, DELETE]) {
      using clock = new FakeClock();
      const { platform, task } = taskWith();
      platform.inject(responder);
      const controller = new AbortController();
      const sent = send(task, { signal: controller.signal })
        .then(() => fail("it did not reject"), (reason: unknown) => reason);
      await clock.tick(1_000);
      const { now } = clock;
      const reason = new Error("enough");
      controller.abort(reason);
      assertStrictEquals(await sent, reason, name);
      assertEquals([clock.now, clock.pending, platform.count()], [now, 0, 1], name);
      await clock.tick(60_000);
      assertEquals(platform.count(), 1, name);
    }
  }
});

Deno.test("a fetch that ignores its signal still ends in time, and its late body is cancelled", async () => {
  using clock = new FakeClock();
  const answer = Promise.withResolvers<Response>();
  const { task } = taskWith({ fetch: () => answer.promise });
  const { info } = task;
  const start = clock.now;
  const failed = clock.runUntil(GET(task, { requestTimeout: 1_000, retries: 0 }));
  await assertRejects(() => failed, DeepintTimeoutError);
  assertEquals([clock.now - start, clock.pending], [1_000, 0]);
  let cancelled = false;
  const cancel = () => {
    cancelled = true;
  };
  answer.resolve(new Response(new ReadableStream({ cancel })));
  await clock.tick(0);
  assert(cancelled);
  assertStrictEquals(task.info, info);
});

Deno.test("an endless body is cancelled at the deadline and on an abort", async () => {
  for (const how of ["deadline", "abort"]) {
    using clock = new FakeClock();
    let cancelled = false;
    const cancel = () => {
      cancelled = true;
    };
    // made by a custom fetch that does not tie the body to its signal
    const fetch = () => Promise.resolve(new Response(new ReadableStream({ cancel })));
    const { task } = taskWith({ fetch });
    const controller = new AbortController();
    const options = { requestTimeout: 1_000, retries: 0, signal: controller.signal };
    const failed = assertRejects(() => GET(task, options));
    await clock.tick(how === "abort" ? 500 : 1_000);
    controller.abort();
    await clock.tick(0);
    await failed;
    assert(cancelled, how);
    assertEquals(clock.pending, 0);
  }
});
