import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertNotInstanceOf,
  assertRejects,
} from "@std/assert";
import {
  Credentials,
  DeepintBaseError,
  DeepintCredentialsError,
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
  type Fetch,
  type RequestOptions,
  Task,
  TaskInfo,
} from "../../mod.ts";
import { allRenderings, assertNoSecrets as assertNone } from "../helpers/client.ts";

/** A token that is also a valid error code, so that it would pass as one. */
const CANARY = "CANARY_0123456789_TOKEN";
const URL_OF_TASK = "https://app.deepint.net/api/v1/workspace/ws-1/task/task-1";

/** A task whose requests go to `fetch`, with a token that must not be seen again. */
function taskWith(fetch: Fetch, { token = CANARY, info = {} }: {
  token?: string | (() => string);
  info?: Record<string, unknown>;
} = {}): Task {
  return new Task({
    organizationId: "org-1",
    workspaceId: "ws-1",
    credentials: new Credentials({ token }),
    info: TaskInfo.fromDict({ id: "task-1", ...info }),
    fetch,
  });
}

/** The list of a workspace whose requests go to `fetch`. */
function list(fetch: Fetch, options: RequestOptions = {}): AsyncIterable<Task> {
  return Task.list({
    organizationId: "org-1",
    workspaceId: "ws-1",
    credentials: new Credentials({ token: CANARY }),
    fetch,
    retries: 0,
    ...options,
  });
}

/** A `fetch` that always answers so. */
function answering(body: BodyInit | null | object, init: ResponseInit = {}): Fetch {
  const plain = typeof body === "object" && body !== null && Object.getPrototypeOf(body) === null;
  const text = plain || Object.getPrototypeOf(body ?? "") === Object.prototype;
  return () =>
    Promise.resolve(new Response(text ? JSON.stringify(body) : body as BodyInit | null, init));
}

/** A `fetch` that always fails so. */
function failing(reason: unknown): Fetch {
  return () => Promise.reject(reason);
}

/** Returns the rejection of one load with this `fetch`. */
async function loadError(fetch: Fetch, token = CANARY): Promise<DeepintHTTPError> {
  const load = () => taskWith(fetch, { token }).load({ retries: 0 });
  return await assertRejects(load, DeepintHTTPError);
}

/** Checks that the token is in no print of a value. */
const assertSilent = (value: unknown, token = CANARY) => assertNone(value, token);

/** One error of each class, each from a real operation. */
async function errorOfEachClass() {
  const failed = { status: "failed", error_code: "E_1", error_description: "no column" };
  const never = () => new Promise<never>(() => {});
  return {
    DeepintCredentialsError: await assertRejects(
      () => taskWith(never, { token: () => "\n" }).load(),
      DeepintCredentialsError,
    ),
    DeepintHTTPError: await loadError(answering({ code: "E_1", message: "no" }, { status: 404 })),
    DeepintTaskError: await assertRejects(
      () => taskWith(answering(failed)).resolve(),
      DeepintTaskError,
    ),
    DeepintTimeoutError: await assertRejects(
      () => taskWith(never).load({ timeout: 0 }),
      DeepintTimeoutError,
    ),
  };
}

Deno.test("every error is an instance of its own class, DeepintBaseError and Error only", async () => {
  const classes = {
    DeepintCredentialsError,
    DeepintHTTPError,
    DeepintTaskError,
    DeepintTimeoutError,
  };
  for (const [name, error] of Object.entries(await errorOfEachClass())) {
    assertInstanceOf(error, Error);
    assertInstanceOf(error, DeepintBaseError);
    for (const [other, Class] of Object.entries(classes)) {
      if (other === name) assertInstanceOf(error, Class);
      else assertNotInstanceOf(error, Class);
    }
  }
});

