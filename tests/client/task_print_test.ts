// A task as text, as a dictionary, and printed: never with its token.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Credentials, DeepintTaskError, Task } from "../../mod.ts";
import { assertNoSecrets, taskWith, TOKEN, WIRE_KEYS } from "../helpers/client.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";

const taskOf = (known: Record<string, unknown> = {}) => taskWith({ known }).task;

const assertNoToken = (value: unknown, token = TOKEN) => assertNoSecrets(value, token);

Deno.test("toDict() is organization, workspace and the wire's 14 keys in the wire's order", () => {
  const dict = taskOf({ status: "running", progress: "42", name: "import" }).toDict();
  assertEquals(Object.keys(dict), ["organization_id", "workspace_id", "info"]);
  assertEquals([dict.organization_id, dict.workspace_id], ["o-1", "w-1"]);
  assertEquals(Object.keys(dict.info), WIRE_KEYS);
  assertEquals([dict.info.id, dict.info.progress, dict.info.name], ["t-1", 42, "import"]);
  assertEquals([dict.info.created, dict.info.result, dict.info.error_code], [null, null, null]);
});

Deno.test("toDict() writes created as ISO 8601 in UTC", () => {
  const { info } = taskOf({ created: "2026-01-02T03:04:05+01:00" }).toDict();
  assertEquals(info.created, "2026-01-02T02:04:05.000Z");
});

Deno.test("toJSON() equals toDict()", () => {
  const task = taskOf({ status: "success", result: "s-1", result_type: "source" });
  assertEquals(task.toJSON(), task.toDict());
  assertEquals(JSON.stringify(task), JSON.stringify(task.toDict()));
  assertEquals(JSON.stringify({ task }), `{"task":${JSON.stringify(task.toDict())}}`);
});

Deno.test("toString() has the id, name and status of the task, and never null", () => {
  const text = String(taskOf({ status: "running", name: "import of sales" }));
  for (const part of ["t-1", "import of sales", "running"]) assertStringIncludes(text, part);
  assertEquals(`${taskOf()}`.match(/null|undefined|object Object/), null);
});

Deno.test("a task and its credentials print, serialise and clone without the token", () => {
  const task = taskOf({ status: "running" });
  assertNoToken(task);
  assertNoToken(task.credentials);
  assertNoToken([task, { task }]);
  assertStringIncludes(Deno.inspect(task.credentials), "app.deepint.net");
});

Deno.test("a task that has made requests prints without the token", async () => {
  const platform = createFakePlatform({ token: TOKEN });
  platform.add({ id: "t-1", organization: "o-1", workspace: "w-1", status: "running" });
  const task = await Task.build({
    organizationId: "o-1",
    workspaceId: "w-1",
    taskId: "t-1",
    credentials: new Credentials({ token: () => TOKEN }),
    fetch: (url, init) => platform.fetch(url, init), // the platform's own function contains the token
  });
  assertEquals(platform.requests[0]?.headers["x-auth-token"], TOKEN);
  assertNoToken(task);
});

Deno.test("the error of a failed task prints, serialises and clones without the token", async () => {
  const task = taskOf({ status: "failed", error_code: "X", error_description: "no rows" });
  const error = await assertRejects(() => task.resolve(), DeepintTaskError, "no rows");
  assertNoToken(error);
  assertNoToken(error.stack);
  const clone: unknown = structuredClone(error);
  assert(clone instanceof Error);
  assertEquals(clone.message, error.message);
});

Deno.test("an echoed token is in no info, error or output", async () => {
  const echoes = [
    JSON.stringify({ id: "t-1", status: "failed", error_code: "X", error_description: TOKEN }),
    JSON.stringify({ id: "t-1", status: "failed", name: `for ${TOKEN}!`, result: TOKEN }),
  ];
  for (const echo of echoes) {
    const task = await Task.build({
      organizationId: "o-1",
      workspaceId: "w-1",
      taskId: "t-1",
      credentials: new Credentials({ token: TOKEN }),
      fetch: () => Promise.resolve(new Response(echo)),
    });
    assertNoToken(task);
    assertNoToken(await assertRejects(() => task.resolve(), DeepintTaskError));
  }
});

Deno.test("an echoed token with JSON escapes is in no info, error or output", async () => {
  const token = "canary/token/0123456789";
  const body = JSON.stringify({ id: "t-1", status: "failed", error_description: token });
  for (const escape of ["\\/", "\\u002f"]) { // the first is how PHP writes every slash
    const task = await Task.build({
      organizationId: "o-1",
      workspaceId: "w-1",
      taskId: "t-1",
      credentials: new Credentials({ token }),
      fetch: () => Promise.resolve(new Response(body.replaceAll("/", escape))),
    });
    assertNoToken(task, token);
    assertNoToken(await assertRejects(() => task.resolve(), DeepintTaskError), token);
  }
});
