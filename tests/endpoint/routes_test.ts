// Every route but the two that poll, what holds for all of them, and the base path.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PROBLEMS } from "../../functions/http/problem.ts";
import { IDS, KEY, objectOf, outcomeOf, problemOf, setUp } from "../helpers/endpoint.ts";
import { post, TASK_PATH } from "../helpers/endpoint.ts";

/** The problems of the contract's table, with their status. */
const TABLE: Record<string, number> = {
  "invalid-request": 400,
  "unauthorized": 401,
  "forbidden": 403,
  "not-found": 404,
  "method-not-allowed": 405,
  "request-timeout": 408,
  "content-too-large": 413,
  "unsupported-media-type": 415,
  "task-failed": 424,
  "task-pending": 503,
  "unknown-status": 502,
  "rate-limited": 503,
  "upstream-credentials": 502,
  "upstream-unavailable": 502,
  "upstream-timeout": 504,
  "misconfigured": 503,
};

const ROUTES: Record<string, string[]> = {
  "/resolve": ["POST"],
  [TASK_PATH]: ["GET", "HEAD"],
  "/health": ["GET", "HEAD"],
  "/ready": ["GET", "HEAD"],
  "/metrics": ["GET", "HEAD"],
  "/openapi.json": ["GET", "HEAD"],
  "/problems/forbidden": ["GET", "HEAD"],
};

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];

Deno.test("/health is 200 without authentication or upstream request", async () => {
  const { platform, send } = setUp();
  for (const authorization of [undefined, "Bearer wrong"]) {
    const response = await send("/health", { headers: authorization ? { authorization } : {} });
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("content-type"), "application/json");
    assertEquals(await objectOf(response), { status: "ok" });
  }
  assertEquals((await send("/health?verbose=1")).status, 200, "a query is another matter");
  assertEquals(platform.count(), 0);
});

Deno.test("/openapi.json is the same without authentication or upstream request", async () => {
  const { platform, send } = setUp();
  const [one, other] = [await send("/openapi.json"), await send("/openapi.json")];
  assertEquals([one.status, one.headers.get("content-type")], [200, "application/json"]);
  assertEquals(await objectOf(one), await objectOf(other));
  assertEquals(platform.count(), 0);
});

Deno.test("/openapi.json is OpenAPI 3.1 and describes the existing routes", async () => {
  const { openapi, paths } = await objectOf(await setUp().send("/openapi.json"));
  assertMatch(String(openapi), /^3\.1\.\d+$/);
  assert(typeof paths === "object" && paths !== null);
  assertEquals(Object.keys(paths).sort(), [
    "/health",
    "/metrics",
    "/openapi.json",
    "/organizations/{organization}/workspaces/{workspace}/tasks/{task}",
    "/problems/{name}",
    "/ready",
    "/resolve",
    "/status/{token}",
    "/watches",
    "/watches/stats",
    "/watches/sweep",
    "/watches/{id}",
    "/watches/{id}/redeliver",
  ]);
});

Deno.test("/problems/{name} explains every problem type without authentication", async () => {
  const { platform, send } = setUp();
  for (const [name, status] of Object.entries(TABLE)) {
    const response = await send(`/problems/${name}`);
    assertEquals(response.status, 200, name);
    const text = await response.text();
    assertStringIncludes(text, name);
    assertStringIncludes(text, String(status), name);
    assert(text.length > 60, `${name}: what it means and what to do`);
  }
  for (const name of Object.keys(PROBLEMS)) {
    assertEquals((await send(`/problems/${name}`)).status, 200, name);
  }
  assertEquals(platform.count(), 0);
});

Deno.test("an unknown problem type is 404, including names of Object.prototype", async () => {
  const names = ["gone", "toString", "constructor", "__proto__", "hasOwnProperty", "FORBIDDEN"];
  for (const name of names) {
    const response = await setUp().send(`/problems/${name}`);
    assertEquals(await outcomeOf(response), [404, "not-found"], name);
  }
});

Deno.test("any other path is 404 with ROUTE_NOT_FOUND", async () => {
  const { send, get, bearer, platform, log } = setUp();
  const paths = [
    "",
    "/",
    "/none",
    "/Health",
    "/healthz",
    "//health",
    "/resolve/more",
    "/problems",
    "/problems/forbidden/more",
    "/organizations",
    "/organizations/o/workspaces/w/tasks",
    `${TASK_PATH}/more`,
    TASK_PATH.replace("tasks", "task"),
    "/favicon.ico",
    "/resolve%2F",
  ];
  for (const path of paths) {
    for (const method of ["GET", "POST", "OPTIONS"]) {
      const problem = await problemOf(await send(path, { method }));
      assertEquals([problem.status, problem.type], [404, "/problems/not-found"], path);
      assertEquals(problem.code, "ROUTE_NOT_FOUND", path);
    }
    assertEquals(log.at(-1)?.route, null);
  }
  assertEquals(platform.count(), 0);
  const codes = [await bearer(IDS), await get(TASK_PATH)].map(async (response) => {
    const { status, code } = await problemOf(response);
    return [status, code];
  });
  const missing = [404, "TASK_NOT_FOUND"];
  assertEquals(await Promise.all(codes), [missing, missing]);
});

