import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import {
  createFakePlatform,
  type FakePlatform,
  type FakePlatformOptions,
  type TaskHandle,
} from "./fake_platform.ts";

const KEYS = "id,user_id,user_name,created,status,duration,name,description," +
  "progress,subtask,result,result_type,error_code,error_description";

const START = Date.UTC(2026, 0, 2, 3, 4, 5);

/** A platform with a clock that the test moves. */
function clocked(options: FakePlatformOptions = {}) {
  const clock = { now: START };
  return { clock, platform: createFakePlatform({ now: () => clock.now, ...options }) };
}

function headersFor(organization: string, token = "platform-token"): Record<string, string> {
  return { "x-auth-token": token, "x-deepint-organization": organization };
}

type Json = Record<string, unknown>;

async function ask(
  platform: FakePlatform,
  url: string,
  { method = "GET", headers = headersFor("organization-1") }: RequestInit = {},
): Promise<{ status: number; body: Json; response: Response }> {
  const response = await platform.fetch(url, { method, headers });
  return { status: response.status, body: await response.json(), response };
}

async function statuses(
  platform: FakePlatform,
  task: TaskHandle,
  times: number,
): Promise<unknown[]> {
  const seen = [];
  for (let i = 0; i < times; i++) seen.push((await ask(platform, task.url)).body.status);
  return seen;
}

function listUrl(query = "", workspace = "workspace-1"): string {
  return `https://app.deepint.net/api/v1/workspace/${workspace}/tasks${query}`;
}

function ids(body: Json): unknown[] {
  return (body.items as Json[]).map((item) => item.id);
}

Deno.test("a task has the 14 keys of the wire, in order, null where nothing is said", async () => {
  const { platform } = clocked();
  const task = platform.add({ id: "task-1", name: "load" });
  const { status, body, response } = await ask(platform, task.url);
  assertEquals(status, 200);
  assertEquals(response.headers.get("content-type")?.split(";")[0], "application/json");
  assertEquals(Object.keys(body).join(), KEYS);
  assertEquals(body, {
    id: "task-1",
    user_id: "user-1",
    user_name: "analyst",
    created: "2026-01-02T03:04:05.000Z",
    status: "pending",
    duration: 0,
    name: "load",
    description: "",
    progress: 0,
    subtask: null,
    result: null,
    result_type: null,
    error_code: null,
    error_description: null,
  });
});

Deno.test("a task moves on with the GETs that see it, and its last step stays", async () => {
  const { platform } = clocked();
  const task = platform.add({
    steps: [{ status: "pending" }, { status: "running", polls: 2 }, { status: "success" }],
  });
  assertEquals(await statuses(platform, task, 6), [
    "pending",
    "running",
    "running",
    "success",
    "success",
    "success",
  ]);
});

Deno.test("a task moves on by the clock, however often or seldom it is seen", async () => {
  const { clock, platform } = clocked();
  const steps = [
    { status: "pending", ms: 1_000 },
    { status: "running", ms: 2_000 },
    { status: "failed", error_code: "E1", error_description: "no rows" },
  ];
  const often = platform.add({ steps });
  const seldom = platform.add({ steps });
  assertEquals(await statuses(platform, often, 3), ["pending", "pending", "pending"]);
  clock.now += 999;
  assertEquals(await statuses(platform, often, 1), ["pending"]);
  clock.now += 1;
  assertEquals(await statuses(platform, often, 2), ["running", "running"]);
  clock.now += 2_000;
  assertEquals(await statuses(platform, often, 1), ["failed"]);
  const { body } = await ask(platform, seldom.url);
  assertEquals([body.status, body.error_code, body.error_description], ["failed", "E1", "no rows"]);
});

Deno.test("the duration grows by the clock from the start of the run to its end", async () => {
  const { clock, platform } = clocked();
  const task = platform.add({
    steps: [{ status: "pending", ms: 500 }, { status: "running", ms: 1_500 }, {
      status: "success",
    }],
  });
  const durations = [];
  for (const wait of [0, 700, 800, 5_000]) {
    clock.now += wait;
    durations.push((await ask(platform, task.url)).body.duration);
  }
  assertEquals(durations, [0, 200, 1_000, 1_500]);
});

