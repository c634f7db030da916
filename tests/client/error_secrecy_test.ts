// The token is in no error of a real operation, however it is printed.
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  DeepintCredentialsError,
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
  type Fetch,
} from "../../mod.ts";
import {
  answering,
  assertSilent,
  CANARY,
  errorOfEachClass,
  failing,
  list,
  loadError,
  taskBy,
} from "../helpers/errors.ts";

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
    answering({ id: "t-1", name: [CANARY] }),
    answering({ id: "t-1", status: { [CANARY]: CANARY } }),
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
    const remove = () => taskBy(fetch).delete({ retries: 0 });
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
    result: CANARY,
  };
  for (const status of ["failed", CANARY]) {
    const task = taskBy(answering({ id: "t-1", ...fields, status }));
    assertSilent(await assertRejects(() => task.resolve(), DeepintTaskError));
    assertSilent(await assertRejects(() => task.resolve(), DeepintTaskError));
    assertSilent(task);
  }
  const answer = answering({ id: "t-1", ...fields, status: "running" });
  let requests = 0;
  const running = taskBy((url, init) =>
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
    const failed = taskBy(answering(`{"status":"failed",${fields}}`), { token });
    assertSilent(await assertRejects(() => failed.resolve(), DeepintTaskError), token);
    assertSilent(failed, token);
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
  const form = new FormData();
  form.set("token", CANARY);
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
    "a FormData": withProperties({ form }),
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

Deno.test("a cause without the token is kept, also if it contains itself or bytes", async () => {
  const circular = Object.assign(new Error("circular"), { self: {} });
  circular.self = circular;
  assertStrictEquals((await loadError(failing(circular))).cause, circular);
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
    const error = await assertRejects(() => taskBy(failing(reason)).load({ retries: 0 }));
    codes[name] = error instanceof DeepintHTTPError ? error.code : error;
  }
  assertEquals(codes, Object.fromEntries(Object.keys(odd).map((name) => [name, "NETWORK_ERROR"])));
});

Deno.test("no error of any class contains the token, for every kind of credentials", async () => {
  const echo = { code: CANARY, message: CANARY };
  for (const token of [CANARY, () => CANARY]) {
    const http = () => taskBy(answering(echo, { status: 401 }), { token }).load();
    const failed = { status: "failed", error_code: CANARY, error_description: CANARY };
    const task = () => taskBy(answering(failed), { token }).resolve();
    const timeout = () => taskBy(() => new Promise(() => {}), { token }).load({ timeout: 0 });
    const bad = () => taskBy(answering(echo), { token: () => `${CANARY}\n` }).load();
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
    const { code, message } = JSON.parse(JSON.stringify(error));
    assertEquals([code, message], [error.code, error.message]);
  }
});