Deno.test("every error's name is that of its class, also in its stack and in print", async () => {
  for (const [name, error] of Object.entries(await errorOfEachClass())) {
    assertEquals(error.name, name);
    assertEquals(error.constructor.name, name);
    assert(`${error.stack}`.startsWith(`${name}: ${error.message}\n`), error.stack);
    assert(Deno.inspect(error).startsWith(`${name}: `), Deno.inspect(error));
  }
  assertEquals(new DeepintBaseError("TIMEOUT", "a").name, "DeepintBaseError");
});

Deno.test("every error has a code and converts to <code>: <message>", async () => {
  const errors = await errorOfEachClass();
  for (const error of Object.values(errors)) {
    assertMatch(error.code, /^[A-Z][A-Z0-9_]+$/);
    assertEquals(error.toString(), `${error.code}: ${error.message}`);
    assertEquals(String(error), `${error.code}: ${error.message}`);
  }
  assertEquals(errors.DeepintHTTPError.code, "E_1");
  assertEquals(errors.DeepintTaskError.code, "TASK_E_1");
  assertEquals(errors.DeepintTimeoutError.code, "TIMEOUT");
  assertEquals(String(new DeepintBaseError("LIMIT", "slow down")), "LIMIT: slow down");
});

Deno.test("an error without a cause has no property cause", async () => {
  for (const error of Object.values(await errorOfEachClass())) {
    assert(!Object.hasOwn(error, "cause"), Deno.inspect(error));
  }
});

Deno.test("the message of a DeepintHTTPError is Error on HTTP <METHOD> <url>: <message>", async () => {
  const notFound = answering({ code: "NOT_FOUND", message: "no such task" }, { status: 404 });
  const error = await loadError(notFound);
  assertEquals(error.message, `Error on HTTP GET ${URL_OF_TASK}: no such task`);
  assertEquals(String(error), `NOT_FOUND: Error on HTTP GET ${URL_OF_TASK}: no such task`);
  assertEquals([error.method, error.url, error.status], ["GET", URL_OF_TASK, 404]);
  const removal = await assertRejects(() => taskWith(notFound).delete(), DeepintHTTPError);
  assertEquals(removal.message, `Error on HTTP DELETE ${URL_OF_TASK}: no such task`);
  assertEquals(removal.method, "DELETE");
});

Deno.test("the url of a DeepintHTTPError is without its query, also in the message", async () => {
  const tasks = list(answering({}, { status: 403 }));
  const error = await assertRejects(() => Array.fromAsync(tasks), DeepintHTTPError);
  const url = "https://app.deepint.net/api/v1/workspace/ws-1/tasks";
  assertEquals(error.url, url);
  assertMatch(error.message, /^Error on HTTP GET https:[^? ]+\/tasks: /);
});

Deno.test("the code of an HTTP error comes from the body if it is valid, otherwise from the status", async () => {
  const codes: [number, unknown, string][] = [
    [401, { code: "INVALID_TOKEN" }, "INVALID_TOKEN"],
    [401, { code: "A" }, "A"],
    [401, { code: "E_404" }, "E_404"],
    [401, { code: "X".repeat(64) }, "X".repeat(64)],
    [401, { code: "X".repeat(65) }, "HTTP_401"],
    [401, { code: "" }, "HTTP_401"],
    [401, { code: "lower" }, "HTTP_401"],
    [401, { code: "A-B" }, "HTTP_401"],
    [401, { code: "A\n" }, "HTTP_401"],
    [401, { code: "É" }, "HTTP_401"],
    [401, { code: 7 }, "HTTP_401"],
    [401, { code: ["A"] }, "HTTP_401"],
    [401, {}, "HTTP_401"],
    [402, {}, "HTTP_402"],
    [403, {}, "HTTP_403"],
    [404, {}, "HTTP_404"],
    [429, {}, "HTTP_429"],
    [500, {}, "UNKNOWN_ERROR"],
    [500, { code: "BROKEN" }, "BROKEN"],
    [502, {}, "BAD_GATEWAY"],
    [503, {}, "HTTP_503"],
    [504, {}, "TIMEOUT_ERROR"],
    [200, { result: "error" }, "UNKNOWN_ERROR"],
    [200, { result: "error", code: "LOCKED", message: "busy" }, "LOCKED"],
    [200, { result: "error", code: "locked" }, "UNKNOWN_ERROR"],
  ];
  for (const [status, body, code] of codes) {
    const error = await loadError(answering(body as object, { status }));
    assertEquals([error.code, error.status], [code, status], JSON.stringify(body));
  }
});