Deno.test("a list of 1,234 tasks has three pages, with eight fields of each task", async () => {
  const { platform } = clocked();
  for (let i = 0; i < 1_234; i++) {
    platform.add({ id: `task-${i}`, status: "success", result: "r", result_type: "source" });
  }
  platform.add({ workspace: "workspace-2" });
  platform.add({ organization: "organization-2" });
  const seen: unknown[] = [];
  for (const [page, size] of [500, 500, 234, 0].entries()) {
    const { status, body } = await ask(platform, listUrl(`?page=${page}&limit=500`));
    const { items, ...rest } = body;
    assertEquals(status, 200);
    assertEquals(rest, { page, limit: 500, pages_count: 3, items_count: 1_234 });
    assertEquals((items as Json[]).length, size);
    for (const item of items as Json[]) {
      assertEquals(Object.keys(item).join(), KEYS.split(",").slice(0, 8).join());
    }
    seen.push(...ids(body));
  }
  assertEquals(seen, Array.from({ length: 1_234 }, (_, i) => `task-${i}`));
});

Deno.test("a missing or wrong token is 401 on each route and is not repeated", async () => {
  const { platform } = clocked({ token: ["token-a", "token-b"] });
  const task = platform.add();
  for (const url of [task.url, listUrl()]) {
    for (const token of ["token-a", "token-b"]) {
      const { status, body } = await ask(platform, url, { headers: headersFor("o", token) });
      assert(status !== 401 && !JSON.stringify(body).includes(token));
    }
    const missing = await ask(platform, url, { headers: { "x-deepint-organization": "o" } });
    const wrong = await ask(platform, url, { headers: headersFor("o", "canary-token") });
    for (const { status, body, response } of [missing, wrong]) {
      assertEquals([status, body.code, typeof body.message], [401, "UNAUTHORIZED", "string"]);
      assert(!JSON.stringify([body, ...response.headers]).includes("canary-token"));
    }
  }
});

Deno.test("an organization that the token cannot read is 403; a request may omit it", async () => {
  const { platform } = clocked({
    token: ["token-a", "token-b"],
    organizations: { "token-a": ["organization-1", "organization-2"] },
  });
  const { url } = platform.add();
  const answers: [Record<string, string>, number, string | undefined][] = [
    [{ "x-auth-token": "token-a" }, 200, undefined],
    [{ "x-auth-token": "token-b" }, 404, "TASK_NOT_FOUND"],
    [headersFor("not an id", "token-a"), 400, "INVALID_ORGANIZATION"],
    [headersFor("organization-3", "token-a"), 403, "FORBIDDEN"],
    [headersFor("organization-1", "token-b"), 403, "FORBIDDEN"],
    [headersFor("organization-2", "token-a"), 404, "TASK_NOT_FOUND"],
    [headersFor("organization-1", "token-a"), 200, undefined],
  ];
  for (const [headers, expected, code] of answers) {
    const { status, body } = await ask(platform, url, { headers });
    assertEquals([status, body.code], [expected, code]);
  }
});

Deno.test("another route is 404, another method 405 with what is allowed", async () => {
  const { platform } = clocked();
  const { url } = platform.add();
  for (const path of ["/", "/api/v1/workspace/w/sources", "/api/v2/workspace/w/tasks"]) {
    const { status, body } = await ask(platform, new URL(path, url).href);
    assertEquals([status, body.code], [404, "NOT_FOUND"]);
  }
  for (const hostile of [`${url}/more`, `${url}%2f..`, url.replace("workspace-1", "%2e%2e")]) {
    assertEquals((await ask(platform, hostile)).body.code, "NOT_FOUND");
  }
  const put = await ask(platform, url, { method: "PUT" });
  assertEquals([put.status, put.response.headers.get("allow")], [405, "GET, DELETE"]);
  const deleted = await ask(platform, listUrl(), { method: "DELETE" });
  assertEquals([deleted.status, deleted.response.headers.get("allow")], [405, "GET"]);
});

Deno.test("DELETE stops a running task, and changes nothing of a finished one", async () => {
  const { platform } = clocked();
  const { url } = platform.add({ steps: [{ status: "running" }, { status: "success" }] });
  const finished = platform.add({ status: "success" });
  for (const task of [url, url, finished.url]) {
    const { status, body } = await ask(platform, task, { method: "DELETE" });
    assertEquals([status, body], [200, { result: "success" }]);
  }
  const { body } = await ask(platform, url);
  assertEquals([body.status, body.error_code], ["failed", "STOPPED"]);
  assertEquals((await ask(platform, finished.url)).body.status, "success");
});

