// `Task.list()`: pages, filters, malformed pages. `list_failures_test.ts` tests lists that fail.
import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import {
  Credentials,
  DeepintHTTPError,
  type Fetch,
  Task,
  type TaskListOptions,
  type TaskStatus,
} from "../../mod.ts";
import { TOKEN } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { createFakePlatform, type FakePlatformOptions } from "../helpers/fake_platform.ts";

const PLACE = {
  organizationId: "organization-1",
  workspaceId: "workspace-1",
  credentials: new Credentials({ token: TOKEN }),
};

/** A platform with a number of tasks, and the options to list them. */
function setUp(tasks: number, options: FakePlatformOptions = {}) {
  const platform = createFakePlatform({ token: TOKEN, ...options });
  for (let index = 0; index < tasks; index++) platform.add({ id: `t-${index}` });
  return { platform, options: { ...PLACE, fetch: platform.fetch } };
}

async function collect(options: TaskListOptions): Promise<Task[]> {
  return await Array.fromAsync(Task.list(options));
}

/** The ids `t-0`, `t-1`, … */
function ids(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `t-${index}`);
}

Deno.test("list() yields every task once, in order, 500 per request", async () => {
  for (
    const [count, requests] of [[0, 1], [1, 1], [500, 1], [501, 2], [1_234, 3], [
      5_000,
      10,
    ]] as const
  ) {
    const { platform, options } = setUp(count);
    const tasks = await collect(options);
    assertEquals(tasks.map(({ taskId }) => taskId), ids(count));
    assertEquals(
      platform.requests.map(({ method, path }) => `${method} ${path}`),
      Array.from(
        { length: requests },
        (_, page) => `GET /api/v1/workspace/workspace-1/tasks?page=${page}&limit=500`,
      ),
    );
  }
});

Deno.test("the request of a list has the token, the organization and accept", async () => {
  const { platform, options } = setUp(1);
  await collect(options);
  const [request] = platform.requests;
  assertEquals(request?.headers["x-auth-token"], TOKEN);
  assertEquals(request?.headers["x-deepint-organization"], "organization-1");
  assertEquals(request?.headers["accept"], "application/json");
});

Deno.test("list() requests a page when the loop reaches it", async () => {
  const { platform, options } = setUp(1_234);
  const tasks = Task.list(options);
  assertEquals(platform.count(), 0);
  for await (const task of tasks) {
    assertEquals(task.taskId, "t-0");
    break;
  }
  assertEquals(platform.count(), 1);
  let seen = 0;
  for await (const _task of tasks) if (++seen === 501) break;
  assertEquals(platform.count(), 3);
});

Deno.test("each iteration starts with the first page", async () => {
  const { platform, options } = setUp(2);
  const tasks = Task.list(options);
  const names = () => Array.fromAsync(tasks, ({ taskId }) => taskId);
  assertEquals(await names(), ["t-0", "t-1"]);
  platform.add({ id: "t-2" });
  assertEquals(await names(), ["t-0", "t-1", "t-2"]);
  assertEquals(platform.count(), 2);
});

Deno.test("pageSize sets the number of tasks per request", async () => {
  for (const [pageSize, requests] of [[1, 3], [2, 2], [3, 1], [500, 1]] as const) {
    const { platform, options } = setUp(3);
    const tasks = await collect({ ...options, pageSize });
    assertEquals(tasks.map(({ taskId }) => taskId), ids(3));
    assertEquals(platform.count(`limit=${pageSize}`), requests);
    assertEquals(platform.count(), requests);
  }
});

Deno.test("a pageSize outside 1 to 500 is a RangeError, without a request", async () => {
  const { platform, options } = setUp(3);
  for (const pageSize of [0, -1, 501, 1.5, NaN, Infinity]) {
    await assertRejects(() => collect({ ...options, pageSize }), RangeError, String(pageSize));
  }
  assertEquals(platform.count(), 0);
});

Deno.test("list() refuses a hostile id without a request", async () => {
  const { platform, options } = setUp(3);
  for (const id of ["", "..", "a/b", "a?b"]) {
    await assertRejects(() => collect({ ...options, organizationId: id }), RangeError);
    await assertRejects(() => collect({ ...options, workspaceId: id }), RangeError);
  }
  assertEquals(platform.count(), 0);
});

Deno.test("status and name filter the tasks without further requests", async () => {
  const { platform, options } = setUp(0);
  platform.add({ id: "t-0", status: "running", name: "Import of March" });
  platform.add({ id: "t-1", status: "failed", name: "import of April" });
  platform.add({ id: "t-2", status: "success", name: null });
  const kept = async (filters: Partial<TaskListOptions>) =>
    (await collect({ ...options, ...filters })).map(({ taskId }) => taskId);
  assertEquals(await kept({ status: "running" }), ["t-0"]);
  assertEquals(await kept({ status: ["failed", "success"] }), ["t-1", "t-2"]);
  assertEquals(await kept({ name: "IMPORT" }), ["t-0", "t-1"]);
  assertEquals(await kept({ name: "import", status: ["failed", "success"] }), ["t-1"]);
  assertEquals(await kept({ status: [], name: "" }), []);
  assertEquals(platform.count(), 5);
});

Deno.test("an unknown status in the filter is a RangeError, without a request", () => {
  const { platform, options } = setUp(1);
  const status = "runing" as TaskStatus;
  assertThrows(() => Task.list({ ...options, status }), RangeError, 'Cannot use status "runing"');
  assertEquals(platform.count(), 0);
});

