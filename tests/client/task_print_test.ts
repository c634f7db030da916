// A task as text and as a dictionary. `token_test.ts` tests that it prints without its token.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { taskWith, WIRE_KEYS } from "../helpers/client.ts";

const taskOf = (known: Record<string, unknown> = {}) => taskWith({ known }).task;

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
