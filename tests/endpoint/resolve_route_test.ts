// POST /resolve: the responses about a task.
import { assertEquals, assertGreaterOrEqual, assertLessOrEqual } from "@std/assert";
import * as v from "valibot";
import { Finished, Running } from "../../functions/task/response_schema.ts";
import { IDS, objectOf, outcomeOf, problemOf, retryAfterOf, setUp } from "../helpers/endpoint.ts";
import { type Settings, TASK_PATH } from "../helpers/endpoint.ts";

const INFO = {
  id: "t-1",
  user_id: "user-1",
  user_name: "analyst",
  created: "2026-01-01T00:00:00.000Z",
  status: "success",
  duration: 1500,
  name: "import",
  description: "",
  progress: 100,
  subtask: null,
  result: "s-1",
  result_type: "source",
  error_code: null,
  error_description: null,
};
const ids = { organization_id: IDS.organization_id, workspace_id: IDS.workspace_id };
const FAILED = { status: "failed", error_code: "NO_ROWS", error_description: "the file is empty" };

Deno.test("a finished task is 200 with its result for both kinds of callers", async () => {
  const { platform, bearer, webhook } = setUp();
  platform.add(INFO);
  for (const response of [await bearer(IDS), await webhook(IDS)]) {
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("content-type"), "application/json");
    assertEquals(await objectOf(response), {
      status: "success",
      result: { source: "s-1" },
      task: { ...ids, info: INFO },
      links: {
        result: "https://app.deepint.net/o/organization-1/workspace?ws=workspace-1&s=source&i=s-1",
      },
    });
  }
});

Deno.test("a finished task without a result has an empty result, after one request", async () => {
  for (const result_type of [null, "source"]) {
    const { platform, bearer } = setUp();
    platform.add({ id: "t-1", status: "success", result: null, result_type });
    const response = await bearer(IDS);
    const body = v.parse(v.strictObject(Finished.entries), await response.json());
    assertEquals([response.status, body.status, body.result], [200, "success", {}]);
    assertEquals(platform.count(), 1);
  }
});

Deno.test("a running or pending task is 202 for a bearer, with retry_after and Location", async () => {
  for (const status of ["running", "pending"]) {
    const { platform, bearer } = setUp();
    platform.add({ ...INFO, status, progress: 40, result: null, result_type: null });
    const response = await bearer(IDS);
    assertEquals(response.status, 202);
    const body = v.parse(v.strictObject(Running.entries), await response.json());
    assertEquals(body.task.info.status, status);
    assertEquals(body.task.info.progress, 40);
    assertEquals(body.retry_after, retryAfterOf(response));
    assertEquals(response.headers.get("location"), TASK_PATH);
  }
});

Deno.test("a running or pending task is 503 task-pending for a webhook", async () => {
  for (const status of ["running", "pending"]) {
    const { platform, webhook } = setUp();
    platform.add({ id: "t-1", status });
    const response = await webhook(IDS);
    assertGreaterOrEqual(retryAfterOf(response), 2);
    assertEquals(await outcomeOf(response), [503, "task-pending"]);
  }
});

Deno.test("pending is taken from the body, then from RESOLVE_PENDING", async () => {
  const cases: [settings: Settings, body: object, bearer: number, webhook: number][] = [
    [{}, {}, 202, 503],
    [{}, { pending: "accepted" }, 202, 202],
    [{}, { pending: "retry" }, 503, 503],
    [{ RESOLVE_PENDING: "accepted" }, {}, 202, 202],
    [{ RESOLVE_PENDING: "retry" }, {}, 503, 503],
    [{ RESOLVE_PENDING: "accepted" }, { pending: "retry" }, 503, 503],
    [{ RESOLVE_PENDING: "retry" }, { pending: "accepted" }, 202, 202],
  ];
  for (const [settings, more, ...expected] of cases) {
    const { platform, bearer, webhook } = setUp(settings);
    platform.add({ id: "t-1", status: "running" });
    const answers = [await bearer({ ...IDS, ...more }), await webhook({ ...IDS, ...more })];
    assertEquals(answers.map(({ status }) => status), expected, JSON.stringify([settings, more]));
    for (const answer of answers) retryAfterOf(answer);
  }
});

Deno.test("a failed task is 424 with raise_on_error, which is off for webhooks", async () => {
  const cases: [body: object, bearer: number, webhook: number][] = [
    [{}, 424, 200],
    [{ raise_on_error: true }, 424, 424],
    [{ raise_on_error: false }, 200, 200],
  ];
  for (const [more, ...expected] of cases) {
    const { platform, bearer, webhook } = setUp();
    platform.add({ id: "t-1", ...FAILED });
    const answers = [await bearer({ ...IDS, ...more }), await webhook({ ...IDS, ...more })];
    assertEquals(answers.map(({ status }) => status), expected, JSON.stringify(more));
  }
});

