// Finished tasks are cached for a short time, and nothing else.
import { assertEquals } from "@std/assert";
import { IDS, KEY, setUp, TASK_PATH } from "../helpers/endpoint.ts";

/** An endpoint on a clock of its own, whose tasks are all there, in the given status. */
function remembering(status: string) {
  const time = { now: Date.UTC(2026, 0, 1) };
  const endpoint = setUp({}, { now: () => time.now });
  endpoint.platform.add({ id: "t-1", status, result: "s-1", result_type: "source" });
  return { ...endpoint, time };
}

Deno.test("a finished task is cached for 60 s for every kind of caller", async () => {
  for (const [status, bearerStatus] of [["success", 200], ["failed", 424]] as const) {
    const { platform, bearer, webhook, get, time, log } = remembering(status);
    const first = await bearer(IDS);
    time.now += 59_999;
    const second = await get(TASK_PATH);
    assertEquals([first.status, second.status], [bearerStatus, bearerStatus]);
    assertEquals((await webhook(IDS)).status, 200);
    assertEquals(platform.count(), 1, status);
    assertEquals(log.map(({ upstream }) => upstream), ["fetched", "cached", "cached"]);
    time.now += 1;
    await bearer(IDS);
    assertEquals(platform.count(), 2, "60 s are over");
  }
});

Deno.test("a cached response has no upstream request in its log entry", async () => {
  for (const status of ["success", "failed"]) {
    const { bearer, log } = remembering(status);
    await bearer(IDS);
    await bearer(IDS);
    const [own, memory] = log;
    assertEquals([own?.upstream_status, typeof own?.upstream_ms], [200, "number"]);
    assertEquals([memory?.upstream, memory?.upstream_status], ["cached", undefined]);
    assertEquals([memory?.task_status, memory?.upstream_ms], [status, undefined], status);
  }
});

Deno.test("a cached response equals the polled one and belongs to its task only", async () => {
  const { platform, bearer, get } = remembering("success");
  const first = await (await bearer(IDS)).text();
  assertEquals(await (await bearer(IDS)).text(), first);
  assertEquals(platform.count(), 1);
  const others = [TASK_PATH.replace("t-1", "t-2"), TASK_PATH.replace("workspace-1", "workspace-2")];
  others.push(TASK_PATH.replace("organization-1", "organization-2"));
  for (const path of others) assertEquals((await get(path)).status, 404, path);
  assertEquals(platform.count(), 4);
  const headers = { authorization: `Bearer ${KEY}x` };
  assertEquals((await get(TASK_PATH, { headers })).status, 401, "nor of who may not ask");
});

Deno.test("a running task, an unknown status and an error are never cached", async () => {
  for (const status of ["pending", "running", "paused", null]) {
    const { platform, get } = remembering("running");
    platform.add({ id: "t-1", status });
    await get(TASK_PATH);
    await get(TASK_PATH);
    assertEquals(platform.count(), 2, `${status}`);
  }
  const { platform, get } = remembering("success");
  platform.inject(() => Response.json({ code: "TASK_NOT_FOUND" }, { status: 404 }));
  platform.inject(() => new Response("", { status: 500 }));
  const statuses = [await get(TASK_PATH), await get(TASK_PATH), await get(TASK_PATH)];
  assertEquals(statuses.map(({ status }) => status), [404, 502, 200]);
});

Deno.test("at most 1,000 tasks are cached; the oldest is evicted first", async () => {
  const { platform, get } = remembering("success");
  const path = (index: number) => TASK_PATH.replace("t-1", `task-${index}`);
  for (let index = 0; index < 1_001; index++) {
    platform.add({ id: `task-${index}`, status: "success" });
    await get(path(index));
  }
  assertEquals(platform.count(), 1_001);
  await get(path(1_000));
  await get(path(1));
  assertEquals(platform.count(), 1_001, "1,000 are there");
  await get(path(0));
  assertEquals(platform.count(), 1_002, "the first is not");
});