Deno.test("a body that is not a JSON object yields the status's code without its text", async () => {
  const bodies = ["<html>bad <b>gateway</b></html>", "", "null", "[]", '"text"', '{"code":"A"'];
  for (const body of bodies) {
    const error = await loadError(answering(body, { status: 502 }));
    assertEquals(error.code, "BAD_GATEWAY", body);
    assert(!error.message.includes("gateway</b>"), error.message);
  }
});

Deno.test("a missing or unusable response has a code of its own", async () => {
  const codes: [Fetch, string][] = [
    [failing(new TypeError("connection refused")), "NETWORK_ERROR"],
    [answering("", { status: 302, headers: { location: "/other" } }), "REDIRECT"],
    [answering("x".repeat(1_048_577)), "BODY_TOO_LARGE"],
    [answering("<html></html>"), "INVALID_RESPONSE"],
    [answering({}), "INVALID_RESPONSE"],
    [answering("null"), "INVALID_RESPONSE"],
    [answering("[]"), "INVALID_RESPONSE"],
    [answering({ id: "task-2", status: "running" }), "INVALID_RESPONSE"],
    [answering({ status: "running", name: 5 }), "INVALID_RESPONSE"],
    [answering({ status: "running", result: {} }), "INVALID_RESPONSE"],
  ];
  for (const [fetch, code] of codes) assertEquals((await loadError(fetch)).code, code);
});

Deno.test("a page of a list that holds no tasks has the code INVALID_RESPONSE", async () => {
  const pages = [
    {},
    { items: {}, pages_count: 1 },
    { items: [], pages_count: null },
    { items: [5], pages_count: 1 },
    { items: [{ name: "no id" }], pages_count: 1 },
    { items: [{ id: 5 }], pages_count: 1 },
    { items: [{ id: "../other" }], pages_count: 1 },
  ];
  for (const page of pages) {
    const error = await assertRejects(() => Array.fromAsync(list(answering(page))));
    assertInstanceOf(error, DeepintHTTPError, JSON.stringify(page));
    assertEquals(error.code, "INVALID_RESPONSE");
  }
});

Deno.test("an HTTP error says whether the same request may succeed later, and when", async () => {
  for (const status of [429, 500, 502, 503, 504]) {
    const headers = { "retry-after": "7" };
    const error = await loadError(answering({}, { status, headers }));
    assertEquals([error.retryable, error.retryAfter], [true, 7_000], `${status}`);
  }
  for (const status of [400, 401, 402, 403, 404]) {
    const error = await loadError(answering({}, { status }));
    assertEquals([error.retryable, error.retryAfter], [false, undefined], `${status}`);
  }
  assertEquals((await loadError(answering({ code: "LIMIT" }, { status: 400 }))).retryable, true);
  assertEquals((await loadError(failing(new TypeError("reset")))).retryable, true);
});

Deno.test("an error has no property without a value", async () => {
  const { DeepintHTTPError: http } = await errorOfEachClass();
  const timeout = await assertRejects(
    () => Array.fromAsync(list(() => new Promise(() => {}), { timeout: 0 })),
    DeepintTimeoutError,
  );
  assertEquals(Object.entries(http).filter(([, value]) => value === undefined), []);
  assertEquals(Object.entries(timeout).filter(([, value]) => value === undefined), []);
});

Deno.test("an error keeps its cause", async () => {
  const cause = new TypeError("connection refused", { cause: new Error("os error 111") });
  assertEquals((await loadError(failing(cause))).cause, cause);
  assertEquals((await loadError(failing("text"))).cause, "text");
});

