// The error classes: codes, messages and members.
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertNotInstanceOf,
  assertRejects,
} from "@std/assert";
import {
  DeepintBaseError,
  DeepintCredentialsError,
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
  type Fetch,
} from "../../mod.ts";
import { allRenderings } from "../helpers/client.ts";
import {
  answering,
  errorOfEachClass,
  failing,
  list,
  loadError,
  taskBy,
  URL_OF_TASK,
} from "../helpers/errors.ts";

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
  const removal = await assertRejects(() => taskBy(notFound).delete(), DeepintHTTPError);
  assertEquals(removal.message, `Error on HTTP DELETE ${URL_OF_TASK}: no such task`);
  assertEquals(removal.method, "DELETE");
});

Deno.test("the url of a DeepintHTTPError is without its query, also in the message", async () => {
  const tasks = list(answering({}, { status: 403 }));
  const error = await assertRejects(() => Array.fromAsync(tasks), DeepintHTTPError);
  const url = "https://app.deepint.net/api/v1/workspace/w-1/tasks";
  assertEquals(error.url, url);
  assertMatch(error.message, /^Error on HTTP GET https:[^? ]+\/tasks: /);
});

Deno.test("the code of an HTTP error comes from the body if it is valid, otherwise from the status", async () => {
  const codes: [number, object, string][] = [
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
    ...[400, 401, 402, 403, 404, 408, 409, 418, 425, 429, 501, 503, 505, 520, 524, 599].map(
      (status): [number, object, string] => [status, {}, `HTTP_${status}`],
    ),
    [500, {}, "UNKNOWN_ERROR"],
    [500, { code: "BROKEN" }, "BROKEN"],
    [502, {}, "BAD_GATEWAY"],
    [504, {}, "TIMEOUT_ERROR"],
    [200, { result: "error" }, "UNKNOWN_ERROR"],
    [200, { result: "error", code: "LOCKED" }, "LOCKED"],
    [200, { result: "error", code: "locked" }, "UNKNOWN_ERROR"],
  ];
  for (const [status, body, code] of codes) {
    const error = await loadError(answering({ message: "locked", ...body }, { status }));
    assert(error.message.endsWith(": locked"), error.message);
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
  ];
  for (const [fetch, code] of codes) assertEquals((await loadError(fetch)).code, code);
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

Deno.test("NETWORK_ERROR keeps the error of fetch as its cause", async () => {
  const cause = new TypeError("connection refused", { cause: new Error("os error 111") });
  const error = await loadError(failing(cause));
  assertEquals([error.code, error.status, error.cause], ["NETWORK_ERROR", 0, cause]);
  assertEquals((await loadError(failing("text"))).cause, "text");
});

Deno.test("a message contains at most 200 printable characters of a body", async () => {
  const messages = [
    "x".repeat(10_000),
    "\u001b[31m".repeat(1_000),
    "a\u0000b\u0007c\u202ed\r\ne\u2028f\u009bg".repeat(100),
    "\u{1f600}".repeat(1_000),
    "\u{1f600}a".repeat(101).slice(1),
    "任".repeat(5_000),
  ];
  for (const message of messages) {
    for (
      const answer of [
        answering({ code: "BAD", message }, { status: 400 }),
        answering({ code: "BAD", message, result: "error" }),
        answering({ code: message, message: "no" }, { status: 400 }),
        answering(`<p>${message}</p>`),
        answering(`<p>${message}</p>`, { status: 502 }),
        answering({ id: message, status: "running" }),
        answering({ [message]: 1 }),
      ]
    ) {
      const error = await loadError(answer);
      const text = error.message.slice(`Error on HTTP GET ${URL_OF_TASK}: `.length);
      assert(text.length > 0 && text.length <= 200, `${text.length} characters`);
      // neither controls, nor invisible signs, nor half a character
      assert(!/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(error.message), JSON.stringify(text));
    }
  }
});

Deno.test("INVALID_RESPONSE names the field of the wrong type, without its value", async () => {
  for (const key of ["id", "name", "status", "duration", "created", "error_description"]) {
    const body = { id: "t-1", status: "running", [key]: { secret: "s3cr3t" } };
    const error = await loadError(answering(body));
    assertEquals(error.code, "INVALID_RESPONSE");
    assert(error.message.includes(key) && error.cause instanceof TypeError, error.message);
    assert(!allRenderings(error).includes("s3cr3t"), error.message);
  }
});

Deno.test("a timeout has the last known info and the elapsed milliseconds", async () => {
  const task = taskBy(() => new Promise(() => {}), { known: { status: "running" } });
  for (const wait of [() => task.resolve({ timeout: 0 }), () => task.load({ timeout: 0 })]) {
    const error = await assertRejects(wait, DeepintTimeoutError);
    assertEquals(error.code, "TIMEOUT");
    assert(error.info === task.info);
    assert(error.elapsed >= 0 && error.elapsed < 10_000, `${error.elapsed}`);
  }
});
