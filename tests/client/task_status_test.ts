import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { TaskStatus } from "../../mod.ts";
import { anyText, checkProperty } from "../helpers/property.ts";

Deno.test("TaskStatus has five statuses whose names equal their values", () => {
  const { pending, running, success, failed, unknown } = TaskStatus;
  assertEquals({ pending, running, success, failed, unknown }, {
    pending: "pending",
    running: "running",
    success: "success",
    failed: "failed",
    unknown: "unknown",
  });
});

Deno.test("TaskStatus.all() is the reference's list, and a new one at each call", () => {
  const expected = ["pending", "running", "failed", "success", "unknown"];
  assertEquals(TaskStatus.all(), expected);
  TaskStatus.all().length = 0;
  assertEquals(TaskStatus.all(), expected);
});

Deno.test("TaskStatus.fromString() knows every status and maps any other text to unknown", () => {
  for (const status of TaskStatus.all()) assertEquals(TaskStatus.fromString(status), status);
  const names = [
    "",
    "cancelled",
    "Success",
    " failed",
    "failed\n",
    "constructor",
    "__proto__",
    "toString",
    "hasOwnProperty",
    "all",
    "fromString",
    "isTerminal",
  ];
  for (const name of names) assertEquals(TaskStatus.fromString(name), "unknown", name);
});

Deno.test("TaskStatus.fromString() never throws", async (t) => {
  const value = fc.oneof(anyText, fc.anything(), fc.constantFrom(...TaskStatus.all()));
  await checkProperty(
    t,
    fc.property(value, (value) => {
      const expected = TaskStatus.all().includes(value as string) ? value : "unknown";
      assertEquals(TaskStatus.fromString(value as string), expected as TaskStatus);
    }),
  );
});

Deno.test("TaskStatus.isTerminal() is true for success and failed only", () => {
  assertEquals(TaskStatus.all().filter(TaskStatus.isTerminal).sort(), ["failed", "success"]);
  for (const word of ["", "done", "cancelled", "constructor", "SUCCESS"]) {
    assertEquals(TaskStatus.isTerminal(word), false, word);
  }
});
