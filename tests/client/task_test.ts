// Building a task and loading it; what it then tells is in task_result_test.ts.
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Credentials, DeepintHTTPError, Task, TaskInfo } from "../../mod.ts";
import { TOKEN } from "../helpers/client.ts";
import { environment } from "../helpers/environment.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";

const credentials = new Credentials({ token: TOKEN });

/** A platform with a running task, and the options to build it. */
function setUp() {
  const platform = createFakePlatform({ token: TOKEN });
  const handle = platform.add({ id: "t-1", status: "running", progress: 10 });
  const options = {
    organizationId: handle.organization,
    workspaceId: handle.workspace,
    taskId: handle.id,
    credentials,
    fetch: platform.fetch,
  };
  return { platform, handle, options };
}

Deno.test("the constructor keeps its options and makes no request", () => {
  const { platform, options } = setUp();
  const info = TaskInfo.fromDict({ id: "t-7", status: "pending" });
  const task = new Task({ ...options, info });
  assertEquals(
    [task.organizationId, task.workspaceId, task.taskId],
    ["organization-1", "workspace-1", "t-7"],
  );
  assertStrictEquals(task.info, info);
  assertStrictEquals(task.credentials, credentials);
  assertEquals(platform.count(), 0);
});

Deno.test("the constructor refuses an id that would change the path", () => {
  const { options } = setUp();
  const info = TaskInfo.fromDict({ id: "t-1" });
  for (const id of ["", "..", "a/b", "a%2Fb", "a b", "a?b", "a#b", "é", "x".repeat(129)]) {
    assertThrows(() => new Task({ ...options, info, organizationId: id }), RangeError);
    assertThrows(() => new Task({ ...options, info, workspaceId: id }), RangeError);
    if (id === "") continue; // no info has it
    const hostile = TaskInfo.fromDict({ id });
    assertThrows(() => new Task({ ...options, info: hostile }), RangeError);
  }
});

Deno.test("build() loads the task with one request, to its path, with the three headers", async () => {
  const { platform, options } = setUp();
  const task = await Task.build(options);
  assertEquals([task.info.taskId, task.info.status, task.info.progress], ["t-1", "running", 10]);
  assertEquals(platform.count(), 1);
  const [request] = platform.requests;
  assertEquals(request?.method, "GET");
  assertEquals(request?.url, "https://app.deepint.net/api/v1/workspace/workspace-1/task/t-1");
  assertEquals(request?.headers["x-auth-token"], TOKEN);
  assertEquals(request?.headers["x-deepint-organization"], "organization-1");
  assertEquals(request?.headers["accept"], "application/json");
});

Deno.test("build() accepts ids other than UUIDs, up to 128 characters", async () => {
  const { platform, options } = setUp();
  for (const id of ["00000181d3c6b79d-ebbd4d36-3f01b009-dddd65d2", "A_b-9".padEnd(128, "x")]) {
    platform.add({ id, status: "success" });
    const task = await Task.build({ ...options, taskId: id });
    assertEquals([task.taskId, task.info.status], [id, "success"]);
    assertStringIncludes(platform.requests.at(-1)?.path ?? "", `/task/${id}`);
  }
});

Deno.test("build() refuses a hostile id without a request", async () => {
  const { platform, options } = setUp();
  for (const id of ["", "..", "a/b", "%2e%2e", "a?b", "a b", "\u0000", "x".repeat(129)]) {
    for (const key of ["organizationId", "workspaceId", "taskId"]) {
      await assertRejects(() => Task.build({ ...options, [key]: id }), RangeError);
    }
  }
  assertEquals(platform.count(), 0);
});

Deno.test("build() rejects with the server's error for an unknown task", async () => {
  const { options } = setUp();
  const error = await assertRejects(
    () => Task.build({ ...options, taskId: "t-2" }),
    DeepintHTTPError,
  );
  assertEquals([error.code, error.status], ["TASK_NOT_FOUND", 404]);
});

