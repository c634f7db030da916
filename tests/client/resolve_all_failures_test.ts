// Waiting for many tasks where the server, the list or the reader lets the wait down.
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  Credentials,
  DeepintTaskError,
  DeepintTimeoutError,
  resolveAll,
  type ResolveAllOptions,
  Task,
} from "../../mod.ts";
import { HANG, random, TOKEN } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import {
  createFakePlatform,
  type FakePlatform,
  type FakePlatformOptions,
  type FakeTask,
  type Responder,
} from "../helpers/fake_platform.ts";

const DONE = { status: "success", result: "s-1", result_type: "source" };
const running = (ms: number): FakeTask => ({ steps: [{ status: "running", ms }, DONE] });
const isList = ({ url }: { url: string }) => url.includes("/tasks?");
const answer = (status: number, retryAfter?: number) => () =>
  Response.json({}, { status, headers: retryAfter ? { "retry-after": `${retryAfter}` } : {} });

/** A platform with these tasks, and a handle of each that nothing has been loaded to. */
function setUp(tasks: FakeTask[], options: FakePlatformOptions = {}) {
  const platform = createFakePlatform({ token: TOKEN, ...options });
  tasks.forEach((task, index) => platform.add({ id: `t-${index}`, ...task }));
  const handles = tasks.map((_, index) => handle(platform, `t-${index}`));
  return { platform, handles };
}

function handle(platform: FakePlatform, id: string, instance = "app.deepint.net"): Task {
  const dict = { organization_id: "organization-1", workspace_id: "workspace-1", task_id: id };
  const credentials = new Credentials({ token: TOKEN, instance });
  return Task.fromDict(dict, { credentials, fetch: platform.fetch });
}

/** Answers some requests in another way, for ever. */
function replace(
  platform: FakePlatform,
  which: (request: Request) => boolean,
  responder: Responder,
) {
  return platform.inject((request) => which(request) ? responder(request) : undefined, Infinity);
}

/** Which settled, and when, in seconds of the wait; an error's code instead of the time. */
async function collect(tasks: Iterable<Task>, options?: ResolveAllOptions) {
  const started = Date.now();
  const settled: Record<string, number | string> = {};
  for await (const { task, error } of resolveAll(tasks, options)) {
    settled[task.taskId] = error?.code ?? (Date.now() - started) / 1_000;
  }
  return settled;
}

Deno.test("a timeout ends the wait, not the tasks, while requests are in progress", async () => {
  for (const tasks of [1, 3]) {
    using clock = new FakeClock();
    const { platform, handles } = setUp(Array.from({ length: tasks }, () => running(60_000)));
    platform.inject(HANG, Infinity);
    const iterator = resolveAll(handles, { timeout: 5_000 })[Symbol.asyncIterator]();
    const error = await assertRejects(
      () => clock.runUntil(iterator.next()),
      DeepintTimeoutError,
      `${tasks} of ${tasks} tasks`,
    );
    assertEquals([error.code, error.elapsed, clock.pending], ["TIMEOUT", 5_000, 0]);
  }
});

Deno.test("a timeout of 0 costs no request", async () => {
  using clock = new FakeClock();
  const { platform, handles } = setUp([running(5_000), running(5_000)]);
  const waiting = collect(handles, { timeout: 0 });
  await assertRejects(() => clock.runUntil(waiting), DeepintTimeoutError, "2 of 2 tasks");
  assertEquals(platform.count(), 0);
});

Deno.test("a reader slower than the timeout gets the settled tasks, then the timeout", async () => {
  using clock = new FakeClock();
  const { platform, handles } = setUp([running(1_000), running(1_000), running(60_000)]);
  replace(platform, ({ url }) => url.endsWith("/t-1"), async (request) => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    return Response.json({ id: request.url.slice(-3), status: "success" });
  });
  const settled: string[] = [];
  const reading = (async () => {
    for await (const { task, error } of resolveAll(handles, { timeout: 10_000 })) {
      assertEquals(error, undefined);
      settled.push(task.taskId);
      await new Promise((resolve) => setTimeout(resolve, 20_000));
    }
  })();
  await assertRejects(() => clock.runUntil(reading), DeepintTimeoutError, "1 of 3 tasks");
  assertEquals(settled, ["t-0", "t-1"]);
});

Deno.test("a slow reader gets every task", async () => {
  using clock = new FakeClock();
  const { handles } = setUp(Array.from({ length: 30 }, (_, index) => running(1_000 * index)));
  const settled = new Set<string>();
  await clock.runUntil((async () => {
    for await (const { task } of resolveAll(handles)) {
      settled.add(task.taskId);
      await new Promise((resolve) => setTimeout(resolve, 7_000));
    }
  })());
  assertEquals([settled.size, clock.pending], [30, 0]);
});