Deno.test("a known path with a trailing slash is 404", async () => {
  for (const path of Object.keys(ROUTES)) {
    assertEquals((await setUp().get(`${path}/`)).status, 404, `${path}/`);
  }
});

Deno.test("a known path with another method is 405 with Allow", async () => {
  const { send, platform, log } = setUp();
  for (const [path, allowed] of Object.entries(ROUTES)) {
    for (const method of METHODS.filter((method) => !allowed.includes(method))) {
      for (const headers of [{}, { authorization: `Bearer ${KEY}` }]) {
        const response = await send(path, { method, headers });
        assertEquals(response.status, 405, `${method} ${path}`);
        const allow = (response.headers.get("allow") ?? "").split(",").map((it) => it.trim());
        assertEquals(allow.sort(), allowed, `${method} ${path}`);
        if (method === "HEAD") assertEquals(await response.text(), "");
        else assertEquals(await outcomeOf(response), [405, "method-not-allowed"]);
      }
    }
  }
  assertEquals(platform.count(), 0);
  assertEquals(log.at(-1)?.problem, "method-not-allowed");
});

Deno.test("HEAD has the status and headers of GET and no body", async () => {
  const { send } = setUp();
  for (const path of ["/health", "/openapi.json", "/problems/forbidden", "/problems/x", "/none"]) {
    const [get, head] = [await send(path), await send(path, { method: "HEAD" })];
    assertEquals(head.status, get.status, path);
    assertEquals(await head.text(), "", path);
    for (const name of ["content-type", "cache-control", "x-content-type-options"]) {
      assertEquals(head.headers.get(name), get.headers.get(name), `${path} ${name}`);
    }
  }
});

Deno.test("every route is below the base path only", async () => {
  const base = "/resolve-task";
  const { platform, app, send, get, bearer, webhook } = setUp({ RESOLVE_BASE_PATH: base });
  platform.add({ id: "t-1", steps: [{ status: "running", polls: 3 }, { status: "failed" }] });
  for (const path of ["/health", "/openapi.json", "/problems/forbidden"]) {
    assertEquals((await send(path)).status, 200, path);
    assertEquals((await app.request(path)).status, 404, path);
  }
  assertEquals((await app.request("/resolve", { method: "POST" })).status, 404);
  assertEquals((await app.request(`${base}x/health`)).status, 404);
  assertEquals((await app.request(`/x${base}/health`)).status, 404);
  assertEquals((await app.request(`${base}/health`)).status, 200);

  const running = await bearer(IDS);
  assertEquals([running.status, running.headers.get("location")], [202, base + TASK_PATH]);
  const headers = { authorization: `Bearer ${KEY}` };
  const followed = await app.request(running.headers.get("location") ?? "", { headers });
  assertEquals(followed.status, 202, "Location is a path from the root");
  assertEquals((await get(TASK_PATH)).status, 202);

  for (const response of [await bearer(IDS), await webhook({}), await send("/none")]) {
    const { type, status } = await problemOf(response);
    assertMatch(type, /^\/resolve-task\/problems\/[a-z-]+$/, `${status}`);
    assertEquals((await app.request(type)).status, 200, "the type leads to its page");
  }
  assertEquals((await problemOf(await app.request("/none"))).type, `${base}/problems/not-found`);
});

Deno.test("the base path is text, not a pattern, and is not in the log's route", async () => {
  const { app, send, log } = setUp({ RESOLVE_BASE_PATH: "/v1.0/a~b/" });
  assertEquals((await send("/openapi.json")).status, 200);
  assertEquals(log.at(-1)?.route, "/openapi.json");
  assertEquals((await app.request("/v1x0/a~b/health")).status, 404);
});

Deno.test("a route that is not enabled says so", async () => {
  const { send } = setUp();
  const { detail } = await problemOf(await send("/watches", post(IDS)));
  assertMatch(detail, /watches are not enabled.*RESOLVE_CALLBACK_HOSTS/);
  assertMatch((await problemOf(await send("/"))).detail, /\/openapi\.json/);
});

Deno.test("no response is a redirect or 410", async () => {
  for (const base of ["", "/resolve-task"]) {
    const { app } = setUp({ RESOLVE_BASE_PATH: base });
    const paths = ["", "/", "//", "/..", "//evil.example/", "/problems/", "/index.html"];
    for (const path of [...paths, ...Object.keys(ROUTES)].flatMap((it) => [it, base + it])) {
      for (const method of METHODS) {
        const request = new Request(`https://endpoint.example${path}`, { method });
        const { status, headers } = await app.fetch(request);
        assert(status < 300 || (status >= 400 && status !== 410), `${method} ${path}: ${status}`);
        assertEquals(headers.get("location"), null);
      }
    }
  }
});