Deno.test("a message contains at most 200 printable characters of an invalid body", async () => {
  const messages = [
    "x".repeat(10_000),
    "\u001b[31m".repeat(1_000),
    "a\u0000b\u0007c\u202ed\r\ne\u2028f\u009bg".repeat(100),
    "\u{1f600}".repeat(1_000),
    "\u{1f600}a".repeat(101).slice(1),
    "任".repeat(5_000),
  ];
  for (const message of messages) {
    for (const [status, result] of [[400, null], [200, "error"]] as const) {
      const error = await loadError(answering({ code: "BAD", message, result }, { status }));
      const text = error.message.slice(`Error on HTTP GET ${URL_OF_TASK}: `.length);
      assert(text.length > 0 && text.length <= 200, `${text.length} characters`);
      // neither controls, nor invisible signs, nor half a character
      assert(!/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(error.message), JSON.stringify(text));
    }
  }
});

Deno.test("a message does not contain the value of a field of the wrong type", async () => {
  for (const key of ["id", "name", "status", "duration", "created", "error_description"]) {
    const body = { id: "task-1", status: "running", [key]: { secret: "s3cr3t" } };
    const error = await loadError(answering(body));
    assertEquals(error.code, "INVALID_RESPONSE");
    assert(error.message.includes(key), error.message);
    assert(!allRenderings(error).includes("s3cr3t"), error.message);
  }
});

/** The error of a task that failed so. */
async function failure(info: Record<string, unknown>): Promise<DeepintTaskError> {
  const task = taskWith(failing("no request is due"), { info: { status: "failed", ...info } });
  return await assertRejects(() => task.resolve(), DeepintTaskError);
}

Deno.test("a failed task's error has its code and text, the task and its info", async () => {
  const info = { name: "Import", error_code: "E_1", error_description: "no such column" };
  const task = taskWith(failing("no request is due"), { info: { status: "failed", ...info } });
  const error = await assertRejects(() => task.resolve(), DeepintTaskError);
  assertEquals(error.code, "TASK_E_1");
  assertEquals(error.message, "Task (task-1) Import failed with description: no such column");
  assertEquals(String(error), `TASK_E_1: ${error.message}`);
  assert(error.task === task && error.info === task.info);
});

Deno.test("a numeric error_code is the code of a failed task", async () => {
  assertEquals((await failure({ error_code: 7 })).code, "TASK_7");
});

Deno.test("a failed task without error fields rejects with TASK_UNKNOWN and no description", async () => {
  for (const none of [{}, { error_code: null, error_description: null, name: null }]) {
    const error = await failure(none);
    assertEquals(error.code, "TASK_UNKNOWN");
    assertMatch(error.message, /^Task \(task-1\) .*failed with description: no description$/);
    assert(!/null|undefined/.test(String(error)), String(error));
  }
});

Deno.test("an unknown status and an early fetchResult() have codes of their own", async () => {
  const info = { status: "cancelled", name: null };
  const unknown = await assertRejects(
    () => taskWith(answering({ status: "cancelled" }), { info }).resolve(),
    DeepintTaskError,
  );
  assertEquals(unknown.code, "TASK_STATUS_UNKNOWN");
  for (const status of ["pending", "running", "cancelled"]) {
    const early = await assertRejects(
      () => taskWith(answering({ status }), { info: { status } }).fetchResult(),
      DeepintTaskError,
    );
    assertEquals(early.code, "TASK_NOT_FINISHED");
    assertEquals(early.info.rawStatus, status);
    assert(!/null|undefined/.test(String(early)), String(early));
  }
});

Deno.test("a timeout has the last known info and the elapsed milliseconds", async () => {
  const task = taskWith(() => new Promise(() => {}), { info: { status: "running" } });
  for (const wait of [() => task.resolve({ timeout: 0 }), () => task.load({ timeout: 0 })]) {
    const error = await assertRejects(wait, DeepintTimeoutError);
    assertEquals(error.code, "TIMEOUT");
    assert(error.info === task.info);
    assert(error.elapsed >= 0 && error.elapsed < 10_000, `${error.elapsed}`);
  }
});