Deno.test("an abort while the reader is busy rejects the next() with the reason", async () => {
  using clock = new FakeClock();
  const { handles } = setUp([running(1_000), running(1_000), running(90_000)]);
  const controller = new AbortController();
  const iterator = resolveAll(handles, { signal: controller.signal })[Symbol.asyncIterator]();
  await clock.runUntil(iterator.next());
  const reason = new Error("enough");
  controller.abort(reason);
  assertStrictEquals(await iterator.next().catch((error) => error), reason);
  assertEquals(clock.pending, 0);
});

Deno.test("a list whose second page always fails delays the tasks of neither page", async () => {
  for (const responder of [answer(502), answer(403), HANG]) {
    using clock = new FakeClock();
    const { platform, handles } = setUp([3, 600, 3, 600].map((s) => running(s * 1_000)), {
      pageLimit: 2,
    });
    replace(platform, ({ url }) => url.includes("page=1"), responder);
    const settled = await clock.runUntil(collect(handles));
    assert(Number(settled["t-0"]) < 15 && Number(settled["t-2"]) < 100, JSON.stringify(settled));
    assertEquals([Object.keys(settled).length, clock.pending], [4, 0]);
  }
});

Deno.test("a task of the first page settles while the second is read", async () => {
  using clock = new FakeClock();
  const { platform, handles } = setUp([DONE, ...[1, 2, 3].map(() => running(60_000))], {
    pageLimit: 2,
  });
  replace(platform, ({ url }) => url.includes("page=1"), HANG);
  assertEquals((await clock.runUntil(collect(handles)))["t-0"], 0);
});

Deno.test("a list that repeats its first page, is empty or has no statuses is requested once", async () => {
  const page = (items: unknown[]) => () => Response.json({ items, pages_count: 3 });
  const lists: Record<string, Responder> = {
    repeated: page([{ id: "t-other", status: "running" }]),
    empty: page([]),
    "without statuses": page([0, 1, 2, 3].map((index) => ({ id: `t-${index}`, status: null }))),
  };
  for (const [name, responder] of Object.entries(lists)) {
    using clock = new FakeClock();
    const { platform, handles } = setUp([20, 20, 20, 20].map((s) => running(s * 1_000)));
    replace(platform, isList, responder);
    assertEquals(Object.keys(await clock.runUntil(collect(handles))).length, 4, name);
    assertEquals(platform.count(({ path }) => path.includes("page=0")), 1, name);
  }
});

Deno.test("a status that is missing for more than 2 minutes settles its task", async () => {
  using clock = new FakeClock();
  const { platform, handles } = setUp([{ status: null }, running(300_000), running(300_000)]);
  const settled = await clock.runUntil(collect(handles));
  assertEquals(settled["t-0"], "INVALID_RESPONSE");
  const polls = platform.count("/task/t-0");
  assert(polls >= 6 && polls <= 8, `${polls}`);
});

Deno.test("loads that fail for more than 2 minutes settle their task and no other", async () => {
  for (const [seconds, expected] of [[120, undefined], [300, "BAD_GATEWAY"]] as const) {
    using clock = new FakeClock();
    const { platform, handles } = setUp([DONE, running(60_000), running(60_000)]);
    const start = clock.now;
    replace(
      platform,
      ({ url }) => url.endsWith("/task/t-0") && clock.now - start < seconds * 1_000,
      answer(502),
    );
    const { "t-0": first, ...others } = await clock.runUntil(collect(handles));
    assertEquals(typeof first === "string" ? first : undefined, expected);
    assertEquals(Object.values(others).map((value) => typeof value), ["number", "number"]);
    const polls = platform.count("/task/t-0");
    assert(polls >= 6 && polls <= 9, `${polls}`);
  }
});

Deno.test("the Retry-After of a load holds while the list is polled for the other tasks", async () => {
  for (const status of [429, 200]) {
    using clock = new FakeClock();
    const { platform, handles } = setUp([running(3_000), ...[1, 2, 3].map(() => running(30_000))]);
    const get = ({ url }: Request) => url.endsWith("/task/t-0");
    const undo = replace(
      platform,
      get,
      () =>
        Response.json(status === 200 ? { id: "t-0", status: "running" } : {}, {
          status,
          headers: { "retry-after": "90" },
        }),
    );
    const waiting = clock.runUntil(collect(handles));
    const loads = () => platform.requests.filter(({ path }) => path.endsWith("/task/t-0"));
    while (loads().length === 0) await clock.tick(100);
    undo();
    await waiting;
    const [first, second] = loads().map(({ at }) => at);
    assert(first && second && second - first >= 90_000, `${status}: ${first} ${second}`);
  }
});

