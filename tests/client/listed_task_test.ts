// Tasks of a list: what they load when it is needed.
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
} from "@std/assert";
import { Credentials, DeepintTaskError, Task } from "../../mod.ts";
import { TOKEN } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { createFakePlatform, type FakeTask } from "../helpers/fake_platform.ts";

const credentials = new Credentials({ token: TOKEN });

/** Lists the only task of a workspace. */
async function listOne(fields: FakeTask) {
  const platform = createFakePlatform({ token: TOKEN });
  const { organization: organizationId, workspace: workspaceId } = platform.add({
    id: "t-0",
    ...fields,
  });
  const { fetch } = platform;
  const options = { organizationId, workspaceId, credentials, fetch };
  const [task] = await Array.fromAsync(Task.list(options));
  assert(task);
  assertEquals(platform.count(), 1);
  return { platform, task };
}

Deno.test("a listed task has its ids, its credentials and the fields of the list", async () => {
  const created = "2026-01-02T03:04:05.000Z";
  const { task } = await listOne({ status: "running", name: "import", created });
  assertEquals([task.organizationId, task.workspaceId], ["organization-1", "workspace-1"]);
  assertStrictEquals(task.credentials, credentials);
  assertEquals([task.info.status, task.info.name], ["running", "import"]);
  assertEquals(task.info.created?.toISOString(), created);
});

Deno.test("a listed task that succeeded loads its result once, for resolve() and fetchResult()", async () => {
  const success = { status: "success", result: "s-1", result_type: "source" };
  const first = await listOne(success);
  assertEquals((await first.task.resolve()).result, "s-1");
  assertEquals(await first.task.fetchResult(), { source: "s-1" });
  await first.task.resolve();
  assertEquals(first.platform.count("/task/t-0"), 1);
  const second = await listOne(success);
  assertEquals(await second.task.fetchResult(), { source: "s-1" });
  assertEquals(await second.task.fetchResult(), { source: "s-1" });
  assertEquals((await second.task.resolve()).result, "s-1");
  assertEquals(second.platform.count("/task/t-0"), 1);
});

Deno.test("a listed task that is restored from toDict() loads its result once", async () => {
  const { platform, task } = await listOne({
    status: "success",
    result: "s-1",
    result_type: "source",
  });
  const options = { credentials, fetch: platform.fetch };
  const again = Task.fromDict(JSON.parse(JSON.stringify(task)), options);
  assertEquals(await again.fetchResult(), { source: "s-1" });
  assertEquals((await again.resolve()).result, "s-1");
  assertEquals(platform.count("/task/t-0"), 1);
});

Deno.test("a listed task that failed rejects with its error's text, after one load", async () => {
  const { platform, task } = await listOne({
    status: "failed",
    error_code: "BAD_CSV",
    error_description: "line 3 has no end",
  });
  const error = await assertRejects(() => task.resolve(), DeepintTaskError);
  assertEquals(error.code, "TASK_BAD_CSV");
  assertStringIncludes(error.message, "failed with description: line 3 has no end");
  await assertRejects(() => task.resolve(), DeepintTaskError);
  assertEquals(platform.count("/task/t-0"), 1);
});

Deno.test("isErrored() and isFinished() of a listed task make no request", async () => {
  for (const status of ["pending", "running", "success", "failed"]) {
    const { platform, task } = await listOne({ status });
    assertEquals(await task.isErrored(), status === "failed");
    assertEquals(await task.isFinished(), status === "success" || status === "failed");
    assertEquals(platform.count(), 1);
  }
});

Deno.test("resolve() waits for a listed task", async () => {
  using clock = new FakeClock();
  const { platform, task } = await listOne({
    steps: [{ status: "running", polls: 2 }, { status: "success", result: "s-1" }],
  });
  assertEquals((await clock.runUntil(task.resolve())).result, "s-1");
  assertEquals([platform.count("/task/t-0"), clock.pending], [3, 0]);
});

Deno.test("a listed task that has ended loads at most once for watch(), and yields what it loaded", async () => {
  const { platform, task } = await listOne({ status: "success", result: "s-1" });
  const results = await Array.fromAsync(task.watch(), ({ result }) => result);
  assertEquals([results.at(-1), platform.count("/task/t-0")], ["s-1", 1]);
});
