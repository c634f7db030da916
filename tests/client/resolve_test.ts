// Waiting for a task: when it asks, what it gives, what it tells on the way. Polls that fail are in
// resolve_failures_test.ts, aborts and deadlines in abort_test.ts.
import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { Credentials, DeepintTaskError, Task, type TaskInfo } from "../../mod.ts";
import { random, taskWith, times, TOKEN } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { Step } from "../helpers/fake_task.ts";

const credentials = new Credentials({ token: TOKEN });
const RUNNING: Step = { status: "running", polls: 1_000 };

/** A task that moves through the steps. */
const setUp = (steps: Step[], known: Record<string, unknown> = { status: "running" }) =>
  taskWith({ steps, known: { progress: 0, ...known } });

Deno.test("resolve() of a task that has ended costs no request, however old its info is", async () => {
  const { platform, task } = setUp([RUNNING], { status: "success", result: "s-1" });
  assertStrictEquals(await task.resolve(), task.info);
  const failed = setUp([RUNNING], { status: "failed", error_code: "X" });
  await assertRejects(() => failed.task.resolve(), DeepintTaskError);
  assertEquals([platform.count(), failed.platform.count()], [0, 0]);
});

Deno.test("resolve() waits until the task has succeeded and returns its last info", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp([
    { status: "pending" },
    { status: "running", progress: 50 },
    { status: "success", result: "m-1", result_type: "model" },
  ]);
  const info = await clock.runUntil(task.resolve());
  assertEquals([info.status, info.result], ["success", "m-1"]);
  assertStrictEquals(task.info, info);
  assertEquals(await task.fetchResult(), { model: "m-1" });
  assertEquals([platform.count(), clock.pending], [3, 0]);
});

Deno.test("resolve() loads immediately when the info is outdated, then sleeps 3 s between loads", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp([{ status: "running", polls: 3 }, { status: "success" }]);
  const start = clock.now;
  await clock.runUntil(task.resolve());
  assertEquals(times(platform, start), [0, 3_000, 6_000, 9_000]);
});

Deno.test("resolve() sleeps first when the info is fresh", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp([{ status: "running", polls: 2 }, { status: "success" }]);
  const start = clock.now;
  await task.load();
  await clock.runUntil(task.resolve());
  assertEquals(times(platform, start), [0, 3_000, 6_000]);
});

Deno.test("resolve() loads immediately when the last load is more than an interval ago", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp([{ status: "running", polls: 2 }, { status: "success" }]);
  const start = clock.now;
  await task.load();
  await clock.tick(10_001);
  await clock.runUntil(task.resolve({ pollInterval: 10_000 }));
  assertEquals(times(platform, start), [0, 10_001, 20_001]);
});

Deno.test("resolve() polls at the given pollInterval in milliseconds", async () => {
  for (const pollInterval of [250, 1_000, 60_000]) {
    using clock = new FakeClock();
    const { platform, task } = setUp([{ status: "running", polls: 2 }, { status: "success" }]);
    const start = clock.now;
    await clock.runUntil(task.resolve({ pollInterval }));
    assertEquals(times(platform, start), [0, pollInterval, 2 * pollInterval]);
  }
});

Deno.test("resolve() refuses a pollInterval of 3 and names the unit, without a request", async () => {
  const { platform, task } = setUp([{ status: "success" }]);
  const error = await assertRejects(() => task.resolve({ pollInterval: 3 }), RangeError, "3");
  assertStringIncludes(error.message, "millisecond");
  for (const pollInterval of [0, 249.9, -1, NaN]) {
    await assertRejects(() => task.resolve({ pollInterval }), RangeError);
  }
  const text: unknown = "fast";
  await assertRejects(() => task.resolve({ pollInterval: text as number }), RangeError, "fast");
  assertEquals(platform.count(), 0);
});

Deno.test('"adaptive" waits a tenth of the run time, from the task\'s creation', async () => {
  using clock = new FakeClock();
  using _random = random(0);
  const created = new Date(clock.now - 100_000).toISOString();
  const { platform, task } = setUp(
    [{ created, status: "running", polls: 3 }, { created, status: "success" }],
    { created, status: "running" },
  );
  const start = clock.now;
  await clock.runUntil(task.resolve({ pollInterval: "adaptive" }));
  assertEquals(times(platform, start), [0, 10_000, 21_000, 33_100]);
});

