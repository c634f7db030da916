// One request: how fetch is called, what each answer is an error of, and what an error tells. When it
// is repeated is in retry_test.ts, what its body may be in body_test.ts.
import { VERSION } from "../../src/internal/version.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { DeepintHTTPError, type Fetch, Task, type Token } from "../../mod.ts";
import { taskWith, TOKEN } from "../helpers/client.ts";

const URL_OF_TASK = "https://app.deepint.net/api/v1/workspace/w-1/task/t-1";

const taskAt = (fetch: Fetch, token: Token = TOKEN) => taskWith({ fetch, token }).task;

Deno.test("fetch is called with the URL as text, and with options against redirects and caches", async () => {
  const calls: [unknown, RequestInit][] = [];
  const task = taskAt((url, init) => {
    calls.push([url, init]);
    return Promise.resolve(Response.json({ id: "t-1", status: "running" }));
  });
  await task.load();
  const [[url, init] = []] = calls;
  assertEquals([calls.length, url], [1, URL_OF_TASK]);
  assertEquals([init?.method, init?.redirect, init?.cache], ["GET", "manual", "no-store"]);
  assert(init?.signal instanceof AbortSignal);
  assertEquals(init?.body ?? null, null);
  const headers = new Headers(init?.headers);
  assertEquals(Object.fromEntries(headers), {
    "accept": "application/json",
    "user-agent": `deepint-task/${VERSION}`,
    "x-auth-token": TOKEN,
    "x-deepint-organization": "o-1",
  });
});

Deno.test("a custom fetch is called unbound", async () => {
  const receivers: unknown[] = [];
  function fetch(this: unknown): Promise<Response> {
    receivers.push(this);
    return Promise.resolve(Response.json({ id: "t-1", status: "running" }));
  }
  await taskAt(fetch).load();
  assertEquals(receivers, [undefined]);
});

Deno.test("the global fetch is looked up at each request and called unbound", async () => {
  const receivers: unknown[] = [];
  const { task: { credentials }, task: known } = taskWith();
  const task = Task.fromDict(known.toDict(), { credentials });
  const original = globalThis.fetch;
  globalThis.fetch = function (this: unknown) {
    receivers.push(this);
    return Promise.resolve(Response.json({ id: "t-1", status: "success" }));
  };
  try {
    await task.load();
  } finally {
    globalThis.fetch = original;
  }
  assertEquals(task.info.status, "success");
  assertEquals(receivers, [undefined]);
});

Deno.test("an error response to a DELETE keeps its code, whatever its other members", async () => {
  const body = { result: "error", status: 409, code: "LOCKED", message: "in use" };
  const task = taskAt(() => Promise.resolve(Response.json(body)));
  const error = await assertRejects(() => task.delete({ retries: 0 }), DeepintHTTPError);
  assertEquals(error.code, "LOCKED");
});

Deno.test("a task whose result has the id error is a task", async () => {
  const body = { id: "t-1", status: "success", result: "error", result_type: "source" };
  const task = await taskAt(() => Promise.resolve(Response.json(body))).load();
  assertEquals(await task.fetchResult(), { source: "error" });
});

Deno.test("a fetch that throws instead of rejecting is NETWORK_ERROR too", async () => {
  const cause = new Error("no network here");
  const task = taskAt(() => {
    throw cause;
  });
  const error = await assertRejects(() => task.load({ retries: 0 }), DeepintHTTPError);
  assertEquals(error.code, "NETWORK_ERROR");
  assertStrictEquals(error.cause, cause);
});

Deno.test("options out of range are a RangeError with the value, and no request", async () => {
  let requests = 0;
  const task = taskAt(() => Promise.resolve(Response.json({ id: "t-1", n: ++requests })));
  const text: unknown = "5";
  const options = [
    { timeout: -1 },
    { timeout: NaN },
    { timeout: text as number },
    { requestTimeout: -1 },
    { requestTimeout: NaN },
    { retries: -1 },
    { retries: 1.5 },
    { retries: NaN },
    { retries: text as number },
  ];
  for (const option of options) {
    const [[name, value] = []] = Object.entries(option);
    for (const operation of [() => task.load(option), () => task.delete(option)]) {
      const error = await assertRejects(operation, RangeError, name);
      assertStringIncludes(error.message, String(value));
    }
  }
  assertEquals(requests, 0);
});
