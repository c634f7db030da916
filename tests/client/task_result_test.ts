// Results and states of a loaded task, and its deletion.
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { DeepintHTTPError, DeepintTaskError, TaskInfo, type TaskResult } from "../../mod.ts";
import { taskWith, TOKEN } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { FakeTask } from "../helpers/fake_platform.ts";
import type { Step } from "../helpers/fake_task.ts";

/** A task of the platform, loaded with one request. */
async function setUp({ steps, ...fields }: FakeTask = {}) {
  const { platform, task } = taskWith({ steps: steps?.slice() ?? [fields as Step], known: {} });
  await task.load();
  return { platform, task };
}

Deno.test("fetchResult() returns the result by its type, without a request", async () => {
  for (const type of ["source", "model", "dashboard"]) {
    const { platform, task } = await setUp({ status: "success", result: "r-1", result_type: type });
    assertEquals(await task.fetchResult(), { [type]: "r-1" });
    assertEquals(platform.count(), 1);
  }
});

Deno.test("fetchResult() is empty for a task without a result", async () => {
  const { task } = await setUp({ status: "success" });
  assertEquals(await task.fetchResult(), {});
});

Deno.test("fetchResult() is empty for a failed task, even with a result", async () => {
  const { task } = await setUp({ status: "failed", error_code: "X" });
  assertEquals(await task.fetchResult(), {});
  const other = await setUp({ status: "failed", result: "r-1", result_type: "source" });
  assertEquals(await other.task.fetchResult(), {});
});

Deno.test("fetchResult() before the end, or on an unknown status, is TASK_NOT_FINISHED", async () => {
  for (const status of ["pending", "running", "paused"]) {
    const { platform, task } = await setUp({ status, result: "r-1", result_type: "source" });
    const error = await assertRejects(() => task.fetchResult(), DeepintTaskError);
    assertEquals(error.code, "TASK_NOT_FINISHED");
    assertStrictEquals(error.task, task);
    assertStrictEquals(error.info, task.info);
    assertEquals(error.message.match(/null|undefined/), null);
    assertEquals(platform.count(), 1);
  }
});

Deno.test("fetchResult({ forceReload: true }) loads first, with one request", async () => {
  const { platform, task } = await setUp({
    steps: [{ status: "running" }, { status: "success", result: "m-1", result_type: "model" }],
  });
  await assertRejects(() => task.fetchResult(), DeepintTaskError);
  assertEquals(platform.count(), 1);
  assertEquals(await task.fetchResult({ forceReload: true }), { model: "m-1" });
  assertEquals([task.info.status, platform.count()], ["success", 2]);
});

Deno.test("resultUrl() is the web address of the source or model", async () => {
  for (const type of ["source", "model"]) {
    const { task } = await setUp({ status: "success", result: "r-1", result_type: type });
    const { organizationId, workspaceId } = task;
    assertEquals(
      task.resultUrl()?.href,
      `https://app.deepint.net/o/${organizationId}/workspace?ws=${workspaceId}&s=${type}&i=r-1`,
    );
  }
});

Deno.test("resultUrl() encodes every special character of the result's id", async () => {
  const id = "a&s=task#é/../x";
  const { task } = await setUp({ status: "success", result: id, result_type: "source" });
  const url = task.resultUrl();
  assertEquals([url?.searchParams.get("i"), url?.searchParams.getAll("s"), url?.hash], [
    id,
    ["source"],
    "",
  ]);
});

Deno.test("resultUrl() accepts a result id that is not well-formed text", async () => {
  const { task } = await setUp({ status: "success", result: "a\ud800b😀", result_type: "source" });
  assertEquals(task.resultUrl()?.searchParams.get("i"), "a\ufffdb😀");
});

Deno.test("resultUrl() is null without a result and for a type without a page", async () => {
  for (
    const fields of [
      { status: "running" },
      { status: "success", result: "r-1", result_type: "x" },
      { status: "success", result: "r-1", result_type: null },
    ]
  ) {
    assertEquals((await setUp(fields)).task.resultUrl(), null);
  }
});

for (
  const [method, ended] of [
    ["isErrored", ["failed"]],
    ["isFinished", ["success", "failed"]],
  ] as const
) {
  Deno.test(`${method}() is true for ${ended.join(" and ")} only, without a request`, async () => {
    for (const status of ["pending", "running", "success", "failed", "paused"] as const) {
      const { platform, task } = await setUp({ status });
      assertEquals([await task[method](), platform.count()], [
        ended.some((it) => it === status),
        1,
      ]);
    }
  });

  Deno.test(`${method}({ forceReload: true }) loads first`, async () => {
    const { platform, task } = await setUp({
      steps: [{ status: "running" }, { status: "failed" }],
    });
    assertEquals([await task[method](), platform.count()], [false, 1]);
    assertEquals([await task[method]({ forceReload: true }), platform.count()], [true, 2]);
    assertEquals([await task[method]({ forceReload: false }), platform.count()], [true, 2]);
  });
}

Deno.test("forceReload passes on the request options and rejects when the load fails", async () => {
  const { platform, task } = await setUp({ status: "running" });
  const reason = new Error("no more");
  const options = { forceReload: true, signal: AbortSignal.abort(reason) };
  for (const name of ["fetchResult", "isErrored", "isFinished"] as const) {
    assertStrictEquals(await assertRejects(() => task[name](options)), reason);
  }
  assertEquals(platform.count(), 1);
  platform.inject(() => Response.json({}, { status: 401 }));
  const error = await assertRejects(() => task.isErrored({ forceReload: true }), DeepintHTTPError);
  assertEquals(error.status, 401);
});

