// Waiting for many tasks at once. Requests are counted in resolve_all_requests_test.ts; what fails is in
// resolve_all_failures_test.ts.
import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { DeepintTaskError, DeepintTimeoutError, resolveAll, type Task } from "../../mod.ts";
import { tasksBy } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { DONE, handlesOf, order, running } from "../helpers/resolve_all.ts";

Deno.test("resolveAll() yields each task as it settles, with its result loaded once", async () => {
  using clock = new FakeClock();
  const { handles, count } = handlesOf([running(9_000), running(3_000), running(6_000)]);
  assertEquals(await clock.runUntil(order(handles)), ["t-1", "t-2", "t-0"]);
  const requests = count.get();
  for (const task of handles) assertEquals(await task.fetchResult(), { source: "s-1" });
  assertEquals([count.get(), clock.pending], [requests, 0]);
});

Deno.test("resolveAll() makes no request without tasks and for ended tasks", async () => {
  const { platform, handles } = handlesOf([DONE, { status: "failed", error_code: "X" }]);
  for (const task of handles) await task.load();
  assertEquals(await order([]), []);
  assertEquals(await order(handles), ["t-0", "t-1 TASK_X"]);
  assertEquals(platform.count(), 2);
});

Deno.test("a failed task settles with its error, which raiseOnError throws", async () => {
  using clock = new FakeClock();
  const failed = {
    steps: [{ status: "running", ms: 3_000 }, { status: "failed", error_code: "X" }],
  };
  const { handles } = handlesOf([failed, running(9_000)]);
  assertEquals(await clock.runUntil(order(handles)), ["t-0 TASK_X", "t-1"]);
  const again = handlesOf([failed, running(9_000)]);
  const error = await assertRejects(
    () => clock.runUntil(order(again.handles, { raiseOnError: true })),
    DeepintTaskError,
  );
  assertEquals([error.code, clock.pending], ["TASK_X", 0]);
});

Deno.test("an unknown status settles with an error, a missing one is a failed poll", async () => {
  using clock = new FakeClock();
  const { handles } = handlesOf([
    { steps: [{ status: "running", ms: 3_000 }, { status: "paused" }] },
    { steps: [{ status: "running", ms: 3_000 }, { status: null, ms: 5_000 }, DONE] },
    { steps: [{ status: "running", ms: 3_000 }, { status: null }] },
  ]);
  assertEquals(await clock.runUntil(order(handles)), [
    "t-0 TASK_STATUS_UNKNOWN",
    "t-1",
    "t-2 INVALID_RESPONSE", // the sixth failed poll in a row
  ]);
});

Deno.test("an abort rejects immediately with the signal's reason and leaves no timer or listener", async () => {
  using clock = new FakeClock();
  const { platform, handles } = handlesOf([running(60_000), running(60_000)]);
  const controller = new AbortController();
  const waiting = order(handles, { signal: controller.signal });
  const failing = assertRejects(() => waiting).then((error) => error as unknown);
  await clock.tick(5_000);
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await failing, reason);
  const requests = platform.count();
  await clock.tick(60_000);
  assertEquals([platform.count(), clock.pending], [requests, 0]);
  await assertRejects(() => order(handles, { signal: controller.signal }), Error, "enough");
  assertEquals(platform.count(), requests);
});

Deno.test("a timeout rejects on time, says how many tasks are still running, and stops none", async () => {
  using clock = new FakeClock();
  const { platform, handles } = handlesOf([running(2_000), running(60_000)]);
  const started = Date.now();
  const settled: string[] = [];
  const error = await assertRejects(
    () =>
      clock.runUntil((async () => {
        for await (const { task } of resolveAll(handles, { timeout: 10_000 })) {
          settled.push(task.taskId);
        }
      })()),
    DeepintTimeoutError,
    "1 of 2 tasks",
  );
  assertEquals([error.elapsed, Date.now() - started, settled], [10_000, 10_000, ["t-0"]]);
  assertEquals([platform.count(({ method }) => method === "DELETE"), clock.pending], [0, 0]);
});

