// Following a task as an async iterable.
import { assert, assertEquals, assertRejects, assertStrictEquals, fail } from "@std/assert";
import {
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
  type Task,
  type TaskInfo,
  type WatchOptions,
} from "../../mod.ts";
import { countedAbort, reasonOf } from "../helpers/abort.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { Step } from "../helpers/fake_task.ts";
import { taskWith } from "../helpers/client.ts";

const FOREVER: Step[] = [{ status: "running", progress: 10 }];

/** A task that moves through the steps. */
const setUp = (steps: Step[], known: Record<string, unknown> = { status: "pending" }) =>
  taskWith({ steps, known: { progress: 0, ...known } });

function brief({ status, progress, subtask }: TaskInfo): string {
  return `${status} ${progress} ${subtask}`;
}

async function collect(infos: AsyncIterable<TaskInfo>): Promise<TaskInfo[]> {
  const all: TaskInfo[] = [];
  for await (const info of infos) all.push(info);
  return all;
}

/** An iterator whose `return()` is there for certain. */
function iterate(task: Task, options: WatchOptions = {}) {
  const iterator = task.watch(options)[Symbol.asyncIterator]();
  const leave = () => iterator.return?.() ?? fail("the iterator has no return()");
  return { next: () => iterator.next(), leave };
}

Deno.test("watch() yields the current info, then one per change, and returns at the end", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp([
    { status: "pending", polls: 2 },
    { status: "running", progress: 0, subtask: "read" },
    { status: "running", progress: 0, subtask: "read", name: "renamed", duration: 7 },
    { status: "running", progress: 40, subtask: "read", polls: 2 },
    { status: "running", progress: 40, subtask: "write" },
    { status: "success", progress: 40, subtask: "write", result: "s-1" },
  ]);
  const before = task.info;
  const infos = await clock.runUntil(collect(task.watch()));
  assertEquals(infos.map(brief), [
    "pending 0 null",
    "running 0 read",
    "running 40 read",
    "running 40 write",
    "success 40 write",
  ]);
  assertStrictEquals(infos[0], before);
  assertStrictEquals(infos.at(-1), task.info);
  assertEquals([platform.count(), clock.pending], [8, 0]);
});

Deno.test("watch() of a task that has ended yields it once and costs no request", async () => {
  for (const status of ["success", "failed"]) {
    const { platform, task } = setUp(FOREVER, { status });
    assertEquals(await collect(task.watch()), [task.info]);
    assertEquals(platform.count(), 0);
  }
});

Deno.test("watch() ends at a failed status without an error", async () => {
  using clock = new FakeClock();
  const { task } = setUp([{ status: "pending" }, { status: "failed", error_code: "X" }]);
  const infos = await clock.runUntil(collect(task.watch()));
  assertEquals(infos.map(({ status }) => status), ["pending", "failed"]);
});

Deno.test("watch() rejects with TASK_STATUS_UNKNOWN after yielding the earlier changes", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp([{ status: "pending" }, { status: "archived", polls: 9 }]);
  const iterator = iterate(task);
  assertEquals((await iterator.next()).value, task.info);
  const next = clock.runUntil(iterator.next());
  const error = await assertRejects(() => next, DeepintTaskError, "archived");
  assertEquals([error.code, error.info.rawStatus], ["TASK_STATUS_UNKNOWN", "archived"]);
  assertEquals([platform.count(), clock.pending], [2, 0]);
  assertEquals((await iterator.next()).done, true);
});

Deno.test("watch() polls by the schedule of resolve()", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp([{ status: "running", polls: 3 }, { status: "success" }]);
  const start = clock.now;
  await task.load();
  await clock.runUntil(collect(task.watch({ pollInterval: 5_000 })));
  assertEquals(platform.requests.map(({ at }) => at - start), [0, 5_000, 10_000, 15_000]);
});

Deno.test("watch() makes requests only while a next() is pending", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp(FOREVER);
  const infos = task.watch();
  await clock.tick(60_000);
  assertEquals([platform.count(), clock.pending], [0, 0]);
  const iterator = infos[Symbol.asyncIterator]();
  await iterator.next();
  await clock.tick(60_000);
  assertEquals([platform.count(), clock.pending], [0, 0]);
});

Deno.test("break ends the polling and leaves no timer, request or listener", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp(FOREVER);
  const abort = countedAbort();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const info of task.watch({ signal: abort.signal })) {
      seen.push(info.status);
      if (info.status === "running") break;
    }
  })();
  await clock.runUntil(watching);
  assertEquals(seen, ["pending", "running"]);
  assert(abort.added > 0);
  assertEquals([abort.listeners, clock.pending, platform.count()], [0, 0, 1]);
  await clock.tick(60_000);
  assertEquals(platform.count(), 1);
});

Deno.test("return() ends a next() between polls immediately and leaves no timer", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp(FOREVER, { status: "running", progress: 10 });
  const iterator = iterate(task);
  await iterator.next();
  const next = iterator.next();
  await clock.tick(4_000);
  assertEquals([platform.count(), clock.pending], [2, 1]);
  const left = iterator.leave();
  assertEquals(clock.pending, 0);
  assertEquals((await next).done, true);
  assertEquals((await left).done, true);
  assertEquals((await iterator.next()).done, true);
  await clock.tick(60_000);
  assertEquals([platform.count(), clock.pending], [2, 0]);
});