Deno.test('"adaptive" stays between 2 s and 60 s, plus at most a tenth of jitter', async () => {
  const day = 86_400_000;
  // by age: an implausible one does not count, and the run time is that of the wait
  const delays = { 0: 2_000, [day]: 60_000, [8 * day]: 2_000, [-day]: 2_000 };
  for (const [age, delay] of Object.entries(delays)) {
    for (const jitter of [0, 0.9999]) {
      using clock = new FakeClock();
      using _random = random(jitter);
      const created = new Date(clock.now - Number(age)).toISOString();
      const { platform, task } = setUp([{ created, status: "running" }, { status: "success" }]);
      const start = clock.now;
      await clock.runUntil(task.resolve({ pollInterval: "adaptive" }));
      const [, second = NaN] = times(platform, start);
      assertEquals(second, Math.ceil(delay * (1 + 0.1 * jitter)), `age ${age} ms`);
    }
  }
});

Deno.test('"adaptive" without a creation date goes by the time since the first poll', async () => {
  using clock = new FakeClock();
  using _random = random(0);
  const { platform, task } = setUp([
    { created: null, status: "running", polls: 30 },
    { created: null, status: "success" },
  ]);
  const start = clock.now;
  await clock.runUntil(task.resolve({ pollInterval: "adaptive" }));
  const at = times(platform, start);
  assertEquals(at.slice(0, 4), [0, 2_000, 4_000, 6_000]);
  for (const [index, time] of at.entries()) {
    const delay = time - (at[index - 1] ?? NaN);
    if (index > 0) assertEquals(delay, Math.max(2_000, Math.ceil((at[index - 1] ?? 0) / 10)));
  }
  assertGreater(at.at(-1) ?? 0, 100_000);
});

Deno.test("resolve() rejects with the failed task's code, text, task and info", async () => {
  using clock = new FakeClock();
  const { task } = setUp([
    { status: "running" },
    { status: "failed", error_code: "BAD_CSV", error_description: "line 3 has no end" },
  ]);
  const waited = clock.runUntil(task.resolve());
  const error = await assertRejects(() => waited, DeepintTaskError);
  assertEquals(error.code, "TASK_BAD_CSV");
  assertEquals(error.message, "Task (t-1) import failed with description: line 3 has no end");
  assertStrictEquals(error.task, task);
  assertStrictEquals(error.info, task.info);
  assertEquals(await task.isErrored(), true);
});

Deno.test("a failed task without error fields rejects with TASK_UNKNOWN and no description", async () => {
  for (const fields of [{}, { name: null, error_code: null, error_description: null }]) {
    const { task } = setUp([], { status: "failed", ...fields });
    const failed = Task.fromDict(task.toDict(), {
      credentials,
      fetch: () => Promise.resolve(Response.json({ id: "t-1", status: "failed", ...fields })),
    });
    for (const each of [task, failed]) {
      const error = await assertRejects(() => each.resolve(), DeepintTaskError, "no description");
      assertEquals(error.code, "TASK_UNKNOWN");
      assertEquals(error.message.match(/null|undefined/), null);
    }
  }
});

Deno.test("resolve({ raiseOnError: false }) returns the info of the failed task", async () => {
  using clock = new FakeClock();
  const { task } = setUp([{ status: "running" }, { status: "failed", error_code: "X" }]);
  const info = await clock.runUntil(task.resolve({ raiseOnError: false }));
  assertEquals([info.status, info.errorCode], ["failed", "X"]);
});

Deno.test("resolve() stops at an unknown status and rejects with TASK_STATUS_UNKNOWN", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp([{ status: "running" }, { status: "archived", polls: 9 }]);
  const waited = clock.runUntil(task.resolve());
  const error = await assertRejects(() => waited, DeepintTaskError, "archived");
  assertEquals(error.code, "TASK_STATUS_UNKNOWN");
  assertStrictEquals(error.task, task);
  assertEquals([error.info.status, error.info.rawStatus], ["unknown", "archived"]);
  assertEquals([platform.count(), clock.pending], [2, 0]);
});