Deno.test("leaving the loop, and return() while it waits, end the polling", async () => {
  using clock = new FakeClock();
  const { platform, handles } = handlesOf([DONE, running(60_000), running(60_000)]);
  await clock.runUntil((async () => {
    for await (const _ of resolveAll(handles)) break;
  })());
  assertEquals(clock.pending, 0);
  const iterator = resolveAll(handles.slice(1))[Symbol.asyncIterator]();
  const next = iterator.next();
  await clock.tick(3_000);
  await iterator.return?.();
  assertEquals((await next).done, true);
  const requests = platform.count();
  await clock.tick(60_000);
  assertEquals([platform.count(), clock.pending], [requests, 0]);
});

Deno.test("options out of range throw a RangeError immediately", () => {
  const { platform, handles } = handlesOf([running(1_000)]);
  for (const concurrency of [0, -1, NaN]) {
    assertThrows(() => resolveAll(handles, { concurrency }), RangeError, "concurrency");
  }
  assertThrows(() => resolveAll(handles, { pollInterval: 3 }), RangeError, "pollInterval");
  assertThrows(() => resolveAll(handles, { timeout: -1 }), RangeError, "timeout");
  assertEquals(platform.count(), 0);
});

Deno.test("onProgress of resolveAll() is called once for each change of a status", async () => {
  using clock = new FakeClock();
  const start = clock.now;
  const statusAt = (id: string) => {
    const seconds = (clock.now - start) / 1_000 - 10 * Number(id.slice(2));
    return seconds < 20 ? "pending" : seconds < 60 ? "running" : "success";
  };
  const fetch = (url: string) => {
    const { pathname } = new URL(url);
    const id = pathname.split("/").at(-1) ?? "";
    const items = ["t-0", "t-1", "t-2"].map((id) => ({ id, status: statusAt(id) }));
    return Promise.resolve(
      Response.json(
        pathname.endsWith("/tasks") ? { items, pages_count: 1 } : { id, status: statusAt(id) },
      ),
    );
  };
  const tasks = tasksBy(fetch, ["t-0", "t-1", "t-2"]);
  const seen: Record<string, string[]> = {};
  const onProgress = ({ taskId, info }: Task) => {
    (seen[taskId] ??= []).push(info.status);
    throw new Error("only logged");
  };
  const { error } = console;
  // deno-lint-ignore no-console -- silenced: the callback throws
  console.error = () => {};
  try {
    await clock.runUntil((async () => {
      for await (const _settled of resolveAll(tasks, { onProgress, pollInterval: 5_000 }));
    })());
  } finally {
    // deno-lint-ignore no-console
    console.error = error;
  }
  const changes = ["pending", "running", "success"];
  assertEquals(seen, { "t-0": changes, "t-1": changes, "t-2": changes });
});

Deno.test("onProgress of resolveAll() is called for the progress of a task that is polled on its own", async () => {
  using clock = new FakeClock();
  let progress = 0;
  const fetch = () => {
    progress += 25;
    const status = progress > 75 ? "success" : "running";
    return Promise.resolve(Response.json({ id: "t-1", status, progress }));
  };
  const seen: (number | null)[] = [];
  await clock.runUntil((async () => {
    const options = { onProgress: ({ info }: Task) => seen.push(info.progress) > 0 };
    for await (const _settled of resolveAll(tasksBy(fetch, ["t-1"]), options as object));
  })());
  assertEquals(seen, [25, 50, 75, 100]);
});

Deno.test("each iteration starts again, without requests for settled tasks", async () => {
  using clock = new FakeClock();
  const { platform, handles } = handlesOf([running(5_000), running(60_000)]);
  const settlements = resolveAll(handles);
  const iterator = settlements[Symbol.asyncIterator]();
  assertEquals((await clock.runUntil(iterator.next())).value?.task.taskId, "t-0");
  await iterator.return?.();
  const ids = async () => (await Array.fromAsync(settlements)).map(({ task }) => task.taskId);
  assertEquals(await clock.runUntil(ids()), ["t-0", "t-1"]);
  const requests = platform.count();
  assertEquals(await clock.runUntil(ids()), ["t-0", "t-1"]);
  assertEquals([platform.count(), clock.pending], [requests, 0]);
});
