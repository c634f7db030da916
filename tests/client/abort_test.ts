// An abort and a deadline at every point of resolve(): each ends the wait at once and leaves no
// timer, no request and no listener behind; neither touches the task.
import { assert, assertEquals, assertStrictEquals, assertStringIncludes } from "@std/assert";
import { DeepintTimeoutError, type ResolveOptions, Task, TaskInfo } from "../../mod.ts";
import { countedAbort, reasonOf } from "../helpers/abort.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { Responder } from "../helpers/fake_platform.ts";
import { HANG, taskWith, type TaskWithOptions, TOKEN } from "../helpers/client.ts";

/** A running task that never ends. */
function setUp(options: TaskWithOptions = {}) {
  return taskWith({ steps: [{ status: "running" }], ...options });
}

type Given = ReturnType<typeof setUp>;

/** A point of the wait: how it gets there, how many requests it takes, whether one is under way. */
interface Point {
  given(): Given;
  requests: number;
  pending: boolean;
  /** `true` if the last poll before a deadline is still to come. */
  lastPoll?: boolean;
}

const hangInBody: Responder = () =>
  new Response(new ReadableStream({ start: (body) => body.enqueue(new Uint8Array([123])) }));

function injected(responder: Responder): Given {
  const given = setUp();
  given.platform.inject(responder);
  return given;
}

const POINTS: Record<string, Point> = {
  "in the function that gives the token": {
    given: () => setUp({ token: () => new Promise(() => {}) }),
    requests: 0,
    pending: false,
  },
  "while it connects": { given: () => injected(HANG), requests: 1, pending: true },
  "in the body": { given: () => injected(hangInBody), requests: 1, pending: true },
  "between polls": { given: () => setUp(), requests: 1, pending: false, lastPoll: true },
  "after a failed poll": {
    given: () => injected(() => new Response(null, { status: 503 })),
    requests: 1,
    pending: false,
    lastPoll: true,
  },
  "while the second poll connects": {
    given() {
      const given = setUp();
      given.platform.inject(() => undefined);
      given.platform.inject(HANG);
      return given;
    },
    requests: 2,
    pending: true,
  },
  "while it connects through a fetch that ignores its signal": {
    given() {
      return setUp({ fetch: () => new Promise<Response>(() => {}) });
    },
    requests: 1,
    pending: true,
  },
};

/** Times at which each point has been reached for certain: after the second poll began, before its end. */
const REACHED = 2_500;

for (const [name, point] of Object.entries(POINTS)) {
  const interval = name.includes("second") ? 2_000 : 3_000;

  Deno.test(`an abort ${name} rejects immediately with the signal's reason and leaves no timer or listener`, async () => {
    using clock = new FakeClock();
    for (const reason of [new Error("enough"), "a text", undefined]) {
      const { task, platform, signals } = point.given();
      const abort = countedAbort();
      const { signal } = abort;
      const waited = reasonOf(task.resolve({ signal, pollInterval: interval }));
      await clock.tick(REACHED);
      assertEquals(signals.length, point.requests);
      assert(abort.added > 0);
      const { now } = clock;
      abort.abort(reason);
      assertStrictEquals(await waited, signal.reason);
      if (reason !== undefined) assertStrictEquals(signal.reason, reason);
      assertEquals([clock.now, clock.pending, abort.listeners], [now, 0, 0]);
      if (point.pending) assertEquals(signals.at(-1)?.aborted, true);
      await clock.tick(60_000);
      assertEquals(signals.length, point.requests);
      assertEquals(platform.count(({ method }) => method === "DELETE"), 0);
    }
  });

  Deno.test(`a timeout ${name} rejects on time with the last known info and leaves no timer or listener`, async () => {
    using clock = new FakeClock();
    const { task, platform, signals } = point.given();
    const abort = countedAbort();
    const start = clock.now;
    const options: ResolveOptions = {
      signal: abort.signal,
      pollInterval: interval,
      timeout: REACHED,
    };
    const error = await clock.runUntil(reasonOf(task.resolve(options)));
    assert(error instanceof DeepintTimeoutError);
    assertEquals([error.code, error.elapsed, clock.now - start], ["TIMEOUT", REACHED, REACHED]);
    assertStringIncludes(error.message, "t-1");
    assertStrictEquals(error.info, task.info);
    assertEquals(error.info?.status, "running");
    assertStringIncludes(error.message, "again"); // it says how to go on
    const requests = point.requests + (point.lastPoll ? 1 : 0);
    assertEquals([signals.length, clock.pending, abort.listeners], [requests, 0, 0]);
    if (point.pending) assertEquals(signals.at(-1)?.aborted, true);
    await clock.tick(60_000);
    assertEquals(signals.length, requests);
    assertEquals(platform.count(({ method }) => method === "DELETE"), 0);
  });
}

Deno.test("an aborted signal makes no request and leaves no listener", async () => {
  using clock = new FakeClock();
  for (const status of ["running", "success"]) {
    const { task, signals } = setUp();
    task.info = TaskInfo.fromDict({ id: "t-1", status });
    const abort = countedAbort();
    const reason = new Error("enough");
    abort.abort(reason);
    assertStrictEquals(await reasonOf(task.resolve({ signal: abort.signal })), reason);
    assertEquals([signals.length, clock.pending, abort.listeners], [0, 0, 0]);
  }
});

