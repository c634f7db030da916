// The headers that every response has.
import { assertEquals, assertMatch } from "@std/assert";
import {
  IDS,
  post,
  retryAfterOf,
  RUNNING,
  setUp,
  SUCCESS,
  TASK_PATH,
} from "../helpers/endpoint.ts";

Deno.test("every response has Cache-Control, nosniff and its own request id", async () => {
  const { platform, bearer, webhook, send, log } = setUp();
  platform.inject(() => Response.json(RUNNING), 2);
  platform.inject(() => Response.json(SUCCESS));
  const answers = [
    await bearer(IDS),
    await webhook(IDS),
    await bearer(IDS),
    await bearer({}),
    await send("/resolve", post(IDS)),
    await bearer({ ...IDS, task_id: "t-2" }),
    await send("/resolve"),
    await bearer(IDS, { headers: { "content-type": "text/plain" } }),
    await send("/health", { method: "POST" }),
    await send("/openapi.json"),
    await send("/problems/forbidden", { method: "HEAD" }),
    await send("/none"),
    await send(TASK_PATH, { method: "OPTIONS" }),
  ];
  const statuses = answers.map(({ status }) => status);
  assertEquals(statuses, [202, 503, 200, 400, 401, 404, 405, 415, 405, 200, 200, 404, 405]);
  for (const [index, response] of answers.entries()) {
    const { status, headers } = response;
    const entry = log[index];
    assertEquals(headers.get("cache-control"), "no-store", `${status}`);
    assertEquals(headers.get("x-content-type-options"), "nosniff", `${status}`);
    assertMatch(headers.get("x-request-id") ?? "", /^[A-Za-z0-9_-]{1,64}$/, `${status}`);
    assertEquals([entry?.status, entry?.request_id], [status, headers.get("x-request-id")]);
    if ([202, 503].includes(status)) retryAfterOf(response);
  }
  assertEquals(log.length, answers.length, "one line a request");
  assertEquals(new Set(log.map(({ request_id }) => request_id)).size, answers.length);
});

Deno.test("X-Request-Id is the caller's if it is well formed, otherwise a new one", async () => {
  const { bearer, send, log } = setUp();
  for (const given of ["a", "A_b-9", "x".repeat(64), crypto.randomUUID()]) {
    for (const headers of [{ "x-request-id": given }]) {
      const answers = [await bearer(IDS, { headers }), await send("/openapi.json", { headers })];
      for (const response of answers) assertEquals(response.headers.get("x-request-id"), given);
      assertEquals(log.slice(-2).map(({ request_id }) => request_id), [given, given]);
    }
  }
  for (const given of ["x".repeat(65), "a b", "a/b", "a.b", "a,b", "<b>", "\u00e9", '{"a":1}']) {
    const response = await bearer(IDS, { headers: { "x-request-id": given } });
    const id = response.headers.get("x-request-id") ?? "";
    assertMatch(id, /^[A-Za-z0-9_-]{1,64}$/);
    assertEquals(log.at(-1)?.request_id, id);
    assertEquals(JSON.stringify(log.at(-1)).includes(JSON.stringify(given)), false, given);
  }
});
