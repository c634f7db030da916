// Waiting for many tasks at once.
import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Credentials,
  type DeepintBaseError,
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
  pollDelay,
  resolveAll,
  type ResolveAllOptions,
  Task,
} from "../../mod.ts";
import { HANG, random, TOKEN } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import {
  createFakePlatform,
  type FakePlatformOptions,
  type FakeTask,
  type Responder,
} from "../helpers/fake_platform.ts";

const credentials = new Credentials({ token: TOKEN });
const DONE = { status: "success", result: "s-1", result_type: "source" };
const running = (ms: number): FakeTask => ({ steps: [{ status: "running", ms }, DONE] });

/** A platform with these tasks, and a handle of each of them that nothing has been loaded to. */
function setUp(tasks: FakeTask[], options: FakePlatformOptions = {}) {
  const platform = createFakePlatform({ token: TOKEN, ...options });
  const created = new Date().toISOString();
  const handles = tasks.map((task, index) => {
    const { id, organization, workspace } = platform.add({ id: `t-${index}`, created, ...task });
    const dict = { organization_id: organization, workspace_id: workspace, task_id: id };
    return Task.fromDict(dict, { credentials, fetch: platform.fetch });
  });
  const count = { list: () => platform.count("/tasks?"), get: () => platform.count("/task/") };
  return { platform, handles, count };
}

/** The ids in the order in which they settled, each with its error's code. */
async function collect(tasks: Iterable<Task>, options?: ResolveAllOptions): Promise<string[]> {
  const settled: string[] = [];
  for await (const { task, error } of resolveAll(tasks, options)) {
    settled.push(error ? `${task.taskId} ${error.code}` : task.taskId);
  }
  return settled;
}

/** Counts the requests of one adaptive wait for a task. */
function pollsOfOne(duration: number): number {
  let polls = 1;
  for (let elapsed = 0; elapsed < duration; polls++) elapsed += pollDelay({ elapsed, random: 0.5 });
  return polls;
}

Deno.test("resolveAll() yields each task as it settles, with its result loaded once", async () => {
  using clock = new FakeClock();
  const { handles, count } = setUp([running(9_000), running(3_000), running(6_000)]);
  assertEquals(await clock.runUntil(collect(handles)), ["t-1", "t-2", "t-0"]);
  const requests = count.get();
  for (const task of handles) assertEquals(await task.fetchResult(), { source: "s-1" });
  assertEquals([count.get(), clock.pending], [requests, 0]);
});

Deno.test("resolveAll() makes no request without tasks and for ended tasks", async () => {
  const { platform, handles } = setUp([DONE, { status: "failed", error_code: "X" }]);
  for (const task of handles) await task.load();
  assertEquals(await collect([]), []);
  assertEquals(await collect(handles), ["t-0", "t-1 TASK_X"]);
  assertEquals(platform.count(), 2);
});

Deno.test("1,000 tasks of 6 s at an interval of 1 s take 1,060 requests at most", async () => {
  using clock = new FakeClock();
  const { platform, handles, count } = setUp(Array.from({ length: 1_000 }, () => running(6_000)));
  assertEquals((await clock.runUntil(collect(handles, { pollInterval: 1_000 }))).length, 1_000);
  assert(platform.count() <= 1_060, `${platform.count()} requests`);
  assertEquals(count.get(), 1_000);
});

Deno.test("5,000 tasks of 10 minutes take 100 times fewer requests before they settle than one poller each", async () => {
  using clock = new FakeClock();
  const minutes = 600_000;
  const { handles, count } = setUp(Array.from({ length: 5_000 }, () => running(minutes)));
  assertEquals((await clock.runUntil(collect(handles))).length, 5_000);
  assertEquals(count.get(), 5_000);
  const ratio = 5_000 * pollsOfOne(minutes) / count.list();
  assert(ratio >= 100, `${ratio}`);
});

Deno.test("requests grow with the pages of the list, not with the tasks", async () => {
  const lists: number[] = [];
  for (const size of [10, 100, 1_000, 10_000]) {
    using clock = new FakeClock();
    using _ = random(0.5);
    const { handles, count } = setUp(Array.from({ length: size }, () => running(60_000)));
    assertEquals((await clock.runUntil(collect(handles))).length, size);
    assertEquals(count.get(), size);
    lists.push(count.list());
  }
  const [ten = 0, ...others] = lists;
  assertEquals(others, [ten, 2 * ten, 20 * ten]);
});

