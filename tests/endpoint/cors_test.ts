// Reading the task route and the status link from a page of another origin.
import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import { IDS, objectOf, outcomeOf, setUp, TASK_PATH } from "../helpers/endpoint.ts";

const ORIGIN = "https://app.example.com";
const CORS = { RESOLVE_CORS_ORIGINS: `${ORIGIN},http://localhost:5173` };
const LINKS = { RESOLVE_LINK_SECRETS: `whsec_${btoa("a-link-secret-of-more-than-24-bytes")}` };
const WithLinks = v.object({ links: v.object({ status: v.string() }) });
const PREFLIGHT = {
  "access-control-request-method": "GET",
  "access-control-request-headers": "authorization,if-none-match",
};

const listOf = (headers: Headers, name: string) =>
  (headers.get(name) ?? "").toLowerCase().split(",").map((entry) => entry.trim()).sort();

const corsHeaders = (response: Response) =>
  [...response.headers.keys()].filter((name) => name.startsWith("access-control-"));

Deno.test("responses have no CORS headers without RESOLVE_CORS_ORIGINS", async () => {
  const { platform, get, send } = setUp();
  platform.add({ id: "t-1", status: "running" });
  const headers = { origin: ORIGIN, ...PREFLIGHT };
  assertEquals(corsHeaders(await get(TASK_PATH, { headers })), []);
  const preflight = await send(TASK_PATH, { method: "OPTIONS", headers });
  assertEquals([preflight.status, corsHeaders(preflight)], [405, []]);
});

Deno.test("a configured origin may read the task route, including errors", async () => {
  for (const origin of [ORIGIN, "http://localhost:5173"]) {
    const { platform, get, send } = setUp(CORS);
    platform.add({ id: "t-1", steps: [{ status: "running", polls: 3 }, { status: "failed" }] });
    const headers = { origin };
    const tag = (await get(TASK_PATH, { headers })).headers.get("etag") ?? "";
    const answers: [Response, number][] = [
      [await get(TASK_PATH, { headers }), 202],
      [await get(TASK_PATH, { headers: { ...headers, "if-none-match": `${tag}, *` } }), 304],
      [await get(TASK_PATH, { headers }), 424],
      [await get(TASK_PATH.replace("t-1", "t-2"), { headers }), 404],
      [await get(TASK_PATH.replace("t-1", "a.b"), { headers }), 400],
      [await send(TASK_PATH, { headers }), 401],
      [await send(TASK_PATH, { method: "DELETE", headers }), 405],
    ];
    for (const [response, status] of answers) {
      assertEquals(response.status, status);
      assertEquals(response.headers.get("access-control-allow-origin"), origin, `${status}`);
      assert(listOf(response.headers, "vary").includes("origin"), `${status}`);
      const exposed = listOf(response.headers, "access-control-expose-headers");
      assertEquals(exposed, ["etag", "location", "retry-after", "x-request-id"], `${status}`);
      assertEquals(response.headers.get("access-control-allow-credentials"), null);
    }
  }
});

Deno.test("a preflight is 204 without authentication and valid for two hours", async () => {
  for (const path of [TASK_PATH, "/status/any"]) {
    const { platform, send } = setUp({ ...CORS, ...LINKS });
    const headers = { origin: ORIGIN, ...PREFLIGHT };
    const response = await send(path, { method: "OPTIONS", headers });
    assertEquals([response.status, await response.text()], [204, ""]);
    assertEquals(response.headers.get("access-control-allow-origin"), ORIGIN);
    assertEquals(listOf(response.headers, "access-control-allow-methods"), ["get"]);
    assertEquals(listOf(response.headers, "access-control-allow-headers"), [
      "authorization",
      "if-none-match",
      "x-api-key",
    ]);
    assertEquals(response.headers.get("access-control-max-age"), "7200");
    assert(listOf(response.headers, "vary").includes("origin"));
    assertEquals(platform.count(), 0);
  }
});

