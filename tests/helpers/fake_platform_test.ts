import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import {
  createFakePlatform,
  type FakePlatform,
  type FakePlatformOptions,
  type TaskHandle,
} from "./fake_platform.ts";

const KEYS = "id,user_id,user_name,created,status,duration,name,description," +
  "progress,subtask,result,result_type,error_code,error_description";

const START = Date.UTC(2026, 0, 2, 3, 4, 5);

/** A stand-in with a clock that the test moves. */
function clocked(options: FakePlatformOptions = {}) {
  const clock = { now: START };
  return { clock, platform: createFakePlatform({ now: () => clock.now, ...options }) };
}

function headersFor(organization: string, token = "stand-in-token"): Record<string, string> {
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
    duration: null,
    name: "load",
    description: "",
    progress: null,
    subtask: null,
    result: null,
    result_type: null,
    error_code: null,
    error_description: null,
  });
});

Deno.test("a field may be anything, and one given as undefined is left out", async () => {
  const { platform } = clocked();
  const task = platform.add({ created: 1767323045, duration: "42", name: 5, user_id: undefined });
  const { body } = await ask(platform, task.url);
  assertEquals([body.created, body.duration, body.name], [1767323045, "42", 5]);
  assert(!("user_id" in body));
});

Deno.test("a step may answer under another id, or none", async () => {
  const { platform } = clocked();
  const task = platform.add({ steps: [{ id: "another" }, { id: undefined }] });
  assertEquals((await ask(platform, task.url)).body.id, "another");
  assert(!("id" in (await ask(platform, task.url)).body));
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

Deno.test("a step's fields hold while it lasts, over those of the task", async () => {
  const { platform } = clocked();
  const task = platform.add({
    name: "load",
    description: "loads",
    steps: [
      { status: "running", progress: 40, subtask: "reading", description: "still loads" },
      { status: "success", result: "source-1", result_type: "source" },
    ],
  });
  const running = (await ask(platform, task.url)).body;
  assertEquals(
    [running.name, running.description, running.progress, running.subtask, running.result],
    ["load", "still loads", 40, "reading", null],
  );
  const ended = (await ask(platform, task.url)).body;
  assertEquals(
    [ended.description, ended.progress, ended.subtask, ended.result, ended.result_type],
    ["loads", null, null, "source-1", "source"],
  );
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

Deno.test("the clock is Date.now unless another is given", async () => {
  const platform = createFakePlatform();
  const before = Date.now();
  const { body } = await ask(platform, platform.add().url);
  const created = Date.parse(String(body.created));
  assert(created >= before && created <= Date.now());
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
  assertEquals(durations, [null, 200, 1_000, 1_500]);
});

Deno.test("steps by GETs and steps by the clock follow each other", async () => {
  const { clock, platform } = clocked();
  const task = platform.add({
    steps: [{ status: "pending", polls: 2 }, { status: "running", ms: 100 }, { status: "success" }],
  });
  clock.now += 1_000;
  assertEquals(await statuses(platform, task, 4), ["pending", "pending", "running", "running"]);
  clock.now += 100;
  assertEquals(await statuses(platform, task, 1), ["success"]);
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

Deno.test("a list is its first page unless said, and has no page when empty", async () => {
  const { platform } = clocked();
  assertEquals((await ask(platform, listUrl())).body, {
    page: 0,
    limit: 500,
    pages_count: 0,
    items_count: 0,
    items: [],
  });
});

Deno.test("a page holds no more than 500 tasks, or what the server allows", async () => {
  for (const [pageLimit, asked, given] of [[900, 900, 500], [10, 500, 10], [10, 3, 3]] as const) {
    const { platform } = clocked({ pageLimit });
    for (let i = 0; i < 600; i++) platform.add();
    const { body } = await ask(platform, listUrl(`?page=0&limit=${asked}`));
    assertEquals([body.limit, ids(body).length, body.pages_count], [
      given,
      given,
      Math.ceil(600 / given),
    ]);
  }
});

Deno.test("a page or a limit that is no number of one is 400", async () => {
  const { platform } = clocked();
  for (
    const query of [
      "?page=-1",
      "?page=",
      "?page=1.5",
      "?page=one",
      "?limit=0",
      "?limit=-5",
      "?limit=1e2",
      "?limit=many",
    ]
  ) {
    const { status, body } = await ask(platform, listUrl(query));
    assertEquals([query, status, body.code], [query, 400, "INVALID_PAGE"]);
  }
});

Deno.test("a list follows the clock, but does not move a task that moves by GETs", async () => {
  const { clock, platform } = clocked();
  const byPoll = platform.add({ steps: [{ status: "running" }, { status: "success" }] });
  platform.add({ steps: [{ status: "running", ms: 50 }, { status: "failed" }] });
  clock.now += 50;
  for (let i = 0; i < 3; i++) {
    const { body } = await ask(platform, listUrl());
    assertEquals((body.items as Json[]).map((item) => item.status), ["running", "failed"]);
  }
  assertEquals(await statuses(platform, byPoll, 2), ["running", "success"]);
});

Deno.test("a missing or wrong token is 401, on each route, and no answer repeats it", async () => {
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

Deno.test("a missing organization is 400, one that the token may not see 403", async () => {
  const { platform } = clocked({
    token: ["token-a", "token-b"],
    organizations: { "token-a": ["organization-1", "organization-2"] },
  });
  const { url } = platform.add();
  const answers: [Record<string, string>, number, string | undefined][] = [
    [{ "x-auth-token": "token-a" }, 400, "INVALID_ORGANIZATION"],
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

Deno.test("a task is found in its own organization and workspace only", async () => {
  const { platform } = clocked();
  const { url, id } = platform.add({ id: "shared-id" });
  const other = platform.add({ id, workspace: "workspace-2", name: "other" });
  assertEquals((await ask(platform, other.url)).body.name, "other");
  for (
    const { status, body } of [
      await ask(platform, url.replace("workspace-1", "workspace-3")),
      await ask(platform, url, { headers: headersFor("organization-2") }),
      await ask(platform, url.replace(id, "no-such-task")),
    ]
  ) assertEquals([status, body.code], [404, "TASK_NOT_FOUND"]);
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

Deno.test("a deleted task is gone from its route and from the list", async () => {
  const { platform } = clocked();
  const { url } = platform.add();
  const kept = platform.add();
  const deleted = await ask(platform, url, { method: "DELETE" });
  assertEquals([deleted.status, deleted.body], [200, { result: "success" }]);
  for (const method of ["GET", "DELETE"]) {
    const { status, body } = await ask(platform, url, { method });
    assertEquals([status, body.code], [404, "TASK_NOT_FOUND"]);
  }
  assertEquals(ids((await ask(platform, listUrl())).body), [kept.id]);
});

Deno.test("a task answers under /task/ and under /tasks/", async () => {
  const { platform } = clocked();
  const { url, id } = platform.add({ id: "00000181d3c6b79d-ebbd4d36-3f01b009-dddd65d2" });
  assert(url.endsWith(`/api/v1/workspace/workspace-1/task/${id}`));
  const plural = url.replace("/task/", "/tasks/");
  assertEquals((await ask(platform, plural)).body, (await ask(platform, url)).body);
  assertEquals((await ask(platform, plural, { method: "DELETE" })).status, 200);
  assertEquals((await ask(platform, url)).status, 404);
});

Deno.test("the handles' URLs point to the origin, their ids are UUIDs unless given", () => {
  const platform = createFakePlatform({ origin: "http://127.0.0.1:8000" });
  const ids = { id: "t", organization: "o", workspace: "w" };
  assertEquals(platform.add(ids), {
    ...ids,
    url: "http://127.0.0.1:8000/api/v1/workspace/w/task/t",
    webUrl: "http://127.0.0.1:8000/o/o/workspace?ws=w&s=task&i=t",
  });
  platform.origin = "http://127.0.0.1:9000";
  const { id, url } = platform.add();
  assert(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id));
  assert(url.startsWith("http://127.0.0.1:9000/"));
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

Deno.test("reset() forgets tasks, requests and injections; record: false keeps none", async () => {
  const { platform } = clocked();
  const { url } = platform.add();
  await ask(platform, url);
  platform.inject(() => new Response(null, { status: 502 }));
  platform.reset();
  assertEquals(platform.count(), 0);
  assertEquals((await ask(platform, url)).status, 404);

  const forgetful = createFakePlatform({ record: false });
  await ask(forgetful, forgetful.add().url);
  assertEquals(forgetful.count(), 0);
});

Deno.test("fetch works unbound, with a URL or a Request, and as a server's handler", async () => {
  const { platform: { add, fetch, requests } } = clocked();
  const { url, organization } = add();
  const headers = headersFor(organization);
  const handler: Deno.ServeHandler = fetch;
  const info = { remoteAddr: { transport: "tcp", hostname: "127.0.0.1", port: 1 } as const };
  const answers = [
    await fetch(url, { headers }),
    await fetch(new URL(url), { headers }),
    await fetch(new Request(url, { headers })),
    await handler(new Request(url, { headers }), { ...info, completed: Promise.resolve() }),
  ];
  for (const answer of answers) {
    assertEquals(answer.status, 200);
    await answer.body?.cancel();
  }
  assertEquals(requests.map(({ init }) => init !== undefined), [true, true, false, false]);
  await assertRejects(() => fetch("/relative"), TypeError);
});

Deno.test("injected responders answer in turn, then the stand-in does again", async () => {
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

Deno.test("a responder may throw, hold back, leave the answer, or be taken back", async () => {
  const { platform } = clocked();
  const { url } = platform.add();
  platform.inject(() => {
    throw new TypeError("connection refused");
  });
  await assertRejects(() => platform.fetch(url), TypeError, "connection refused");

  const gate = Promise.withResolvers<undefined>();
  platform.inject(() => gate.promise);
  let answered = false;
  const held = ask(platform, url).finally(() => answered = true);
  assertEquals((await ask(platform, url)).status, 200);
  assert(!answered);
  gate.resolve(undefined);
  assertEquals((await held).status, 200);

  const takeBack = platform.inject(() => new Response(null, { status: 503 }), Infinity);
  for (let i = 0; i < 3; i++) assertEquals((await platform.fetch(url)).status, 503);
  takeBack();
  assertEquals((await ask(platform, url)).status, 200);
});

Deno.test("a redirect is handed over as it is", async () => {
  const { platform } = clocked();
  const { url } = platform.add();
  platform.inject(() =>
    new Response(null, { status: 307, headers: { location: "https://other" } })
  );
  const { status, headers } = await platform.fetch(url, { redirect: "manual" });
  assertEquals([status, headers.get("location")], [307, "https://other"]);
  assertEquals([platform.count(), platform.requests[0]?.init?.redirect], [1, "manual"]);
});

Deno.test("an aborted signal rejects with its own reason and is no request", async () => {
  const { platform } = clocked();
  const { url } = platform.add();
  const reason = new Error("changed my mind");
  const signal = AbortSignal.abort(reason);
  const caught = (error: unknown) => error;
  assertStrictEquals(await platform.fetch(url, { signal }).catch(caught), reason);
  assertStrictEquals(await platform.fetch(new Request(url, { signal })).catch(caught), reason);
  assertStrictEquals(await platform.fetch(new Request(url), { signal }).catch(caught), reason);
  assertEquals(platform.count(), 0);
});

Deno.test("an abort ends a request that hangs and leaves no listener", async () => {
  const { platform } = clocked();
  const { url } = platform.add();
  const controller = new AbortController();
  const listeners = countListeners(controller.signal);
  platform.inject(() => new Promise(() => {}));
  const hanging = platform.fetch(url, { signal: controller.signal });
  assertEquals(listeners(), 1);
  const reason = new Error("changed my mind");
  controller.abort(reason);
  assertStrictEquals(await hanging.catch((error) => error), reason);

  const other = new AbortController();
  const otherListeners = countListeners(other.signal);
  platform.inject(() => Promise.resolve(new Response(null, { status: 503 })));
  assertEquals((await platform.fetch(url, { signal: other.signal })).status, 503);
  assertEquals(otherListeners(), 0);
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

/** Counts the listeners that a signal has; how many are left is seen in no other way. */
function countListeners(signal: AbortSignal): () => number {
  let count = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    count++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    count--;
    removeEventListener.apply(signal, args);
  };
  return () => count;
}