Deno.test("return() ends a next() during a request and aborts the request", async () => {
  using clock = new FakeClock();
  const { platform, task, signals } = setUp(FOREVER);
  platform.inject(() => new Promise(() => {}));
  const iterator = iterate(task);
  await iterator.next();
  const next = iterator.next();
  await clock.tick(1_000);
  assertEquals([signals.length, signals[0]?.aborted], [1, false]);
  const left = iterator.leave();
  assertEquals([(await next).done, (await left).done], [true, true]);
  assertEquals([signals[0]?.aborted, clock.pending], [true, 0]);
});

Deno.test("return() before the first next() ends the iterator without a request", async () => {
  const { platform, task } = setUp(FOREVER);
  const iterator = iterate(task);
  assertEquals((await iterator.leave()).done, true);
  assertEquals((await iterator.next()).done, true);
  assertEquals(platform.count(), 0);
});

Deno.test("each iteration starts with the current info", async () => {
  using clock = new FakeClock();
  const { task } = setUp([{ status: "running" }, { status: "success" }]);
  const infos = task.watch();
  const first = await clock.runUntil(collect(infos));
  const second = await clock.runUntil(collect(infos));
  assertEquals(first.map(({ status }) => status), ["pending", "running", "success"]);
  assertEquals(second.map(({ status }) => status), ["success"]);
});

Deno.test("a new iteration can follow one that was left", async () => {
  using clock = new FakeClock();
  const { task } = setUp([{ status: "running" }, { status: "success" }]);
  const infos = task.watch();
  for await (const info of infos) {
    assertEquals(info.status, "pending");
    break;
  }
  const rest = await clock.runUntil(collect(infos));
  assertEquals(rest.map(({ status }) => status), ["pending", "running", "success"]);
});

Deno.test("concurrent iterations each see every change and end independently", async () => {
  using clock = new FakeClock();
  const { task } = setUp([{ status: "running", ms: 20_000 }, { status: "success" }]);
  const infos = task.watch();
  const left = (async () => {
    for await (const info of infos) if (info.status === "running") break;
  })();
  const [all] = await clock.runUntil(Promise.all([collect(infos), left]));
  assertEquals(all.map(({ status }) => status), ["pending", "running", "success"]);
  assertEquals(clock.pending, 0);
});

Deno.test("an abort rejects a pending next() immediately with the signal's reason", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp(FOREVER, { status: "running", progress: 10 });
  const controller = new AbortController();
  const iterator = iterate(task, { signal: controller.signal });
  await iterator.next();
  const next = reasonOf(iterator.next());
  await clock.tick(1_000);
  const reason = { why: "enough" };
  controller.abort(reason);
  assertStrictEquals(await next, reason);
  assertEquals([platform.count(), clock.pending], [1, 0]);
});

Deno.test("an abort between two next() rejects the second", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp(FOREVER);
  const controller = new AbortController();
  const iterator = iterate(task, { signal: controller.signal });
  await iterator.next();
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await reasonOf(iterator.next()), reason);
  assertEquals([platform.count(), clock.pending], [0, 0]);
});

Deno.test("an aborted signal rejects the first next() without a request", async () => {
  const { platform, task } = setUp(FOREVER);
  const reason = new Error("enough");
  const iterator = iterate(task, { signal: AbortSignal.abort(reason) });
  assertStrictEquals(await reasonOf(iterator.next()), reason);
  assertEquals(platform.count(), 0);
});

Deno.test("a timeout rejects with the last known info and leaves no timer", async () => {
  using clock = new FakeClock();
  const { task } = setUp(FOREVER);
  const start = clock.now;
  const watching = clock.runUntil(collect(task.watch({ timeout: 10_000 })));
  const error = await assertRejects(() => watching, DeepintTimeoutError);
  assertEquals([error.code, error.elapsed, error.info?.progress], ["TIMEOUT", 10_000, 10]);
  assertEquals([clock.now - start, clock.pending], [10_000, 0]);
});

Deno.test("watch() tolerates failed polls for 2 minutes", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp([{ status: "success" }]);
  const unavailable = () => new Response(null, { status: 503 });
  platform.inject(unavailable, 7);
  const watching = clock.runUntil(collect(task.watch()));
  const error = await assertRejects(() => watching, DeepintHTTPError);
  assertEquals([error.code, platform.count(), clock.pending], ["HTTP_503", 7, 0]);
  platform.inject(unavailable, 5);
  const infos = await clock.runUntil(collect(task.watch()));
  assertEquals(infos.map(({ status }) => status), ["pending", "success"]);
});

Deno.test("watch() rejects immediately on a permanent failure", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp(FOREVER);
  platform.inject(() => Response.json({ code: "UNAUTHORIZED" }, { status: 401 }));
  const watching = clock.runUntil(collect(task.watch()));
  const error = await assertRejects(() => watching, DeepintHTTPError);
  assertEquals([error.code, platform.count()], ["UNAUTHORIZED", 1]);
});

Deno.test("watch() refuses a pollInterval under 250 and an invalid timeout", async () => {
  const { platform, task } = setUp(FOREVER);
  for (const options of [{ pollInterval: 3 }, { pollInterval: NaN }, { timeout: -1 }]) {
    await assertRejects(async () => await collect(task.watch(options)), RangeError);
  }
  assertEquals(platform.count(), 0);
});

Deno.test("the first info of a task without information is loaded", async () => {
  const { platform, task } = setUp([{ status: "success", progress: 100 }], {});
  assertEquals((await collect(task.watch())).map(brief), ["success 100 null"]);
  assertEquals(platform.count(), 1);
});