Deno.test("a configured origin may read a status link as JSON, including errors", async () => {
  const { platform, send, bearer } = setUp({ ...CORS, ...LINKS });
  platform.add({ id: "t-1", steps: [{ status: "running", polls: 3 }, { status: "failed" }] });
  const { links } = v.parse(WithLinks, await objectOf(await bearer(IDS)));
  const headers = { origin: ORIGIN, accept: "application/json" };
  const answers: [Response, number][] = [
    [await send(links.status, { headers }), 202],
    [await send(links.status, { headers, method: "HEAD" }), 202],
    [await send(links.status, { headers }), 200],
    [await send(`${links.status}x`, { headers }), 404],
    [await send(links.status, { headers, method: "DELETE" }), 405],
  ];
  for (const [response, status] of answers) {
    assertEquals(response.status, status);
    assertEquals(response.headers.get("access-control-allow-origin"), ORIGIN, `${status}`);
    const exposed = listOf(response.headers, "access-control-expose-headers");
    assertEquals(exposed, ["etag", "location", "retry-after", "x-request-id"], `${status}`);
    const vary = listOf(response.headers, "vary");
    assertEquals(vary, status === 405 ? ["origin"] : ["accept", "origin"], `${status}`);
  }
  const foreign = { ...headers, origin: "https://app.example.com.evil.example" };
  const other = await send(links.status, { headers: foreign });
  assertEquals([other.status, corsHeaders(other)], [200, []]);
});

Deno.test("the status page as HTML has no CORS headers", async () => {
  const { platform, send, bearer } = setUp({ ...CORS, ...LINKS });
  platform.add({ id: "t-1", status: "success" });
  const { links } = v.parse(WithLinks, await objectOf(await bearer(IDS)));
  const headers = { origin: ORIGIN, accept: "text/html" };
  for (const path of [links.status, `${links.status}x`]) {
    const page = await send(path, { headers });
    assertEquals([corsHeaders(page), page.headers.get("vary")], [[], "Accept"]);
  }
});

Deno.test("a preflight to a status link is 404 without RESOLVE_LINK_SECRETS", async () => {
  const { send } = setUp(CORS);
  const headers = { origin: ORIGIN, ...PREFLIGHT };
  assertEquals((await send("/status/any", { method: "OPTIONS", headers })).status, 404);
  assertEquals((await send(`${TASK_PATH}/`, { method: "OPTIONS", headers })).status, 404);
});

Deno.test("a preflight has the common headers and a log line", async () => {
  const { send, log } = setUp(CORS);
  const headers = { origin: ORIGIN, "x-request-id": "req-1", ...PREFLIGHT };
  const response = await send(TASK_PATH, { method: "OPTIONS", headers });
  assertEquals(log.map(({ status, request_id }) => [status, request_id]), [[204, "req-1"]]);
  assertEquals(response.headers.get("x-content-type-options"), "nosniff");
  assertEquals(response.headers.get("cache-control"), "no-store");
  assertEquals(response.headers.get("x-request-id"), "req-1");
});

Deno.test("an OPTIONS request that is not a preflight is 405", async () => {
  const { send } = setUp(CORS);
  const response = await send(TASK_PATH, { method: "OPTIONS" });
  assertEquals(await outcomeOf(response), [405, "method-not-allowed"]);
});

Deno.test("another origin is not allowed, and the response varies by origin", async () => {
  const foreign = [
    "https://app.example.com.evil.example",
    "http://app.example.com",
    "https://app.example.com:8443",
    "null",
    "https://APP.example.com",
  ];
  const { platform, get, send } = setUp(CORS);
  platform.add({ id: "t-1", status: "running" });
  const answers = [await get(TASK_PATH)];
  for (const origin of foreign) {
    const headers = { origin };
    answers.push(await get(TASK_PATH, { headers }), await send(TASK_PATH, { headers }));
    answers.push(
      await send(TASK_PATH, { method: "OPTIONS", headers: { ...headers, ...PREFLIGHT } }),
    );
  }
  for (const { headers } of answers) {
    assertEquals(headers.get("access-control-allow-origin"), null);
    assertEquals(headers.get("access-control-expose-headers"), null);
    assert(listOf(headers, "vary").includes("origin"));
  }
});

Deno.test("other routes have no CORS headers", async () => {
  const { send, bearer } = setUp(CORS);
  const headers = { origin: ORIGIN, ...PREFLIGHT };
  for (const path of ["/health", "/openapi.json", "/problems/forbidden", "/none", "/resolve"]) {
    for (const method of ["GET", "OPTIONS"]) {
      assertEquals(corsHeaders(await send(path, { method, headers })), [], `${method} ${path}`);
    }
  }
  assertEquals(corsHeaders(await bearer({}, { headers })), []);
});