Deno.test("a server that repeats its first page ends the list", async () => {
  for (const [page, expected] of [[0, 2], [undefined, 3]]) {
    let requests = 0;
    const fetch = () => {
      requests++;
      return Promise.resolve(Response.json({ page, items: [{ id: "t-0" }], pages_count: 1_000 }));
    };
    assertEquals((await collect({ ...PLACE, fetch })).length, 1);
    assertEquals(requests, expected);
  }
});

Deno.test("a list that moves by one page is read to its end, with and without page numbers", async () => {
  for (const isNumbered of [true, false]) {
    let all = ids(100).map((id) => ({ id, status: "success" }));
    const fetch: Fetch = (url) => {
      const page = Number(new URL(url).searchParams.get("page"));
      const items = all.slice(page * 10, page * 10 + 10);
      if (page === 1) {
        // ten new tasks in front, as in a list with the newest first
        all = [...ids(10).map((id) => ({ id: `new-${id}`, status: "running" })), ...all];
      }
      const body = { items, pages_count: all.length / 10, ...(isNumbered && { page }) };
      return Promise.resolve(Response.json(body));
    };
    const tasks = await collect({ ...PLACE, fetch, pageSize: 10 });
    assertEquals(tasks.map(({ taskId }) => taskId), ids(100));
  }
});

Deno.test("a server with smaller pages than requested is read to its end", async () => {
  const { platform, options } = setUp(1_234, { pageLimit: 100 });
  const tasks = await collect(options);
  assertEquals(tasks.map(({ taskId }) => taskId), ids(1_234));
  assertEquals(platform.count(), 13);
});

Deno.test("a page without items ends the list, whatever the number of pages", async () => {
  let requests = 0;
  const fetch = () => {
    const items = requests++ === 0 ? [{ id: "t-0", status: "running" }] : [];
    return Promise.resolve(Response.json({ items, pages_count: 1_000_000 }));
  };
  assertEquals((await collect({ ...PLACE, fetch })).length, 1);
  assertEquals(requests, 2);
});

Deno.test("a task that moves to the next page during the list is yielded once", async () => {
  const { platform, options } = setUp(4);
  let pages = 0;
  const fetch: Fetch = (url, init) => {
    // between the pages the first task is replaced by one at the front: t-1 is there twice
    if (pages++ !== 1) return platform.fetch(url, init);
    const items = ["t-1", "t-2", "t-3"].map((id) => ({ id, status: "running" }));
    return Promise.resolve(Response.json({ items, pages_count: 2 }));
  };
  const tasks = await collect({ ...options, fetch, pageSize: 2 });
  assertEquals(tasks.map(({ taskId }) => taskId), ids(4));
});

Deno.test("a malformed page is INVALID_RESPONSE, without a retry", async () => {
  const page = (items: unknown) => ({ page: 0, limit: 500, pages_count: 1, items_count: 1, items });
  const bodies = [
    null,
    [],
    "text",
    5,
    {},
    { pages_count: 1 },
    { ...page([]), pages_count: "many" },
    { ...page([]), pages_count: null },
    page(null),
    page({}),
    page("t-1"),
    page([null]),
    page(["t-1"]),
    page([[]]),
    page([{ status: "running" }]),
    page([{ id: 5, status: "running" }]),
    page([{ id: "t-1", name: 5 }]),
    page([{ id: "t-1", status: "running" }, { id: "", status: "running" }]),
    ...["../../o-2", "a/b", "a?b", "x".repeat(129)].map((id) => page([{ id }])),
  ];
  for (const body of bodies) {
    let requests = 0;
    const fetch = () => Promise.resolve(Response.json(body, { headers: { n: `${++requests}` } }));
    const listing = () => collect({ ...PLACE, fetch });
    const error = await assertRejects(listing, DeepintHTTPError, "", JSON.stringify(body));
    assertEquals([error.code, requests], ["INVALID_RESPONSE", 1], JSON.stringify(body));
  }
  const html = () => Promise.resolve(new Response("<h1>Sign in</h1>"));
  const error = await assertRejects(() => collect({ ...PLACE, fetch: html }), DeepintHTTPError);
  assertEquals(error.code, "INVALID_RESPONSE");
});

Deno.test("a page is requested again after a transient failure and rejects after a permanent one", async () => {
  using clock = new FakeClock();
  const { platform, options } = setUp(1_234);
  platform.inject(() => undefined);
  platform.inject(() => new Response(null, { status: 503 }), 2);
  assertEquals((await clock.runUntil(collect(options))).length, 1_234);
  assertEquals([platform.count(), clock.pending], [5, 0]);
  platform.inject(() => Response.json({}, { status: 403 }));
  const error = await assertRejects(() => collect(options), DeepintHTTPError);
  assertEquals([error.status, platform.count()], [403, 6]);
});

Deno.test("an abort ends the list with the signal's reason", async () => {
  const { platform, options } = setUp(1_234);
  const controller = new AbortController();
  const reason = new Error("enough");
  let seen = 0;
  const listing = (async () => {
    for await (const _task of Task.list({ ...options, signal: controller.signal })) {
      if (++seen === 500) controller.abort(reason);
    }
  })();
  assertStrictEquals(await assertRejects(() => listing), reason);
  assertEquals([seen, platform.count()], [500, 1]);
});
