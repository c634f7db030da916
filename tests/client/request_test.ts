// One request: how fetch is called, what each answer is an error of, and what an error tells. When it
// is repeated is in retry_test.ts, what its body may be in body_test.ts.
import { VERSION } from "../../src/internal/version.ts";
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import {
  Credentials,
  DeepintBaseError,
  DeepintHTTPError,
  type Fetch,
  Task,
  type Token,
} from "../../mod.ts";
import { taskWith, TOKEN } from "../helpers/client.ts";

const URL_OF_TASK = "https://app.deepint.net/api/v1/workspace/w-1/task/t-1";

const taskAt = (fetch: Fetch, token: Token = TOKEN) => taskWith({ fetch, token }).task;

/** The error that one GET ends with when it is answered so, and never repeated. */
function errorOf(answer: () => Response | Promise<Response>): Promise<DeepintHTTPError> {
  const task = taskAt(() => Promise.resolve().then(answer));
  return assertRejects(() => task.load({ retries: 0 }), DeepintHTTPError);
}

function json(status: number, body: unknown): () => Response {
  return () => Response.json(body, { status });
}

const CODES: Record<number, string> = {
  400: "HTTP_400",
  401: "HTTP_401",
  402: "HTTP_402",
  403: "HTTP_403",
  404: "HTTP_404",
  409: "HTTP_409",
  408: "HTTP_408",
  418: "HTTP_418",
  425: "HTTP_425",
  429: "HTTP_429",
  500: "UNKNOWN_ERROR",
  501: "HTTP_501",
  502: "BAD_GATEWAY",
  503: "HTTP_503",
  504: "TIMEOUT_ERROR",
  505: "HTTP_505",
  520: "HTTP_520",
  524: "HTTP_524",
  599: "HTTP_599",
};

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

Deno.test("the code of an error follows from the status when the body has none", async () => {
  for (const [status, code] of Object.entries(CODES)) {
    const bodies = ["{}", "", "null", "[]", "5", "<html><h1>Sorry</h1></html>", '{"code":'];
    for (const body of bodies) {
      const error = await errorOf(() => new Response(body, { status: Number(status) }));
      assertEquals([error.code, error.status], [code, Number(status)], `${status} ${body}`);
    }
  }
});

Deno.test("the code of an error is the body's own, whatever the status", async () => {
  const message = "there is no such task";
  for (const status of Object.keys(CODES)) {
    const error = await errorOf(json(Number(status), { code: "TASK_9_GONE", message }));
    assertEquals([error.code, error.status], ["TASK_9_GONE", Number(status)]);
    assertEquals(error.message, `Error on HTTP GET ${URL_OF_TASK}: ${message}`);
    assertEquals(String(error), `TASK_9_GONE: ${error.message}`);
  }
});

Deno.test("a malformed code in an error body is ignored, its message is used", async () => {
  const codes = ["", "gone", "TASK-GONE", "A B", "A\n", "Ä", "X".repeat(65), 5, null, {}, ["GONE"]];
  for (const code of codes) {
    const error = await errorOf(json(404, { code, message: "gone" }));
    assertEquals(error.code, "HTTP_404", JSON.stringify(code));
    assert(error.message.endsWith(": gone"));
  }
  assertEquals((await errorOf(json(404, { code: "X".repeat(64) }))).code, "X".repeat(64));
});

Deno.test('{"result":"error"} is an error with 200, of the body\'s code or UNKNOWN_ERROR', async () => {
  const plain = await errorOf(json(200, { result: "error" }));
  assertEquals([plain.code, plain.status], ["UNKNOWN_ERROR", 200]);
  const coded = await errorOf(json(200, { result: "error", code: "GONE", message: "not here" }));
  assertEquals(coded.code, "GONE");
  assertStringIncludes(coded.message, "not here");
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

Deno.test("an error has Retry-After in milliseconds, and no property without it", async () => {
  const headers = { "retry-after": "120" };
  const error = await errorOf(() => new Response("{}", { status: 429, headers }));
  assertEquals(error.retryAfter, 120_000);
  assertEquals((await errorOf(json(429, {}))).retryAfter, undefined);
});

Deno.test("a request without a response is NETWORK_ERROR with the cause of fetch", async () => {
  const cause = new TypeError("connection refused");
  const error = await errorOf(() => Promise.reject(cause));
  assertEquals([error.code, error.status, error.method], ["NETWORK_ERROR", 0, "GET"]);
  assertEquals(error.url, URL_OF_TASK);
  assertMatch(error.message, /^Error on HTTP GET https:\/\/app\.deepint\.net\/\S+: ./);
  assertStrictEquals(error.cause, cause);
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

Deno.test("the errors are DeepintBaseErrors and Errors, with their name", async () => {
  const error = await errorOf(json(404, {}));
  assert(error instanceof DeepintBaseError && error instanceof Error);
  assertEquals(error.name, "DeepintHTTPError");
  assertStringIncludes(error.stack ?? "", "DeepintHTTPError");
});

Deno.test("a message contains at most 200 printable characters of a body", async () => {
  const long = "\u0000\u001b[31m\n\u202e\ud800" + "x".repeat(5_000);
  const answers: Record<string, () => Response> = {
    "a message": json(404, { message: long }),
    "a message with result error": json(200, { result: "error", message: long }),
    "HTML with 502": () => new Response(`<p>${long}</p>`, { status: 502 }),
    "HTML with 200": () => new Response(`<p>${long}</p>`),
    "a code": json(404, { code: long, message: "no" }),
    "a wrong kind": json(200, { id: "t-1", name: [long] }),
    "a wrong id": json(200, { id: long, status: "running" }),
    "a wrong key": json(200, { [long]: 1 }),
  };
  const prefix = `Error on HTTP GET ${URL_OF_TASK}: `;
  for (const [name, answer] of Object.entries(answers)) {
    const error = await errorOf(answer);
    assert(error.message.startsWith(prefix), name);
    assertLessOrEqual(error.message.length, prefix.length + 200, name);
    assertEquals(error.message.match(/[\p{C}\p{Zl}\p{Zp}]/u), null, name);
    assertLessOrEqual(error.code.length, 64, name);
  }
});

Deno.test("the URL of an error has no query", async () => {
  const tasks = Task.list({
    organizationId: "o-1",
    workspaceId: "w-1",
    credentials: new Credentials({ token: TOKEN }),
    fetch: () => Promise.resolve(Response.json({}, { status: 403 })),
  });
  const listed = (async () => {
    for await (const _task of tasks);
  })();
  const error = await assertRejects(() => listed, DeepintHTTPError);
  assertEquals(error.url, "https://app.deepint.net/api/v1/workspace/w-1/tasks");
  assert(!error.message.includes("?"));
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
