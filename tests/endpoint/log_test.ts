// The log: one line per request, and the counters of GET /metrics.
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { IDS, outcomeOf, RUNNING, setUp, TASK_PATH, TOKEN } from "../helpers/endpoint.ts";
import { root } from "../helpers/run_deno.ts";

Deno.test("a successful /health is not logged, any other outcome is", async () => {
  const { send, log } = setUp();
  for (const method of ["GET", "HEAD"]) {
    assertEquals((await send("/health", { method })).status, 200);
  }
  assertEquals(log, []);
  await send("/health", { method: "POST" });
  await send("/health/");
  assertEquals(log.map(({ status }) => status), [405, 404]);
});

Deno.test("every field of the log is bounded", async () => {
  const { send, log } = setUp();
  const long = "a".repeat(60_000);
  const headers = { "x-request-id": long, "user-agent": long, traceparent: long };
  await send(`/${long}?${long}`, { method: long, headers });
  await send("/resolve", { method: long.toUpperCase(), headers });
  assertEquals(log.map(({ method }) => method.length), [20, 20]);
  for (const entry of log) assertLess(JSON.stringify(entry).length, 500);
});

Deno.test("the log has the route's pattern and the outcome of the poll, no id, query or body", async () => {
  const { platform, get, bearer, webhook, send, log } = setUp();
  platform.add({ id: "t-1", status: "running" });
  await get(`${TASK_PATH}?secret=1`);
  await bearer(IDS);
  await webhook({ ...IDS, task_id: "t-2" });
  await send("/openapi.json?secret=1");
  const pattern = "/organizations/:organization/workspaces/:workspace/tasks/:task";
  const shown = log.map((entry) => [
    entry.method,
    entry.route,
    entry.status,
    entry.auth,
    entry.upstream_status,
    entry.task_status,
    typeof entry.upstream_ms,
  ]);
  assertEquals(shown, [
    ["GET", pattern, 202, "bearer", 200, "running", "number"],
    ["POST", "/resolve", 202, "bearer", 200, "running", "number"],
    ["POST", "/resolve", 404, "webhook", 404, undefined, "number"],
    ["GET", "/openapi.json", 200, "none", undefined, undefined, "undefined"],
  ]);
  for (const entry of log) {
    assert(!/secret|organization-1|t-1|t-2/.test(JSON.stringify(entry)), JSON.stringify(entry));
    assertMatch(entry.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert(entry.ms >= 0);
  }
});

Deno.test("the log has the request id of the platform, cut and without the token", async () => {
  const ids: [given: string, logged: string | undefined][] = [
    ["up-1", "up-1"],
    ["x".repeat(300), "x".repeat(200)],
    [`id-${TOKEN}`, undefined],
    ["", undefined],
  ];
  for (const [given, logged] of ids) {
    for (const status of [200, 500]) {
      const { platform, bearer, log } = setUp();
      const init = { status, headers: { "x-request-id": given } };
      platform.inject(() => Response.json(RUNNING, init));
      await bearer(IDS);
      assertEquals(log.at(-1)?.upstream_request_id, logged, `${status} ${given}`);
    }
  }
});

Deno.test("callers that share a poll log the same request id of the platform", async () => {
  const { platform, bearer, log } = setUp();
  platform.inject(() => Response.json(RUNNING, { headers: { "x-request-id": "up-1" } }));
  await Promise.all([bearer(IDS), bearer(IDS)]);
  const shown = log.map(({ upstream, upstream_request_id: id }) => `${upstream} ${id}`);
  assertEquals(shown, ["fetched up-1", "shared up-1"]);
});

Deno.test("/metrics counts responses by route and status, and polls by outcome", async () => {
  const { platform, bearer, get, send, log } = setUp();
  assertEquals(await outcomeOf(await send("/metrics")), [401, "unauthorized"]);
  platform.inject(() => Response.json(RUNNING));
  platform.inject(() => new Response("down", { status: 500 }));
  await bearer(IDS);
  await get(`${TASK_PATH}?id="\n`);
  for (const method of ["GET", "HEAD"]) await send("/health", { method });
  for (let n = 0; n < 100; n++) await send(`/${n}`);
  const response = await get("/metrics");
  assertEquals(response.status, 200);
  assertMatch(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assertEquals(
    await response.text(),
    `# HELP deepint_requests_total Responses.
# TYPE deepint_requests_total counter
deepint_requests_total{route="/health",status="200"} 2
deepint_requests_total{route="/metrics",status="401"} 1
deepint_requests_total{route="/organizations/:organization/workspaces/:workspace/tasks/:task",status="502"} 1
deepint_requests_total{route="/resolve",status="202"} 1
deepint_requests_total{route="none",status="404"} 100
# HELP deepint_upstream_requests_total Polls of callers.
# TYPE deepint_upstream_requests_total counter
deepint_upstream_requests_total{outcome="failed"} 1
deepint_upstream_requests_total{outcome="ok"} 1
`,
  );
  assertEquals(log.at(-1)?.route, "/metrics");
});

Deno.test("recipes.md explains every field of the log", async () => {
  const { platform, bearer, log } = setUp();
  platform.inject(() => Response.json(RUNNING, { headers: { "x-request-id": "up-1" } }));
  platform.inject(() => new Response(null, { status: 401 }));
  const traceparent = `00-${"4b".repeat(16)}-${"f0".repeat(8)}-01`;
  await bearer(IDS, { headers: { traceparent } });
  await bearer(IDS);
  const page = await Deno.readTextFile(new URL(".github/docs/recipes.md", root));
  const [, section = ""] = page.split("## Read the log");
  const rows = section.split("\n## ")[0]?.match(/^\| `.+?(?= +\|)/gm) ?? [];
  const explained = rows.flatMap((row) => [...row.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  const logged = new Set(log.flatMap((entry) => Object.keys(entry)));
  assertEquals(new Set(explained), logged);
});