Deno.test("build() and fromUrl() read credentials from the environment by default", async () => {
  const { platform, handle, options } = setUp();
  using _set = environment({ DEEPINT_TOKEN: TOKEN, DEEPINT_INSTANCE: "app.deepint.net" });
  const { organizationId, workspaceId, taskId, fetch } = options;
  const built = await Task.build({ organizationId, workspaceId, taskId, fetch });
  const fromUrl = await Task.fromUrl(handle.webUrl, { fetch });
  assertEquals([built.info.status, fromUrl.info.status], ["running", "running"]);
  assertEquals(platform.requests.map(({ headers }) => headers["x-auth-token"]), [TOKEN, TOKEN]);
});

Deno.test("fromUrl() loads the task of a web URL with one request", async () => {
  const { platform, handle } = setUp();
  const task = await Task.fromUrl(handle.webUrl, { credentials, fetch: platform.fetch });
  assertEquals(
    [task.organizationId, task.workspaceId, task.taskId, task.info.status],
    ["organization-1", "workspace-1", "t-1", "running"],
  );
  assertEquals(platform.count(), 1);
  assertEquals(platform.requests[0]?.path, "/api/v1/workspace/workspace-1/task/t-1");
  assertEquals(platform.requests[0]?.headers["x-deepint-organization"], "organization-1");
});

Deno.test("fromUrl() takes a URL object, and an organizationId that is the web URL's own", async () => {
  const { platform, handle } = setUp();
  const task = await Task.fromUrl(new URL(handle.webUrl), {
    credentials,
    fetch: platform.fetch,
    organizationId: "organization-1",
  });
  assertEquals(task.info.status, "running");
});

Deno.test("fromUrl() loads the task of an API URL, in both spellings, with an organizationId", async () => {
  const { platform, handle } = setUp();
  const options = { credentials, fetch: platform.fetch, organizationId: "organization-1" };
  for (const url of [handle.url, handle.url.replace("/task/", "/tasks/")]) {
    const task = await Task.fromUrl(url, options);
    assertEquals([task.organizationId, task.info.status], ["organization-1", "running"]);
  }
  assertEquals(platform.count(), 2);
});

Deno.test("fromUrl() refuses an API URL without organizationId, without a request", async () => {
  const { platform, handle } = setUp();
  const options = { credentials, fetch: platform.fetch };
  await assertRejects(() => Task.fromUrl(handle.url, options), RangeError, "organizationId");
  assertEquals(platform.count(), 0);
});

Deno.test("fromUrl() refuses a web URL of another organization without a request", async () => {
  const { platform, handle } = setUp();
  const options = { credentials, fetch: platform.fetch, organizationId: "organization-2" };
  const error = await assertRejects(() => Task.fromUrl(handle.webUrl, options), RangeError);
  assertStringIncludes(error.message, "organization-1");
  assertStringIncludes(error.message, "organization-2");
  assertEquals(platform.count(), 0);
});

Deno.test("fromUrl() refuses a URL of another host than the credentials' without a request", async () => {
  const { platform, handle } = setUp();
  const options = { credentials, fetch: platform.fetch, organizationId: "organization-1" };
  const hosts = ["deepint.net", "app.deepint.net:8443", "app.deepint.net.example", "127.0.0.1"];
  for (const host of hosts) {
    for (const url of [handle.webUrl, handle.url]) {
      const other = url.replace("app.deepint.net", host);
      const error = await assertRejects(() => Task.fromUrl(other, options), RangeError, host);
      assertStringIncludes(error.message, "https://app.deepint.net.");
      assert(!error.message.includes(TOKEN));
    }
  }
  const insecure = handle.webUrl.replace("https:", "http:");
  await assertRejects(() => Task.fromUrl(insecure, options), RangeError);
  assertEquals(platform.count(), 0);
});