Deno.test("the Retry-After of any page holds for the whole list", async () => {
  for (const [page, status] of [[0, 200], [1, 200], [1, 429], [1, 503]] as const) {
    using clock = new FakeClock();
    const { platform, handles } = setUp([1, 2, 3, 4, 5, 6].map(() => running(20_000)), {
      pageLimit: 3,
    });
    const items = [0, 1, 2].map((index) => ({ id: `t-${index + 3 * page}`, status: "running" }));
    let done = false;
    replace(
      platform,
      ({ url }) => url.includes(`page=${page}`) && !done && (done = true),
      () => Response.json({ items, pages_count: 2 }, { status, headers: { "retry-after": "90" } }),
    );
    await clock.runUntil(collect(handles));
    const [first = 0, second = 0, third = 0] = platform.requests.map(({ at }) => at);
    assertEquals(second, first);
    assert(third - first >= 90_000, `page ${page}, ${status}: ${third - first}`);
  }
});

Deno.test("a task that is stopped during the wait settles as failed at the next poll", async () => {
  using clock = new FakeClock();
  const { handles: [first, ...others] } = setUp([60, 60, 60].map((s) => running(s * 1_000)));
  assert(first);
  let error: unknown;
  let at = NaN;
  const started = clock.now;
  const waiting = (async () => {
    for await (const settlement of resolveAll([first, ...others])) {
      if (settlement.task !== first) continue;
      error = settlement.error;
      at = Date.now() - started;
    }
  })();
  await clock.tick(10_000);
  await first.delete();
  await clock.runUntil(waiting);
  assert(error instanceof DeepintTaskError && error.code === "TASK_STOPPED");
  assert(at > 10_000 && at <= 12_200, `${at}`);
});

Deno.test("tasks of several instances are listed at their own instances", async () => {
  using clock = new FakeClock();
  const { platform } = setUp([running(5_000), running(5_000)]);
  const tasks = ["a.example", "b.example"].flatMap((instance) =>
    ["t-0", "t-1"].map((id) => handle(platform, id, instance))
  );
  await clock.runUntil(collect(tasks));
  const lists = platform.requests.filter(isList).map(({ url }) => new URL(url).host);
  assertEquals([...new Set(lists)].toSorted(), ["a.example", "b.example"]);
});

Deno.test("a task that is given several times settles as often, from the same list", async () => {
  using clock = new FakeClock();
  const { platform, handles: [task] } = setUp([running(60_000)]);
  assert(task);
  const tasks = [task, task, handle(platform, "t-0"), handle(platform, "t-0")];
  const settled: Task[] = [];
  await clock.runUntil((async () => {
    for await (const { task } of resolveAll(tasks)) settled.push(task);
  })());
  assertEquals(settled.length, 4);
  assertEquals(new Set(settled), new Set(tasks));
  for (const task of settled) assertEquals(task.info.result, "s-1");
  assertEquals(platform.count("/task/t-0"), 4);
});

Deno.test("each iteration starts again, without requests for settled tasks", async () => {
  using clock = new FakeClock();
  const { platform, handles } = setUp([running(5_000), running(60_000)]);
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

Deno.test("resolveAll() takes at most one request more than a wait for each task", async () => {
  using _ = random(0.5);
  const size = 60;
  const seconds = [3, 10, 45, 120];
  const alone: number[] = [];
  for (const s of seconds) {
    using clock = new FakeClock();
    const { platform, handles: [task] } = setUp([running(s * 1_000)]);
    await clock.runUntil(task?.resolve({ pollInterval: "adaptive" }) ?? Promise.reject());
    alone.push(platform.count());
  }
  for (const pageLimit of [1, 5, 17, 500]) {
    for (const chosen of [[7], [0, 59], [57, 58, 59], [0, 12, 24, 36, 48], [...Array(60).keys()]]) {
      using clock = new FakeClock();
      const { platform, handles } = setUp(
        Array.from({ length: size }, (_, index) => running((seconds[index % 4] ?? 0) * 1_000)),
        { pageLimit },
      );
      const tasks = handles.filter((_, index) => chosen.includes(index));
      const settled = await clock.runUntil(collect(tasks));
      assertEquals(Object.keys(settled).length, chosen.length);
      const most = chosen.reduce((sum, index) => sum + (alone[index % 4] ?? 0), 1);
      assert(platform.count() <= most, `${pageLimit} [${chosen}]: ${platform.count()} > ${most}`);
    }
  }
});