Deno.test("resolve({ raiseOnError: false }) stops at an unknown status and returns its info", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp([{ status: "running" }, { status: "archived", polls: 9 }]);
  const info = await clock.runUntil(task.resolve({ raiseOnError: false }));
  assertEquals([info.status, info.rawStatus], ["unknown", "archived"]);
  assertEquals([platform.count(), clock.pending], [2, 0]);
});

Deno.test("an unknown status that was loaded just now ends resolve() without a request", async () => {
  using clock = new FakeClock();
  const { platform, task } = setUp([{ status: "archived" }]);
  await task.load();
  const waited = clock.runUntil(task.resolve());
  const error = await assertRejects(() => waited, DeepintTaskError, "archived");
  assertEquals([error.code, platform.count()], ["TASK_STATUS_UNKNOWN", 1]);
});

Deno.test("onProgress is called when status, progress or subtask changed, never otherwise", async () => {
  using clock = new FakeClock();
  const { task } = setUp(
    [
      { status: "pending", polls: 2 },
      { status: "running", progress: 0, subtask: "read" },
      { status: "running", progress: 0, subtask: "read", name: "renamed", duration: 7 },
      { status: "running", progress: 40, subtask: "read", polls: 2 },
      { status: "running", progress: 40, subtask: "write" },
      { status: "success", progress: 40, subtask: "write" },
    ],
    { status: "pending" },
  );
  const seen: unknown[] = [];
  const onProgress = (info: TaskInfo) => {
    seen.push([info.status, info.progress, info.subtask]);
    assertStrictEquals(task.info, info);
  };
  await clock.runUntil(task.resolve({ onProgress }));
  assertEquals(seen, [
    ["running", 0, "read"],
    ["running", 40, "read"],
    ["running", 40, "write"],
    ["success", 40, "write"],
  ]);
});

Deno.test("onProgress is not called for a task that has ended already", async () => {
  const { task } = setUp([], { status: "success" });
  let calls = 0;
  await task.resolve({ onProgress: () => calls++ });
  assertEquals(calls, 0);
});

Deno.test("an onProgress that throws or rejects goes to console.error and does not end the wait", async () => {
  using clock = new FakeClock();
  const problem = new Error("the progress bar broke");
  const handlers: Record<string, () => void> = {
    throws: () => {
      throw problem;
    },
    rejects: () => Promise.reject(problem),
  };
  const original = globalThis.console;
  for (const [name, onProgress] of Object.entries(handlers)) {
    const logged: unknown[][] = [];
    globalThis.console = { ...original, error: (...args: unknown[]) => logged.push(args) };
    try {
      const { task } = setUp([{ status: "running", progress: 1 }, { status: "success" }]);
      assertEquals((await clock.runUntil(task.resolve({ onProgress }))).status, "success", name);
    } finally {
      globalThis.console = original;
    }
    assertEquals(logged.length, 2, name);
    assert(logged.every((args) => args.includes(problem)), name);
  }
});

Deno.test("concurrent waits each see the end, also without a request of their own", async () => {
  using clock = new FakeClock();
  const { task } = setUp([{ status: "running", ms: 10_000 }, { status: "success" }]);
  const waits = [task.resolve({ pollInterval: 1_000 }), task.resolve({ pollInterval: 7_000 })];
  const infos = await clock.runUntil(Promise.all(waits));
  assertEquals(infos.map(({ status }) => status), ["success", "success"]);
  assertEquals(clock.pending, 0);
});

Deno.test("concurrent waits each call onProgress once per change", async () => {
  using clock = new FakeClock();
  const { task } = setUp([
    { status: "running", ms: 10_000 },
    { status: "running", progress: 50, ms: 10_000 },
    { status: "success", progress: 50 },
  ]);
  const calls: string[] = [];
  const wait = (name: string, pollInterval: number) =>
    task.resolve({
      pollInterval,
      onProgress: ({ status, progress }) => calls.push(`${name} ${status} ${progress}`),
    });
  await clock.runUntil(Promise.all([wait("a", 1_000), wait("b", 1_700)]));
  const expected = ["a running 50", "a success 50", "b running 50", "b success 50"];
  assertEquals(calls.toSorted(), expected);
});