Deno.test("fromUrl() refuses anything but a task URL, without a request", async () => {
  const { platform, handle } = setUp();
  const options = { credentials, fetch: platform.fetch, organizationId: "organization-1" };
  for (const url of ["t-1", "https://app.deepint.net/", `${handle.webUrl}&i=t-2`]) {
    await assertRejects(() => Task.fromUrl(url, options), RangeError, undefined, url);
  }
  assertEquals(platform.count(), 0);
});

Deno.test("fromDict() restores the task of a stored toDict() without a request", async () => {
  const { platform, options } = setUp();
  const task = await Task.build(options);
  const stored: unknown = JSON.parse(JSON.stringify(task.toDict()));
  const again = Task.fromDict(stored, { credentials, fetch: platform.fetch });
  assert(again.info instanceof TaskInfo);
  assertEquals(again.info.toDict(), task.info.toDict());
  assertEquals(again.toDict(), task.toDict());
  assertEquals(platform.count(), 1);
  assertEquals((await again.load()).info.status, "running");
  assertEquals(platform.count(), 2);
});

Deno.test("fromDict() creates a task from ids, which loads its information on demand", async () => {
  const { platform } = setUp();
  const ids = { organization_id: "organization-1", workspace_id: "workspace-1", task_id: "t-1" };
  const task = Task.fromDict(ids, { credentials, fetch: platform.fetch });
  assertEquals([task.organizationId, task.workspaceId, task.taskId], Object.values(ids));
  assertEquals([task.info.status, platform.count()], ["unknown", 0]);
  assertEquals([await task.isFinished(), platform.count()], [false, 1]);
  assertEquals(task.info.progress, 10);
});

Deno.test("fromDict() refuses anything but a stored task", () => {
  const ids = { organization_id: "o", workspace_id: "w" };
  for (
    const dict of [null, undefined, "t-1", 5, ids, { ...ids, info: null }, { ...ids, info: 5 }]
  ) {
    assertThrows(() => Task.fromDict(dict, { credentials }), TypeError);
  }
  assertThrows(
    () => Task.fromDict({ ...ids, info: { id: "t", name: 5 } }, { credentials }),
    TypeError,
  );
  assertThrows(() => Task.fromDict({ ...ids, task_id: "../x" }, { credentials }), RangeError);
});

Deno.test("load() replaces the info and returns the same task", async () => {
  const { platform, options } = setUp();
  const task = await Task.build(options);
  const before = task.info;
  platform.add({ id: "t-1", status: "success", result: "s-1", result_type: "source" });
  assertStrictEquals(await task.load(), task);
  assertEquals([task.info.status, task.info.result], ["success", "s-1"]);
  assertEquals([before.status, before.result], ["running", null]);
  assertEquals(platform.count(), 2);
});

Deno.test("load() does not change the info when it fails", async () => {
  const { platform, options } = setUp();
  const task = await Task.build(options);
  const before = task.info;
  platform.inject(() => Response.json({ id: "t-1", name: 5 }));
  await assertRejects(() => task.load(), DeepintHTTPError);
  assertStrictEquals(task.info, before);
});

Deno.test("an older load never overwrites a newer one", async () => {
  const { platform, options } = setUp();
  const task = await Task.build(options);
  const older = Promise.withResolvers<Response>();
  const newer = Promise.withResolvers<Response>();
  platform.inject(() => older.promise);
  const first = task.load();
  platform.inject(() => newer.promise);
  const second = task.load();
  newer.resolve(Response.json({ id: "t-1", status: "success", result: "s-1" }));
  assertEquals((await second).info.status, "success");
  older.resolve(Response.json({ id: "t-1", status: "running", progress: 50 }));
  assertStrictEquals(await first, task);
  assertEquals([task.info.status, task.info.result], ["success", "s-1"]);
  platform.inject(() => Response.json({ id: "t-1", status: "failed" }));
  assertEquals((await task.load()).info.status, "failed");
});