Deno.test("the end of tasks of any age is seen 11 % of their run time + 2.2 s late at most", async () => {
  using clock = new FakeClock();
  const durations = [1_000, 5_000, 30_000, 240_000, 900_000, 3_600_000];
  const { handles } = setUp(durations.map(running));
  const started = Date.now();
  await clock.runUntil((async () => {
    for await (const { task } of resolveAll(handles)) {
      const duration = durations[Number(task.taskId.slice(2))] ?? NaN;
      const late = Date.now() - started - duration;
      assert(late >= 0 && late <= 0.11 * duration + 2_200, `${task.taskId}: ${late} ms`);
    }
  })());
});

Deno.test("few tasks of a workspace with many pages take one request more than a poller each", async () => {
  using clock = new FakeClock();
  using _ = random(0.5);
  const { platform, handles, count } = setUp(
    Array.from({ length: 3_000 }, () => running(60_000)),
    { pageLimit: 10 },
  );
  const few = handles.slice(-3);
  assertEquals((await clock.runUntil(collect(few))).length, 3);
  assertEquals(count.list(), 1);
  assert(platform.count() <= 3 * pollsOfOne(60_000) + 1, `${platform.count()} requests`);
});

Deno.test("one task of a workspace is never listed, and workspaces are listed apart", async () => {
  using clock = new FakeClock();
  const { platform, handles } = setUp([
    { ...running(3_000), workspace: "w-1" },
    { ...running(3_000), workspace: "w-2" },
    { ...running(3_000), workspace: "w-2" },
    { ...running(3_000), workspace: "w-2", organization: "o-2" },
  ]);
  assertEquals((await clock.runUntil(collect(handles))).length, 4);
  const listed = platform.requests.filter(({ path }) => path.includes("/tasks?"));
  assert(listed.length > 0 && listed.every(({ path }) => path.includes("/w-2/")));
});

Deno.test("a task that disappears settles with a 404 and delays no other task", async () => {
  using clock = new FakeClock();
  const { platform, handles } = setUp([running(20_000), running(20_000), running(3_000)]);
  const gone = Task.fromDict(
    { ...handles[0]?.toDict(), info: { id: "t-gone" } },
    { credentials, fetch: platform.fetch },
  );
  const errors: (DeepintBaseError | undefined)[] = [];
  const order: string[] = [];
  await clock.runUntil((async () => {
    for await (const { task, error } of resolveAll([...handles, gone])) {
      order.push(task.taskId);
      if (task === gone) errors.push(error);
    }
  })());
  assertEquals(order[0], "t-gone");
  assertEquals(order.slice(1).toSorted(), ["t-0", "t-1", "t-2"]);
  assert(errors[0] instanceof DeepintHTTPError && errors[0].status === 404);
});

Deno.test("tasks missing from the list are polled on their own", async () => {
  using clock = new FakeClock();
  const { platform, handles, count } = setUp([running(5_000), running(5_000), running(5_000)]);
  platform.inject(
    (request) =>
      request.url.includes("/tasks?")
        ? Response.json({ page: 0, limit: 500, pages_count: 1, items_count: 0, items: [] })
        : undefined,
    Infinity,
  );
  assertEquals((await clock.runUntil(collect(handles))).length, 3);
  assertEquals(count.list(), 1);
});

Deno.test("a list that always fails does not end the wait", async () => {
  const broken: Record<string, Responder> = {
    forbidden: () => Response.json({}, { status: 403 }),
    malformed: () => Response.json({ items: 5 }),
    unavailable: () => Response.json({}, { status: 502 }),
    limited: () => Response.json({}, { status: 429, headers: { "retry-after": "7" } }),
    hanging: HANG,
  };
  for (const [name, responder] of Object.entries(broken)) {
    using clock = new FakeClock();
    const { platform, handles } = setUp([running(5_000), running(90_000)]);
    platform.inject((r) => r.url.includes("/tasks?") ? responder(r) : undefined, Infinity);
    assertEquals(await clock.runUntil(collect(handles)), ["t-0", "t-1"], name);
  }
});

Deno.test("a list with 429 is not requested again before its Retry-After", async () => {
  using clock = new FakeClock();
  const { platform, handles } = setUp([running(5_000), running(5_000)]);
  platform.inject(() => Response.json({}, { status: 429, headers: { "retry-after": "60" } }));
  await clock.runUntil(collect(handles));
  const [first, second] = platform.requests;
  assert(second && first && second.at - first.at >= 60_000);
});