// --- The token: in no print of any error of a real operation

Deno.test("the token is in no error of a server that echoes it", async () => {
  const echo = `the token ${CANARY} is not valid`;
  const html = `<html><body>${echo}</body></html>`;
  const answers: Fetch[] = [
    answering({ code: CANARY, message: echo }, { status: 401 }),
    answering({ code: CANARY, message: CANARY }, { status: 500 }),
    answering({ code: "X", message: `${"x".repeat(190)}${CANARY}` }, { status: 403 }),
    answering({ result: "error", code: CANARY, message: echo }),
    answering({ message: { [CANARY]: CANARY }, code: [CANARY] }, { status: 400 }),
    answering(html, { status: 502 }),
    answering(html),
    answering(CANARY),
    answering(JSON.stringify(CANARY)),
    answering([CANARY] as object),
    answering({ [CANARY]: CANARY }),
    answering({ id: CANARY, status: "running" }),
    answering({ id: "task-1", name: [CANARY] }),
    answering({ id: "task-1", status: { [CANARY]: CANARY } }),
    answering("", { status: 307, headers: { location: `https://evil.example/?t=${CANARY}` } }),
    answering({}, { status: 404, statusText: CANARY, headers: { "x-auth-token": CANARY } }),
    answering({}, { status: 429, headers: { "retry-after": CANARY } }),
    answering(CANARY.repeat(100_000)),
  ];
  for (const fetch of answers) assertSilent(await loadError(fetch));
});

Deno.test("the token is in no error of a list or a delete that echoes it", async () => {
  const answers: Fetch[] = [
    answering({ code: CANARY, message: `no ${CANARY}` }, { status: 401 }),
    answering({ result: "error", code: CANARY, message: CANARY }),
    answering({ result: CANARY, items: CANARY, pages_count: CANARY }),
    answering({ items: [{ id: [CANARY], name: CANARY }], pages_count: 1 }),
    answering(`<html>${CANARY}</html>`, { status: 503 }),
  ];
  for (const fetch of answers) {
    const remove = () => taskWith(fetch).delete({ retries: 0 });
    assertSilent(await assertRejects(remove, DeepintHTTPError));
    assertSilent(await assertRejects(() => Array.fromAsync(list(fetch)), DeepintHTTPError));
  }
});

Deno.test("the token is in no error of a task whose fields echo it", async () => {
  const fields = {
    name: `import ${CANARY}`,
    description: CANARY,
    error_code: CANARY,
    error_description: `cannot sign in with ${CANARY}`,
    subtask: CANARY,
    user_name: CANARY,
  };
  for (const status of ["failed", CANARY]) {
    const task = taskWith(answering({ id: "task-1", ...fields, status }));
    assertSilent(await assertRejects(() => task.resolve(), DeepintTaskError));
    assertSilent(await assertRejects(() => task.resolve(), DeepintTaskError));
    assertSilent(task);
  }
  const answer = answering({ id: "task-1", ...fields, status: "running" });
  let requests = 0;
  const running = taskWith((url, init) =>
    ++requests === 1 ? answer(url, init) : new Promise(() => {})
  );
  await running.load();
  assertSilent(running);
  assertSilent(await assertRejects(() => running.fetchResult(), DeepintTaskError));
  assertSilent(await assertRejects(() => running.resolve({ timeout: 0 }), DeepintTimeoutError));
  assertSilent(await assertRejects(() => running.load({ timeout: 0 }), DeepintTimeoutError));
});

Deno.test("the token is in no error of a server that echoes it in JSON's escapes", async () => {
  // "/" as PHP writes it, "+" and "<" as .NET and Go do, the others as everybody must
  const token = 'canary/0123+4567<89"\\';
  const must = JSON.stringify(token).slice(1, -1);
  const escaped = [
    must,
    must.replaceAll("/", "\\/"),
    must.replaceAll("+", "\\u002B"),
    must.replaceAll("<", "\\u003c"),
    [...token].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join(""),
  ];
  for (const echo of escaped) {
    const refused = answering(`{"code":"X","message":"no ${echo}"}`, { status: 401 });
    assertSilent(await loadError(refused, token), token);
    const fields = `"error_code":"X","error_description":"no ${echo}","name":"${echo}"`;
    const failed = taskWith(answering(`{"status":"failed",${fields}}`), { token });
    assertSilent(await assertRejects(() => failed.resolve(), DeepintTaskError), token);
  }
});

