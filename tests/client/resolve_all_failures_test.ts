// Waiting for many tasks where the server, the list or the reader fails.
import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  type DeepintBaseError,
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
  resolveAll,
} from "../../mod.ts";
import { HANG } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { FakePlatform, Responder } from "../helpers/fake_platform.ts";
import { collect, DONE, handle, handlesOf, order, running } from "../helpers/resolve_all.ts";

const isList = ({ url }: { url: string }) => url.includes("/tasks?");
const answer = (status: number, retryAfter?: number) => () =>
  Response.json({}, { status, headers: retryAfter ? { "retry-after": `${retryAfter}` } : {} });

/** Answers some requests in another way, for ever. */
function replace(
  platform: FakePlatform,
  which: (request: Request) => boolean,
  responder: Responder,
) {
  return platform.inject((request) => which(request) ? responder(request) : undefined, Infinity);
}

Deno.test("a timeout ends the wait, not the tasks, while requests are in progress", async () => {
  for (const tasks of [1, 3]) {
    using clock = new FakeClock();
    const { platform, handles } = handlesOf(Array.from({ length: tasks }, () => running(60_000)));
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
  const { platform, handles } = handlesOf([running(5_000), running(5_000)]);
  const waiting = collect(handles, { timeout: 0 });
  await assertRejects(() => clock.runUntil(waiting), DeepintTimeoutError, "2 of 2 tasks");
  assertEquals(platform.count(), 0);
});

Deno.test("a reader slower than the timeout gets the settled tasks, then the timeout", async () => {
  using clock = new FakeClock();
  const { platform, handles } = handlesOf([running(1_000), running(1_000), running(60_000)]);
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
  const { handles } = handlesOf(Array.from({ length: 30 }, (_, index) => running(1_000 * index)));
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
  const { handles } = handlesOf([running(1_000), running(1_000), running(90_000)]);
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
    const { platform, handles } = handlesOf([3, 600, 3, 600].map((s) => running(s * 1_000)), {
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
  const { platform, handles } = handlesOf([DONE, ...[1, 2, 3].map(() => running(60_000))], {
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
    const { platform, handles } = handlesOf([20, 20, 20, 20].map((s) => running(s * 1_000)));
    replace(platform, isList, responder);
    assertEquals(Object.keys(await clock.runUntil(collect(handles))).length, 4, name);
    assertEquals(platform.count(({ path }) => path.includes("page=0")), 1, name);
  }
});

Deno.test("a status that is missing for more than 2 minutes settles its task", async () => {
  using clock = new FakeClock();
  const { platform, handles } = handlesOf([{ status: null }, running(300_000), running(300_000)]);
  const settled = await clock.runUntil(collect(handles));
  assertEquals(settled["t-0"], "INVALID_RESPONSE");
  const polls = platform.count("/task/t-0");
  assert(polls >= 6 && polls <= 8, `${polls}`);
});

Deno.test("loads that fail for more than 2 minutes settle their task and no other", async () => {
  for (const [seconds, expected] of [[120, undefined], [300, "BAD_GATEWAY"]] as const) {
    using clock = new FakeClock();
    const { platform, handles } = handlesOf([DONE, running(60_000), running(60_000)]);
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
    const { platform, handles } = handlesOf([
      running(3_000),
      ...[1, 2, 3].map(() => running(30_000)),
    ]);
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
    const { platform, handles } = handlesOf([1, 2, 3, 4, 5, 6].map(() => running(20_000)), {
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
  const { handles: [first, ...others] } = handlesOf([60, 60, 60].map((s) => running(s * 1_000)));
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

Deno.test("a task that disappears settles with a 404 and delays no other task", async () => {
  using clock = new FakeClock();
  const { platform, handles } = handlesOf([running(20_000), running(20_000), running(3_000)]);
  const gone = handle(platform, "t-gone");
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
    const { platform, handles } = handlesOf([running(5_000), running(90_000)]);
    platform.inject((r) => r.url.includes("/tasks?") ? responder(r) : undefined, Infinity);
    assertEquals(await clock.runUntil(order(handles)), ["t-0", "t-1"], name);
  }
});

Deno.test("a list with 429 is not requested again before its Retry-After", async () => {
  using clock = new FakeClock();
  const { platform, handles } = handlesOf([running(5_000), running(5_000)]);
  platform.inject(() => Response.json({}, { status: 429, headers: { "retry-after": "60" } }));
  await clock.runUntil(order(handles));
  const [first, second] = platform.requests;
  assert(second && first && second.at - first.at >= 60_000);
});
