// Responses of unusual fetch functions, unreadable responses, and what the errors say about them.
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { DeepintHTTPError, resolveAll, Task } from "../../mod.ts";
import { assertNoSecrets, taskWith, TOKEN } from "../helpers/client.ts";

const MiB = 1_048_576;

type Responses = (url: string, init: RequestInit) => unknown;

function taskBy(fetch: Responses | undefined, instance?: string): Task {
  const { task } = taskWith({ instance });
  // what a JavaScript program may pass
  return Task.fromDict(task.toDict(), { ...task, fetch: fetch as never });
}

async function errorBy(fetch: Responses): Promise<DeepintHTTPError> {
  return await assertRejects(() => taskBy(fetch).load({ retries: 0 }), DeepintHTTPError);
}

const RUNNING = '{"id":"t-1","status":"running"}';

Deno.test("a response without a body stream is read with text()", async () => {
  for (const body of [undefined, null, { pipe: () => {} }]) {
    const { headers } = new Response();
    const fetch = () => Promise.resolve({ status: 200, headers, body, text: () => RUNNING });
    assertEquals((await taskBy(fetch).load({ retries: 0 })).info.status, "running");
  }
});

Deno.test("a response without a body stream has the same cap", async () => {
  for (
    const [text, code] of [[" ".repeat(MiB + 1), "BODY_TOO_LARGE"], [
      "é".repeat(MiB / 2 + 1),
      "BODY_TOO_LARGE",
    ]]
  ) {
    const { headers } = new Response();
    const error = await errorBy(() => Promise.resolve({ status: 200, headers, text: () => text }));
    assertEquals(error.code, code);
  }
  const { headers } = new Response();
  const text = () => RUNNING.padEnd(MiB);
  await taskBy(() => Promise.resolve({ status: 200, headers, text })).load();
});

Deno.test("a fetch that returns no response is a TypeError that names it, and is not repeated", async () => {
  const headers = new Headers();
  const values = [undefined, null, "text", 5, {}, { status: 200 }, { status: 200, headers: {} }, {
    status: "200",
    headers,
    text: () => "",
  }];
  for (const value of values) {
    let calls = 0;
    const task = taskBy(() => {
      calls++;
      return Promise.resolve(value);
    });
    for (const work of [() => task.load(), () => task.resolve()]) {
      const error = await assertRejects(work, TypeError, "option fetch");
      assertStringIncludes(error.message, value === null ? "null" : typeof value);
    }
    assertEquals(calls, 2);
  }
});

Deno.test("resolveAll() rejects when fetch returns no response", async () => {
  const task = taskBy(() => Promise.resolve(undefined));
  await assertRejects(
    async () => {
      for await (const _settled of resolveAll([task, task]));
    },
    TypeError,
    "option fetch",
  );
});

Deno.test("a fetch that is not a function is a TypeError, and so is a runtime without fetch", async () => {
  const wrong = taskBy("https://example.com" as never);
  await assertRejects(() => wrong.load(), TypeError, "option fetch");
  const { fetch } = globalThis;
  Reflect.deleteProperty(globalThis, "fetch");
  try {
    await assertRejects(() => taskBy(undefined).load(), TypeError, "this runtime has no fetch");
  } finally {
    globalThis.fetch = fetch;
  }
});

Deno.test("a success that is not JSON says what was received, without quoting it", async () => {
  const received: Record<string, [BodyInit, string | undefined]> = {
    "received text/html, not JSON": ["<html>Sign in</html>", "text/html; charset=utf-8"],
    "received an empty body, not JSON": ["", "application/json"],
    "received malformed text, not JSON": ['{"id":"t-1","stat', "application/json"],
    "received malformed text, not JSON ": [new Uint8Array([60, 61]), undefined],
  };
  for (const [text, [body, type]] of Object.entries(received)) {
    const headers = type === undefined ? {} : { "content-type": type };
    const error = await errorBy(() => Promise.resolve(new Response(body, { headers })));
    assertEquals([error.code, error.retryable], ["INVALID_RESPONSE", true]);
    assertMatch(error.message, new RegExp(`: ${text.trim()}$`));
    assert(!error.message.includes("Sign in"));
  }
});

Deno.test("a content-type or request id that echoes the token reaches no error", async () => {
  const headers = { "content-type": `text/${TOKEN}`, "x-request-id": `r-${TOKEN}` };
  for (const status of [200, 400]) {
    const error = await errorBy(() => Promise.resolve(new Response("<p>", { status, headers })));
    assertEquals(error.requestId, undefined);
    assertNoSecrets(error, TOKEN);
  }
});