Deno.test("a failed task is a problem with the task's code and description", async () => {
  const { platform, bearer } = setUp();
  platform.add({ ...INFO, result: null, result_type: null, ...FAILED });
  const response = await bearer(IDS);
  const problem = await problemOf(response);
  assertEquals(
    [problem.type, problem.code, problem.detail],
    ["/problems/task-failed", "TASK_NO_ROWS", "the file is empty"],
  );
  assertEquals(problem.task?.info.error_code, "NO_ROWS");
  assertEquals(problem.task?.info.id, "t-1");
  assertEquals(response.headers.get("retry-after"), null, "it has ended");
});

Deno.test("a failed task without error fields reads TASK_UNKNOWN and no description", async () => {
  const { platform, bearer } = setUp();
  platform.add({ id: "t-1", status: "failed" });
  const { code, detail } = await problemOf(await bearer(IDS));
  assertEquals([code, detail], ["TASK_UNKNOWN", "no description"]);
});

Deno.test("a failed task without raise_on_error is 200 with status failed and no result", async () => {
  const { platform, webhook } = setUp();
  // what a failed task may have left behind is no result
  platform.add({ ...INFO, ...FAILED });
  const response = await webhook(IDS);
  assertEquals(response.status, 200);
  assertEquals(await objectOf(response), {
    status: "failed",
    result: {},
    task: { ...ids, info: { ...INFO, ...FAILED } },
  });
});

Deno.test("an unknown status is 502 with raw_status for every caller", async () => {
  const { platform, bearer, webhook } = setUp();
  platform.add({ id: "t-1", status: "paused" });
  const body = { ...IDS, raise_on_error: false, pending: "accepted" };
  for (const response of [await bearer(IDS), await webhook(IDS), await bearer(body)]) {
    const { type, raw_status, status } = await problemOf(response);
    assertEquals([status, type, raw_status], [502, "/problems/unknown-status", "paused"]);
  }
});

Deno.test("a null or missing status is 502 upstream-unavailable", async () => {
  for (const status of [null, undefined]) {
    const { platform, bearer } = setUp();
    platform.add({ id: "t-1", status });
    assertEquals(await outcomeOf(await bearer(IDS)), [502, "upstream-unavailable"]);
    assertEquals(platform.count(), 1);
  }
});

Deno.test("Retry-After follows the adaptive schedule and the task's age", async () => {
  const now = Date.now();
  const cases: [age: number | null, least: number, most: number][] = [
    [0, 2, 3],
    [20_000, 2, 3],
    [100_000, 10, 11],
    [400_000, 40, 44],
    [3_600_000, 60, 66],
    [6 * 86_400_000, 60, 66],
    [8 * 86_400_000, 2, 3], // not believed: then it counts from the first poll, which is this one
    [-60_000, 2, 3],
    [null, 2, 3],
  ];
  for (const [age, least, most] of cases) {
    const { platform, bearer } = setUp();
    const created = age === null ? null : new Date(now - age).toISOString();
    platform.add({ id: "t-1", status: "running", created });
    const seconds = retryAfterOf(await bearer(IDS));
    assertGreaterOrEqual(seconds, least, `age ${age}`);
    assertLessOrEqual(seconds, most, `age ${age}`);
  }
});

Deno.test("a task's age is measured by the app's clock", async () => {
  const now = Date.parse("2031-07-01T00:00:00Z");
  const { platform, bearer } = setUp({}, { now: () => now });
  platform.add({ id: "t-1", status: "running", created: new Date(now - 200_000).toISOString() });
  const seconds = retryAfterOf(await bearer(IDS));
  assertGreaterOrEqual(seconds, 20);
  assertLessOrEqual(seconds, 22);
});

Deno.test("Location leads to the same task", async () => {
  const { platform, bearer, get } = setUp();
  const task = { id: "00000181d3c6b79d-ebbd4d36_3f01b009", organization: "A_1", workspace: "-w-" };
  platform.add({ ...task, status: "running" });
  const body = { organization_id: "A_1", workspace_id: "-w-", task_id: task.id };
  const { headers } = await bearer(body);
  const response = await get(headers.get("location") ?? "");
  assertEquals(response.status, 202);
  const { task: { info, ...where } } = v.parse(Running, await response.json());
  assertEquals({ ...where, task_id: info.id }, body);
});