/** Errors of a custom `fetch` that hold the token somewhere a print shows it. */
function leakyErrors(): Record<string, unknown> {
  const headers = { "x-auth-token": CANARY };
  const url = `https://app.deepint.net/?token=${CANARY}`;
  const withProperties = (properties: object) =>
    Object.assign(new TypeError("fetch failed"), properties);
  const circular: Record<string, unknown> = { deep: { token: CANARY } };
  circular.self = circular;
  return {
    "its message": new TypeError(`cannot send ${CANARY}`),
    "its name": Object.assign(new Error("failed"), { name: `Error ${CANARY}` }),
    "a nested cause": new TypeError("fetch failed", {
      cause: new Error("socket", { cause: new Error(`x-auth-token: ${CANARY}`) }),
    }),
    "a cause that is no error": new TypeError("fetch failed", { cause: { headers } }),
    "a property": withProperties({ config: { headers } }),
    "a symbol's property": withProperties({ [Symbol("config")]: { headers } }),
    "a hidden property": Object.defineProperty(new Error("failed"), "config", {
      value: { headers },
    }),
    "an array": withProperties({ rawHeaders: ["accept", "*/*", "x-auth-token", CANARY] }),
    "a map": withProperties({ headers: new Map([["x-auth-token", CANARY]]) }),
    "a map's key": withProperties({ cache: new Map([[CANARY, 1]]) }),
    "a set": withProperties({ tokens: new Set([CANARY]) }),
    "a property's name": withProperties({ clients: { [CANARY]: { open: true } } }),
    "a Headers object": withProperties({ headers: new Headers(headers) }),
    "a Request's headers": withProperties({
      request: new Request("https://x.example", { headers }),
    }),
    "a Request's URL": withProperties({ request: new Request(url) }),
    "a Response's headers": withProperties({ response: new Response(null, { headers }) }),
    "a URL": withProperties({ url: new URL(url) }),
    "search parameters": withProperties({ query: new URLSearchParams({ token: CANARY }) }),
    "a function's property": withProperties({ retry: Object.assign(() => {}, { headers }) }),
    "a symbol's name": withProperties({ [Symbol(CANARY)]: true, kind: Symbol(CANARY) }),
    "a boxed text": withProperties({ token: new String(CANARY) }),
    "a circle": withProperties({ circular }),
    "AggregateError.errors": new AggregateError([new Error("v4"), new Error(CANARY)], "all failed"),
    "a DOMException": new DOMException(`cannot send ${CANARY}`, "NetworkError"),
    "a plain object": { code: "ECONNRESET", headers },
    "a text": `cannot send ${CANARY}`,
    "depth": withProperties({ a: { b: { c: { d: { e: { f: { g: { headers } } } } } } } }),
    "an object without prototype": withProperties({
      headers: Object.assign(Object.create(null), headers),
    }),
  };
}

for (const [place, error] of Object.entries(leakyErrors())) {
  Deno.test(`the token is in no error when the error of fetch contains it in ${place}`, async () => {
    // the token would be seen, were the error kept
    assert(Deno.inspect(error, { depth: 20, showHidden: true }).includes(CANARY));
    const found = await loadError(failing(error));
    assertEquals(found.code, "NETWORK_ERROR");
    assertSilent(found);
    if (typeof error === "string") return;
    // the same, at the end of a body that broke off
    const body = () => new ReadableStream({ pull: (controller) => controller.error(error) });
    const broken = await loadError(() => Promise.resolve(new Response(body())));
    assertEquals(broken.code, "NETWORK_ERROR");
    assertSilent(broken);
  });
}