Deno.test("the requests of the vendor's clients get the responses that they expect", async () => {
  const { platform } = clocked();
  const ids = Array.from({ length: 510 }, (_, index) => platform.add({ id: `t-${index}` }).id);
  const python = headersFor("organization-1");
  const node = { "x-auth-token": "platform-token" };
  // the Python client asks for the first page without `page`, and never names a limit
  const first = (await ask(platform, listUrl(), { headers: python })).body;
  const second = (await ask(platform, listUrl("?page=1"), { headers: python })).body;
  const listed = [first, second].flatMap(({ items }) => items as Json[]);
  assertEquals(listed.map(({ id }) => id), ids);
  assert(listed.every(({ duration }) => typeof duration === "number"));
  const url = platform.add({ id: "t-x", status: "running" }).url;
  const { duration, progress } = (await ask(platform, url, { headers: python })).body;
  assertEquals([typeof duration, typeof progress], ["number", "number"]);
  // the Node connector names no organization, and uses the plural
  const plural = url.replace("/task/", "/tasks/");
  const page = await ask(platform, listUrl("?page=0&limit=500"), { headers: node });
  assertEquals([page.status, (page.body.items as Json[]).length], [200, 500]);
  const deleted = await ask(platform, plural, { method: "DELETE", headers: node });
  assertEquals([deleted.status, deleted.body], [200, { result: "success" }]);
  assertEquals((await ask(platform, plural, { headers: node })).body.status, "failed");
});

Deno.test("a request is recorded with method, path, headers and time, and counted", async () => {
  const { clock, platform } = clocked();
  const { url, id } = platform.add();
  await ask(platform, url);
  clock.now += 7;
  await ask(platform, listUrl("?page=0"));
  await ask(platform, url, { method: "DELETE" });
  assertEquals(platform.requests.map(({ method, path, at }) => [method, path, at]), [
    ["GET", `/api/v1/workspace/workspace-1/task/${id}`, START],
    ["GET", "/api/v1/workspace/workspace-1/tasks?page=0", START + 7],
    ["DELETE", `/api/v1/workspace/workspace-1/task/${id}`, START + 7],
  ]);
  assertEquals(platform.requests[0]?.headers, headersFor("organization-1"));
  assertEquals(platform.requests[2]?.init?.method, "DELETE");
  assertEquals(platform.count(), 3);
  assertEquals(platform.count(id), 2);
  assertEquals(platform.count(({ method }) => method === "DELETE"), 1);
});

Deno.test("injected responders respond in turn, then the platform does again", async () => {
  const { platform } = clocked();
  const { url } = platform.add({ steps: [{ status: "running" }, { status: "success" }] });
  platform.inject(() => Response.json({ code: "LIMIT" }, { status: 429 }), 2);
  platform.inject(({ method }) => new Response(method, { status: 502 }));
  const seen = [];
  for (let i = 0; i < 5; i++) {
    const response = await platform.fetch(url, { headers: headersFor("organization-1") });
    const text = await response.text();
    seen.push(response.ok ? JSON.parse(text).status : `${response.status} ${text}`);
  }
  const limit = '429 {"code":"LIMIT"}';
  assertEquals(seen, [limit, limit, "502 GET", "running", "success"]);
  assertEquals(platform.count(), 5);
});

Deno.test("an abort breaks off an injected body and cancels its source", async () => {
  const { platform } = clocked();
  const { url } = platform.add();
  const controller = new AbortController();
  let cancelledWith: unknown;
  platform.inject(() =>
    new Response(
      new ReadableStream({
        start: (stream) => stream.enqueue(new TextEncoder().encode('{"id":')),
        cancel: (reason) => {
          cancelledWith = reason;
        },
      }),
      { status: 200, headers: { "content-type": "application/json" } },
    )
  );
  const response = await platform.fetch(url, { signal: controller.signal });
  assertEquals(response.headers.get("content-type"), "application/json");
  const reading = response.text();
  const reason = new Error("changed my mind");
  controller.abort(reason);
  assertStrictEquals(await reading.catch((error) => error), reason);
  assertStrictEquals(cancelledWith, reason);
});