Deno.test("delete() stops a running task with one DELETE to its path", async () => {
  const { platform, task } = await setUp({ status: "running" });
  assertStrictEquals(await task.delete(), undefined);
  assertEquals(platform.count(), 2);
  const request = platform.requests.at(-1);
  assertEquals(request?.method, "DELETE");
  assertEquals(request?.path, "/api/v1/workspace/w-1/task/t-1");
  assertEquals(request?.headers["x-auth-token"], TOKEN);
  assertEquals(request?.headers["x-deepint-organization"], "o-1");
  const { status, errorCode } = (await task.load()).info;
  assertEquals({ status, errorCode }, { status: "failed", errorCode: "STOPPED" });
});

Deno.test("delete() of a finished task changes nothing", async () => {
  const { task } = await setUp({ status: "success", result: "s-1", result_type: "source" });
  await task.delete();
  assertEquals(await task.fetchResult({ forceReload: true }), { source: "s-1" });
});

Deno.test("delete() accepts a 204 without a body", async () => {
  const { platform, task } = await setUp();
  platform.inject(() => new Response(null, { status: 204 }));
  assertStrictEquals(await task.delete(), undefined);
  assertEquals(platform.count(), 2);
});

Deno.test('delete() rejects when the answer is {"result":"error"} with 200', async () => {
  const { platform, task } = await setUp();
  platform.inject(() => Response.json({ result: "error" }));
  const plain = await assertRejects(() => task.delete(), DeepintHTTPError);
  assertEquals([plain.code, plain.status, plain.method], ["UNKNOWN_ERROR", 200, "DELETE"]);
  platform.inject(() => Response.json({ result: "error", code: "TASK_LOCKED", message: "in use" }));
  const coded = await assertRejects(() => task.delete(), DeepintHTTPError, "in use");
  assertEquals([coded.code, platform.count()], ["TASK_LOCKED", 3]);
});

Deno.test("delete() rejects on an undocumented response", async () => {
  const { platform, task } = await setUp();
  for (const body of ["null", "[]", "{}", '"success"', "<p>ok</p>", '{"result":"maybe"}']) {
    platform.inject(() => new Response(body));
    const error = await assertRejects(() => task.delete(), DeepintHTTPError, undefined, body);
    assertEquals(error.code, "INVALID_RESPONSE", body);
  }
});

Deno.test("delete() rejects on a 404 of the first attempt and does not try again", async () => {
  const { platform, task } = await setUp();
  platform.inject(() => Response.json({ code: "TASK_NOT_FOUND" }, { status: 404 }));
  const error = await assertRejects(() => task.delete(), DeepintHTTPError);
  assertEquals([error.status, error.code, platform.count()], [404, "TASK_NOT_FOUND", 2]);
});

Deno.test("delete() accepts a 404 after a failed attempt as success", async () => {
  using clock = new FakeClock();
  const { platform, task } = await setUp();
  // the first attempt succeeds, but its response is lost
  platform.inject(() => Promise.reject(new TypeError("connection closed")));
  platform.inject(() => Response.json({ code: "TASK_NOT_FOUND" }, { status: 404 }));
  assertStrictEquals(await clock.runUntil(task.delete()), undefined);
  assertEquals(platform.count(({ method }) => method === "DELETE"), 2);
});

Deno.test("delete() does not repeat a 500", async () => {
  using clock = new FakeClock();
  const { platform, task } = await setUp();
  platform.inject(() => new Response("{}", { status: 500 }));
  const deleted = clock.runUntil(task.delete());
  const error = await assertRejects(() => deleted, DeepintHTTPError);
  assertEquals([error.status, error.code, platform.count()], [500, "UNKNOWN_ERROR", 2]);
});

Deno.test("delete() does not change the info", async () => {
  const { task } = await setUp({ status: "running" });
  const info = task.info;
  await task.delete();
  assertStrictEquals(task.info, info);
  assertEquals(TaskInfo.fromDict(info.toDict()).status, "running");
});

Deno.test("the result of an export is the URL of its file", async () => {
  const urls: Record<string, string | undefined> = {
    "https://files.example.com/exports/w-1.zip?signature=abc":
      "https://files.example.com/exports/w-1.zip?signature=abc",
    "http://127.0.0.1:8000/export.zip": "http://127.0.0.1:8000/export.zip",
    "http://localhost/export.zip": "http://localhost/export.zip",
    "http://files.example.com/w-1.zip": undefined,
    "javascript:alert(1)": undefined,
    "ftp://files.example.com/w-1.zip": undefined,
    "not a URL": undefined,
  };
  for (const [result, href] of Object.entries(urls)) {
    const { task } = taskWith({ known: { status: "success", result, result_type: "file" } });
    assertEquals(await task.fetchResult(), { file: result });
    assertEquals(task.resultUrl()?.href, href, result);
  }
});

Deno.test("empty text in result or result_type is the same as null", async () => {
  const results = [["", "", {}], ["", "source", {}], ["x-1", "", { unknown: "x-1" }]] as const;
  for (const [result, result_type, expected] of results) {
    const { task } = await setUp({ status: "success", result, result_type });
    assertEquals(await task.fetchResult(), expected);
    assertEquals(task.resultUrl(), null);
    assertEquals(task.toDict().info.result, result || null);
  }
});

Deno.test("the type of a result allows undefined fields", () => {
  const read = (
    { source, model, file }: TaskResult,
  ): (string | undefined)[] => [source, model, file];
  // @ts-expect-error: a source may be undefined, also without noUncheckedIndexedAccess
  const wrong = ({ source }: TaskResult): string => source;
  assertEquals([read({ file: "u" }), wrong({})], [[undefined, undefined, "u"], undefined]);
});