Deno.test("a redacted cause is an Error that says so", async () => {
  const { cause } = await loadError(failing(new TypeError(`cannot send ${CANARY}`)));
  assertInstanceOf(cause, Error);
  assert(cause.message.length > 0);
});

Deno.test("a large cause is not searched to its end, and iterators are not consumed", async () => {
  // a client may attach a large response body to its error
  let reads = 0;
  const rows = new Proxy(Array(200_000).fill(0), {
    get(rows, key, receiver) {
      reads++;
      return Reflect.get(rows, key, receiver);
    },
  });
  await loadError(failing(Object.assign(new Error("too many"), { rows })));
  assert(reads < 100_000, `${reads} reads`);
  const once = Array(3).values();
  await loadError(failing(Object.assign(new Error("once"), { once })));
  assertEquals([...once].length, 3);
});

Deno.test("a cause that contains bytes is kept", async () => {
  const bytes = Object.assign(new Error("bytes"), { body: new Uint8Array(20_000_000) });
  const begun = performance.now();
  const { cause } = await loadError(failing(bytes));
  assert(cause === bytes);
  assert(performance.now() - begun < 1_000, "the bytes were looked through");
});

Deno.test("a cause that contains a promise is dropped", async () => {
  const pending = Object.assign(new Error("pending"), { token: Promise.resolve(CANARY) });
  const { cause } = await loadError(failing(pending));
  assert(cause !== pending);
});

Deno.test("a value thrown by fetch becomes NETWORK_ERROR", async () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const odd: Record<string, unknown> = {
    "undefined": undefined,
    "null": null,
    "number": 5,
    "text": "text",
    "function": () => {},
    "frozen": Object.freeze(new Error("frozen")),
    "no prototype": Object.create(null),
    "a getter that throws": Object.defineProperty(new Error("getter"), "config", {
      enumerable: true,
      get: () => {
        throw new Error("not now");
      },
    }),
    "an iterator that throws": Object.assign(new Error("iterator"), {
      rows: {
        [Symbol.iterator]: () => {
          throw new Error("not now");
        },
      },
    }),
    "an iterator that is none": Object.assign(new Error("iterator"), {
      rows: { [Symbol.iterator]: true },
    }),
    "a revoked proxy": Object.assign(new Error("proxy"), { proxy }),
  };
  const codes: Record<string, unknown> = {};
  for (const [name, reason] of Object.entries(odd)) {
    const error = await assertRejects(() => taskWith(failing(reason)).load({ retries: 0 }));
    codes[name] = error instanceof DeepintHTTPError ? error.code : error;
  }
  assertEquals(codes, Object.fromEntries(Object.keys(odd).map((name) => [name, "NETWORK_ERROR"])));
});

Deno.test("no error of any class contains the token, for every kind of credentials", async () => {
  const echo = { code: CANARY, message: CANARY };
  for (const token of [CANARY, () => CANARY]) {
    const http = () => taskWith(answering(echo, { status: 401 }), { token }).load();
    const failed = { status: "failed", error_code: CANARY, error_description: CANARY };
    const task = () => taskWith(answering(failed), { token }).resolve();
    const timeout = () => taskWith(() => new Promise(() => {}), { token }).load({ timeout: 0 });
    const bad = () => taskWith(answering(echo), { token: () => `${CANARY}\n` }).load();
    for (
      const [run, Class] of [
        [http, DeepintHTTPError],
        [task, DeepintTaskError],
        [timeout, DeepintTimeoutError],
        [bad, DeepintCredentialsError],
      ] as const
    ) {
      const error = await assertRejects(run);
      assertInstanceOf(error, Class);
      assertSilent(error);
    }
  }
});

Deno.test("an error keeps its message when it is cloned or serialised", async () => {
  for (const error of Object.values(await errorOfEachClass())) {
    const clone: unknown = structuredClone(error);
    assertInstanceOf(clone, Error);
    assertEquals(clone.message, error.message);
    assertEquals(JSON.parse(JSON.stringify(error)).code, error.code);
  }
});