Deno.test("a failed task settles with its error, which raiseOnError throws", async () => {
  using clock = new FakeClock();
  const failed = {
    steps: [{ status: "running", ms: 3_000 }, { status: "failed", error_code: "X" }],
  };
  const { handles } = setUp([failed, running(9_000)]);
  assertEquals(await clock.runUntil(collect(handles)), ["t-0 TASK_X", "t-1"]);
  const again = setUp([failed, running(9_000)]);
  const error = await assertRejects(
    () => clock.runUntil(collect(again.handles, { raiseOnError: true })),
    DeepintTaskError,
  );
  assertEquals([error.code, clock.pending], ["TASK_X", 0]);
});

Deno.test("an unknown status settles with an error, a missing one is a failed poll", async () => {
  using clock = new FakeClock();
  const { handles } = setUp([
    { steps: [{ status: "running", ms: 3_000 }, { status: "paused" }] },
    { steps: [{ status: "running", ms: 3_000 }, { status: null, ms: 5_000 }, DONE] },
    { steps: [{ status: "running", ms: 3_000 }, { status: null }] },
  ]);
  assertEquals(await clock.runUntil(collect(handles)), [
    "t-0 TASK_STATUS_UNKNOWN",
    "t-1",
    "t-2 INVALID_RESPONSE", // the sixth failed poll in a row
  ]);
});

Deno.test("at most `concurrency` requests are in flight", async () => {
  for (const concurrency of [undefined, 3]) {
    using clock = new FakeClock();
    const { platform, handles } = setUp(
      Array.from(
        { length: 40 },
        (_, index) => ({ ...running(3_000), workspace: `w-${index % 20}` }),
      ),
    );
    let active = 0;
    let most = 0;
    const tasks = handles.map((task) =>
      Task.fromDict(task.toDict(), {
        credentials,
        fetch: async (url, init) => {
          most = Math.max(most, ++active);
          await new Promise((resolve) => setTimeout(resolve, 50));
          active--;
          return await platform.fetch(url, init);
        },
      })
    );
    assertEquals((await clock.runUntil(collect(tasks, { concurrency }))).length, 40);
    assertEquals(most, concurrency ?? 8);
  }
});

Deno.test("an abort rejects immediately with the signal's reason and leaves no timer or listener", async () => {
  using clock = new FakeClock();
  const { platform, handles } = setUp([running(60_000), running(60_000)]);
  const controller = new AbortController();
  const waiting = collect(handles, { signal: controller.signal });
  const failing = assertRejects(() => waiting).then((error) => error as unknown);
  await clock.tick(5_000);
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await failing, reason);
  const requests = platform.count();
  await clock.tick(60_000);
  assertEquals([platform.count(), clock.pending], [requests, 0]);
  await assertRejects(() => collect(handles, { signal: controller.signal }), Error, "enough");
  assertEquals(platform.count(), requests);
});

Deno.test("a timeout rejects on time, says how many tasks are still running, and stops none", async () => {
  using clock = new FakeClock();
  const { platform, handles } = setUp([running(2_000), running(60_000)]);
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
  const { platform, handles } = setUp([DONE, running(60_000), running(60_000)]);
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

Deno.test("tasks of a list, the same task twice, and a generator of tasks are all waited for", async () => {
  using clock = new FakeClock();
  const { platform, handles } = setUp([DONE, running(4_000)]);
  const place = { organizationId: "organization-1", workspaceId: "workspace-1", credentials };
  const listed: Task[] = [];
  for await (const task of Task.list({ ...place, fetch: platform.fetch })) listed.push(task);
  const twice = [...listed, ...handles, ...handles];
  function* generator() {
    yield* twice;
  }
  const settled = await clock.runUntil(collect(generator()));
  assertEquals(settled.toSorted(), ["t-0", "t-0", "t-0", "t-1", "t-1", "t-1"]);
  assertEquals(await listed[0]?.fetchResult(), { source: "s-1" });
});

Deno.test("options out of range throw a RangeError immediately", () => {
  const { platform, handles } = setUp([running(1_000)]);
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
  const credentials = new Credentials({ token: TOKEN });
  const tasks = ["t-0", "t-1", "t-2"].map((task_id) =>
    Task.fromDict({ organization_id: "o-1", workspace_id: "w-1", task_id }, { credentials, fetch })
  );
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
  const credentials = new Credentials({ token: TOKEN });
  const dict = { organization_id: "o-1", workspace_id: "w-1", task_id: "t-1" };
  const task = Task.fromDict(dict, { credentials, fetch });
  const seen: (number | null)[] = [];
  await clock.runUntil((async () => {
    const options = { onProgress: ({ info }: Task) => seen.push(info.progress) > 0 };
    for await (const _settled of resolveAll([task], options as object));
  })());
  assertEquals(seen, [25, 50, 75, 100]);
});
