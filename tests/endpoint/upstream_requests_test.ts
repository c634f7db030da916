// Upstream requests of one caller: one for a valid request, none for an invalid one.
import { assertEquals } from "@std/assert";
import { chunkedBody, IDS, post, setUp, TASK_PATH } from "../helpers/endpoint.ts";

Deno.test("a valid request makes one upstream request for every status of the task", async () => {
  for (const status of ["pending", "running", "success", "failed", "paused", null]) {
    const { platform, bearer, webhook, get } = setUp();
    platform.add({ id: "t-1", status });
    const asks = [() => bearer(IDS), () => webhook(IDS), () => get(TASK_PATH)];
    for (const [index, ask] of asks.entries()) {
      platform.add({ id: `t-${index}`, status });
      await ask();
      if (status !== "success" && status !== "failed") assertEquals(platform.count(), index + 1);
      else assertEquals(platform.count(), 1, "then it is remembered");
    }
  }
});

Deno.test("an upstream failure is not retried within the request", async () => {
  for (const status of [429, 500, 502, 503, 504]) {
    const { platform, bearer } = setUp();
    platform.inject(() => new Response("", { status }), 5);
    await bearer(IDS);
    assertEquals(platform.count(), 1, `${status}`);
  }
  const { platform, bearer } = setUp();
  platform.inject(() => {
    throw new TypeError("connection reset");
  }, 5);
  await bearer(IDS);
  assertEquals(platform.count(), 1);
});

Deno.test("a request that is invalid, unauthorized or forbidden makes no upstream request", async () => {
  const { platform, bearer, webhook, get, send } = setUp({ RESOLVE_ALLOWED_WORKSPACES: "w" });
  platform.add({ id: "t-1", status: "running" });
  const answers = [
    await bearer("{"),
    await bearer({}),
    await bearer({ ...IDS, task_id: "../t-1" }),
    await bearer({ url: "https://evil.example/o/o/workspace?ws=w&s=task&i=t-1" }),
    await bearer(IDS),
    await bearer(IDS, { headers: { "content-type": "text/plain" } }),
    await bearer(IDS, { headers: { "content-encoding": "gzip" } }),
    await bearer("", { body: chunkedBody(1_000, 100_000).body }),
    await bearer(IDS, { headers: { authorization: "Bearer wrong" } }),
    await webhook(IDS, { timestamp: 1 }),
    await webhook(IDS, { secret: `whsec_${btoa("x".repeat(32))}` }),
    await send("/resolve", post(IDS)),
    await get(TASK_PATH),
    await get(TASK_PATH.replace("t-1", "a.b")),
    await send(TASK_PATH),
    await get("/resolve"),
    await get("/none"),
    await get("/health"),
  ];
  const statuses = answers.map(({ status }) => status);
  assertEquals(statuses, [
    ...[400, 400, 400, 403, 403, 415, 415, 413, 401, 401, 401, 401],
    ...[403, 400, 401, 405, 404, 200],
  ]);
  assertEquals(platform.count(), 0);
});

Deno.test("a caller that disconnects before the poll causes no upstream request", async () => {
  const { platform, get, log } = setUp();
  assertEquals((await get(TASK_PATH, { signal: AbortSignal.abort() })).status, 499);
  assertEquals([platform.count(), log.map(({ upstream }) => upstream)], [0, [undefined]]);
});