Deno.test("build(), load() and delete() make no request with an aborted signal", async () => {
  const { task, signals, platform } = setUp();
  const reason = new Error("enough");
  const options = { signal: AbortSignal.abort(reason) };
  const { organizationId, workspaceId, taskId, credentials } = task;
  const building = { organizationId, workspaceId, taskId, credentials, fetch: platform.fetch };
  for (
    const operation of [
      () => task.load(options),
      () => task.delete(options),
      () => Task.build({ ...building, ...options }),
    ]
  ) assertStrictEquals(await reasonOf(operation()), reason);
  assertEquals([signals.length, platform.count()], [0, 0]);
});

Deno.test("a wait leaves no timer and no listener, whether it resolves or rejects", async () => {
  using clock = new FakeClock();
  const ends: Record<string, Responder> = {
    success: () => Response.json({ id: "t-1", status: "success" }),
    failed: () => Response.json({ id: "t-1", status: "failed" }),
    unknown: () => Response.json({ id: "t-1", status: "archived" }),
    refused: () => new Response(null, { status: 401 }),
  };
  for (const [name, responder] of Object.entries(ends)) {
    const { task, platform } = setUp();
    platform.inject(() => undefined);
    platform.inject(responder);
    const abort = countedAbort();
    await clock.runUntil(task.resolve({ signal: abort.signal }).catch(() => {}));
    assert(abort.added > 0, name);
    assertEquals([platform.count(), clock.pending, abort.listeners], [2, 0, 0], name);
  }
});

Deno.test("a request leaves no timer and no listener, whether it succeeds, fails, times out or aborts", async () => {
  using clock = new FakeClock();
  const ends: Record<string, Responder> = {
    success: () => undefined,
    refused: () => new Response(null, { status: 401 }),
    "out of retries": () => new Response(null, { status: 503 }),
    "out of time": HANG,
    aborted: hangInBody,
  };
  for (const [name, responder] of Object.entries(ends)) {
    for (const method of ["load", "delete"] as const) {
      const { task, platform } = setUp();
      platform.inject(responder, 3);
      const abort = countedAbort();
      const ended = task[method]({ signal: abort.signal }).then(() => {}, () => {});
      if (name === "aborted") {
        await clock.tick(1_000);
        abort.abort();
      }
      await clock.runUntil(ended);
      assert(abort.added > 0, name);
      assertEquals([clock.pending, abort.listeners], [0, 0], name);
    }
  }
});

Deno.test("an abort during the token function prevents the request", async () => {
  using clock = new FakeClock();
  const token = Promise.withResolvers<string>();
  const { task, signals } = setUp({ token: () => token.promise });
  const abort = countedAbort();
  const waited = reasonOf(task.resolve({ signal: abort.signal }));
  await clock.tick(100);
  abort.abort();
  await waited;
  token.resolve(TOKEN);
  await clock.tick(60_000);
  assertEquals([signals.length, clock.pending], [0, 0]);
});

Deno.test("an abort within onProgress ends the wait with the signal's reason", async () => {
  using clock = new FakeClock();
  const { task, platform } = setUp();
  platform.inject(() => Response.json({ id: "t-1", status: "running", progress: 1 }));
  const abort = countedAbort();
  const reason = new Error("far enough");
  const onProgress = () => abort.abort(reason);
  const waited = reasonOf(task.resolve({ signal: abort.signal, onProgress }));
  assertStrictEquals(await clock.runUntil(waited), reason);
  assertEquals([platform.count(), clock.pending, abort.listeners], [1, 0, 0]);
});

Deno.test("an abort ends only its own wait for the task", async () => {
  using clock = new FakeClock();
  const { task } = setUp({ steps: [{ status: "running", ms: 60_000 }, { status: "success" }] });
  const [one, other] = [countedAbort(), countedAbort()];
  const reason = new Error("enough");
  const aborted = reasonOf(task.resolve({ signal: one.signal }));
  const timedOut = reasonOf(task.resolve({ timeout: 20_000 }));
  const waited = task.resolve({ signal: other.signal });
  await clock.tick(10_000);
  one.abort(reason);
  assertStrictEquals(await aborted, reason);
  assert(await clock.runUntil(timedOut) instanceof DeepintTimeoutError);
  assertEquals((await clock.runUntil(waited)).status, "success");
  assertEquals([clock.pending, one.listeners, other.listeners], [0, 0, 0]);
});

Deno.test("a timeout of 0 rejects immediately unless the task has ended", async () => {
  using clock = new FakeClock();
  const { task } = setUp();
  const start = clock.now;
  const error = await clock.runUntil(reasonOf(task.resolve({ timeout: 0 })));
  assert(error instanceof DeepintTimeoutError);
  assertEquals([clock.now - start, clock.pending], [0, 0]);
  task.info = TaskInfo.fromDict({ id: "t-1", status: "success" });
  assertEquals((await task.resolve({ timeout: 0 })).status, "success");
});

Deno.test("a timeout that is not a number of milliseconds is refused", async () => {
  const { task, signals } = setUp();
  for (const timeout of [-1, NaN]) {
    assert(await reasonOf(task.resolve({ timeout })) instanceof RangeError);
    assert(await reasonOf(task.resolve({ requestTimeout: timeout })) instanceof RangeError);
  }
  assertEquals(signals.length, 0);
});

Deno.test("an abort during a request rejects with its reason unchanged", async () => {
  const { platform, task, signals } = setUp();
  platform.inject(HANG);
  let looks = 0;
  const reason = {
    get text() {
      looks++;
      return "";
    },
  };
  const controller = new AbortController();
  const loading = task.load({ signal: controller.signal });
  const turn = () => new Promise((resolve) => setTimeout(resolve));
  await turn();
  assertEquals(signals.length, 1);
  controller.abort(reason);
  assertStrictEquals(await reasonOf(loading), reason);
  await turn();
  assertEquals(looks, 0);
});