Deno.test("a network failure gives the runtime's reason, without URL and token", async () => {
  const url = "https://app.deepint.net/api?secret=1";
  const reasons: [unknown, string][] = [
    [
      new TypeError("fetch failed", { cause: new Error("getaddrinfo ENOTFOUND a.invalid") }),
      "getaddrinfo ENOTFOUND a.invalid",
    ],
    [
      new TypeError("fetch failed", {
        cause: new AggregateError([new Error("connect ECONNREFUSED ::1:9")], ""),
      }),
      "connect ECONNREFUSED ::1:9",
    ],
    [
      new TypeError("fetch failed", {
        cause: new Error(
          `error sending request for url (${url}): client error (Connect): invalid peer certificate: UnknownIssuer`,
        ),
      }),
      "invalid peer certificate: UnknownIssuer",
    ],
    [new TypeError(`cannot reach ${url}`), "cannot reach [url]"],
    [new TypeError("line one\nline two\u202e"), "line one line two"],
  ];
  for (const [cause, reason] of reasons) {
    const error = await errorBy(() => Promise.reject(cause));
    assertEquals(error.code, "NETWORK_ERROR");
    assert(error.message.endsWith(`: no response: ${reason}`), error.message);
  }
  const secret = await errorBy(() => Promise.reject(new Error(`x-auth-token: ${TOKEN}`)));
  assert(secret.message.endsWith(": no response"), secret.message);
  assertNoSecrets(secret, TOKEN);
  const none = await errorBy(() => Promise.reject(undefined));
  assert(none.message.endsWith(": no response"), none.message);
});

Deno.test("the real fetch gives its reason", async () => {
  const task = taskBy(undefined, "no-such-host.invalid");
  const error = await assertRejects(() => task.load({ retries: 0 }), DeepintHTTPError);
  assertMatch(error.message, /: no response: .*(dns|lookup|net access|Requires)/i);
});

Deno.test("a body that breaks off gives the runtime's reason", async () => {
  const fetch = () =>
    Promise.resolve(
      new Response(
        new ReadableStream({ start: (body) => body.error(new TypeError("reset by peer")) }),
      ),
    );
  const error = await errorBy(fetch);
  assert(error.message.endsWith(": the body broke off: reset by peer"), error.message);
});

Deno.test("an error as JSON has its message and the request id, and neither cause nor stack", async () => {
  const headers = { "x-request-id": "up-1", "retry-after": "5" };
  const error = await errorBy(() =>
    Promise.resolve(Response.json({ code: "QUOTA", message: "why" }, { status: 400, headers }))
  );
  assertEquals(error.requestId, "up-1");
  assertEquals(JSON.parse(JSON.stringify(error)), {
    message: error.message,
    code: "QUOTA",
    method: "GET",
    url: "https://app.deepint.net/api/v1/workspace/w-1/task/t-1",
    status: 400,
    retryable: false,
    retryAfter: 5_000,
    requestId: "up-1",
  });
});

Deno.test("a user agent is sent, but not in browsers", async () => {
  const sent: (string | null)[] = [];
  const task = taskBy((_url, init) => {
    sent.push(new Headers(init.headers).get("user-agent"));
    return Promise.resolve(new Response(RUNNING));
  });
  await task.load();
  const { navigator } = globalThis;
  for (const userAgent of ["Mozilla/5.0 (X11; Linux)", undefined]) {
    Object.defineProperty(globalThis, "navigator", { value: { userAgent }, configurable: true });
    try {
      await task.load();
    } finally {
      Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
    }
  }
  assertMatch(sent[0] ?? "", /^deepint-task\/\d+\.\d+\.\d+$/);
  assertEquals(sent.slice(1), [null, sent[0]]);
});

Deno.test("a body with content-length and transfer-encoding does not pass the cap", async () => {
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let written = 0;
  const serving = (async () => {
    const socket = await server.accept();
    await socket.read(new Uint8Array(4_096));
    const encoder = new TextEncoder();
    const chunk = encoder.encode(`10000\r\n${" ".repeat(65_536)}\r\n`);
    try {
      await socket.write(
        encoder.encode(
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
      );
      while (written < 300 * MiB) written += await socket.write(chunk);
    } catch {
      // the client has closed the connection
    }
    socket.close();
  })();
  const task = taskBy(undefined, `http://127.0.0.1:${server.addr.port}`);
  const error = await assertRejects(() => task.load({ retries: 0 }), DeepintHTTPError);
  server.close();
  await serving;
  assert(["BODY_TOO_LARGE", "NETWORK_ERROR"].includes(error.code), error.code);
  assert(written < 32 * MiB, `${written} bytes written`);
});
