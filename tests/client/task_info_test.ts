import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import { TaskInfo, TaskStatus } from "../../mod.ts";
import { WIRE_KEYS } from "../helpers/client.ts";
import { anyText, checkProperty } from "../helpers/property.ts";

const TEXT_KEYS = [
  "user_id",
  "user_name",
  "status",
  "name",
  "description",
  "subtask",
  "result",
  "result_type",
  "error_code",
  "error_description",
];

/** A task as the server says it, every field filled. */
const FULL = {
  id: "00000181d3c6b79d-ebbd4d36-3f01b009-dddd65d2",
  user_id: "user-1",
  user_name: "analyst",
  created: "2026-01-02T03:04:05.678Z",
  status: "success",
  duration: 61_000,
  name: "Import of sales",
  description: "Imports a file",
  subtask: "Save",
  progress: 100,
  result: "source-1",
  result_type: "source",
  error_code: "E-1",
  error_description: "no such column",
};

function createdOf(created: unknown): string | null {
  return TaskInfo.fromDict({ id: "t-1", created }).created?.toISOString() ?? null;
}

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

Deno.test("TaskStatus.fromString() knows every status", () => {
  for (const status of TaskStatus.all()) assertEquals(TaskStatus.fromString(status), status);
});

Deno.test("TaskStatus.fromString() maps any other text to unknown", () => {
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
  await checkProperty(
    t,
    fc.property(fc.oneof(anyText, fc.anything()), (value) => {
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

Deno.test("TaskInfo.fromDict() reads all 14 fields of the wire", () => {
  const info = TaskInfo.fromDict(FULL);
  assertEquals({ ...info }, {
    taskId: "00000181d3c6b79d-ebbd4d36-3f01b009-dddd65d2",
    userId: "user-1",
    userName: "analyst",
    created: new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)),
    status: "success",
    rawStatus: "success",
    duration: 61_000,
    name: "Import of sales",
    description: "Imports a file",
    subtask: "Save",
    progress: 100,
    result: "source-1",
    resultType: "source",
    errorCode: "E-1",
    errorDescription: "no such column",
  });
  assert(info instanceof TaskInfo);
});

Deno.test("TaskInfo.fromDict() reads missing, undefined and null fields as null", () => {
  const others = WIRE_KEYS.filter((key) => key !== "id");
  const dicts = [
    {},
    ...[null, undefined].map((none) => Object.fromEntries(others.map((key) => [key, none]))),
  ];
  for (const dict of dicts) {
    const { taskId, status, ...rest } = TaskInfo.fromDict({ ...dict, id: "t-1" });
    assertEquals([taskId, status], ["t-1", "unknown"]);
    assertEquals(Object.keys(rest).length, 13);
    assertEquals(Object.values(rest).filter((value) => value !== null), []);
  }
});

Deno.test("TaskInfo.fromDict() keeps empty text", () => {
  const info = TaskInfo.fromDict({ id: "t-1", name: "", description: "", subtask: "" });
  assertEquals([info.name, info.description, info.subtask], ["", "", ""]);
});

Deno.test("TaskInfo.fromDict() reads the id from id or task_id", () => {
  assertEquals(TaskInfo.fromDict({ id: "t-1" }).taskId, "t-1");
  assertEquals(TaskInfo.fromDict({ task_id: "t-2" }).taskId, "t-2");
  assertEquals(TaskInfo.fromDict({ id: null, task_id: "t-3" }).taskId, "t-3");
});

Deno.test("TaskInfo.fromDict() throws TypeError without an id", () => {
  for (const dict of [{}, { id: null }, { task_id: null }, { status: "running", name: "t-1" }]) {
    assertThrows(() => TaskInfo.fromDict(dict), TypeError, "id");
  }
});

Deno.test("TaskInfo.fromDict() throws TypeError for anything but an object", () => {
  for (const value of [undefined, null, true, 0, 5, "", "t-1", [], [FULL], Symbol("t"), 5n]) {
    assertThrows(() => TaskInfo.fromDict(value), TypeError);
  }
});

Deno.test("TaskInfo.fromDict() ignores fields that it does not know", () => {
  const more = { ...FULL, owner: { id: 1 }, tags: ["a"], rawStatus: 5, taskId: 5, toString: null };
  assertEquals(TaskInfo.fromDict(more), TaskInfo.fromDict(FULL));
});

Deno.test("TaskInfo.fromDict() does not change the dictionary", () => {
  const dict = Object.freeze({ ...FULL, duration: "42" });
  TaskInfo.fromDict(dict);
  assertEquals(dict, { ...FULL, duration: "42" });
});

Deno.test("TaskInfo.fromDict() reads duration and progress from numbers and numeric text", () => {
  const numbers: [unknown, number | null][] = [
    [0, 0],
    [42, 42],
    [1.5, 1.5],
    ["0", 0],
    ["42", 42],
    ["1.5", 1.5],
    ["61000", 61_000],
    ["", null],
    ["abc", null],
    ["NaN", null],
    ["12abc", null],
    ["1,5", null],
    [" ", null],
    [NaN, null],
  ];
  for (const [given, expected] of numbers) {
    const { duration, progress } = TaskInfo.fromDict({ id: "t", duration: given, progress: given });
    assertEquals([duration, progress], [expected, expected], JSON.stringify(given));
  }
});

Deno.test("TaskInfo.fromDict() throws TypeError, naming the field, for a field of the wrong kind", () => {
  const text = [5, true, {}, [], ["a"]];
  for (const key of TEXT_KEYS) {
    for (const value of text.slice(key === "error_code" ? 1 : 0)) {
      assertThrows(() => TaskInfo.fromDict({ id: "t-1", [key]: value }), TypeError, key);
    }
  }
  for (const key of ["duration", "progress", "created"]) {
    for (const value of [true, {}, [], [5]]) {
      assertThrows(() => TaskInfo.fromDict({ id: "t-1", [key]: value }), TypeError, key);
    }
  }
  for (const id of [5, true, {}, ["t-1"]]) {
    assertThrows(() => TaskInfo.fromDict({ id }), TypeError, "id");
    assertThrows(() => TaskInfo.fromDict({ task_id: id }), TypeError, "id");
  }
});

Deno.test("TaskInfo.fromDict() converts a numeric error_code to text", () => {
  assertEquals(TaskInfo.fromDict({ id: "t-1", error_code: 404 }).errorCode, "404");
  assertEquals(TaskInfo.fromDict({ id: "t-1", error_code: 0 }).errorCode, "0");
});

Deno.test("TaskInfo.fromDict() keeps the text of an unknown status", () => {
  for (const word of ["cancelled", "SUCCESS", "constructor", ""]) {
    const { status, rawStatus } = TaskInfo.fromDict({ id: "t-1", status: word });
    assertEquals([status, rawStatus], ["unknown", word]);
  }
  const none = TaskInfo.fromDict({ id: "t-1" });
  assertEquals([none.status, none.rawStatus], ["unknown", null]);
});

Deno.test("created is read from ISO 8601 with Z, with an offset, and as UTC without one", () => {
  const forms: [string, string][] = [
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"],
    ["2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z"],
    ["2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05.000Z"],
    ["2026-01-02T03:04:05-05:30", "2026-01-02T08:34:05.000Z"],
    ["2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000Z"],
    ["2026-01-02T03:04:05+00:00", "2026-01-02T03:04:05.000Z"],
    ["2026-01-02T03:04:05", "2026-01-02T03:04:05.000Z"],
    ["2026-01-02T03:04", "2026-01-02T03:04:00.000Z"],
    ["2026-01-02", "2026-01-02T00:00:00.000Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"],
  ];
  for (const [given, expected] of forms) assertEquals(createdOf(given), expected, given);
});

Deno.test("created is read with microseconds, and with a space instead of the T", () => {
  const forms: [string, string][] = [
    ["2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678Z"],
    ["2026-01-02T03:04:05.678901", "2026-01-02T03:04:05.678Z"],
    ["2026-01-02T03:04:05.678901+02:00", "2026-01-02T01:04:05.678Z"],
    ["2026-01-02T03:04:05.6Z", "2026-01-02T03:04:05.600Z"],
    ["2026-01-02 03:04:05", "2026-01-02T03:04:05.000Z"],
    ["2026-01-02 03:04:05.678901", "2026-01-02T03:04:05.678Z"],
    ["2026-01-02 03:04:05Z", "2026-01-02T03:04:05.000Z"],
    ["2026-01-02 03:04:05.678901+02:00", "2026-01-02T01:04:05.678Z"],
  ];
  for (const [given, expected] of forms) assertEquals(createdOf(given), expected, given);
});

Deno.test("created is read from epoch seconds and milliseconds, as numbers and numeric text", () => {
  const expected = "2026-01-02T03:04:05.000Z";
  const seconds = Date.parse(expected) / 1000;
  assertEquals(createdOf(seconds), expected);
  assertEquals(createdOf(seconds * 1000), expected);
  assertEquals(createdOf(String(seconds)), expected);
  assertEquals(createdOf(String(seconds * 1000)), expected);
  assertEquals(createdOf(seconds + 0.5), "2026-01-02T03:04:05.500Z");
  assertEquals(createdOf(`${seconds}.5`), "2026-01-02T03:04:05.500Z");
  assertEquals(createdOf(0), "1970-01-01T00:00:00.000Z");
});

Deno.test("created as a number is seconds below 10^11 and milliseconds above it", () => {
  const below = new Date((1e11 - 1) * 1000).toISOString();
  const above = new Date(1e11 + 1).toISOString();
  assertEquals([createdOf(1e11 - 1), createdOf("99999999999")], [below, below]);
  assertEquals([createdOf(1e11 + 1), createdOf("100000000001")], [above, above]);
});

Deno.test("an unreadable created is null", () => {
  const unreadable = [
    "",
    " ",
    "now",
    "yesterday",
    "null",
    "T",
    "2026-13-01T00:00:00Z",
    "2026-00-10",
    "2026-01-00",
    "2026-01-32",
    "2026-02-29",
    "2026-02-30T00:00:00Z",
    "2026-04-31T12:00:00+02:00",
    "2100-02-29",
    "2026-01-02T25:00:00Z",
    "2026-01-02T03:60:00Z",
    "2026-01-02T03:04:61Z",
    "2026-01-02T03:04:05+99:00",
    "2026-01-02T03:04:05Z and more",
    "2026-01-02T03:04:05Q",
    "02/01/2026",
    "Fri, 02 Jan 2026",
    "January 2",
    NaN,
    1e300,
    "9".repeat(40),
    "9".repeat(400),
  ];
  for (const given of unreadable) assertEquals(createdOf(given), null, String(given));
});

Deno.test("toDict() returns all 14 keys in the order of the wire", () => {
  assertEquals(Object.keys(TaskInfo.fromDict(FULL).toDict()), WIRE_KEYS);
  assertEquals(Object.keys(TaskInfo.fromDict({ id: "t-1" }).toDict()), WIRE_KEYS);
  assertEquals<unknown>(TaskInfo.fromDict(FULL).toDict(), FULL);
});

Deno.test("toDict() returns null for a missing field", () => {
  const { id, status: _, ...rest } = TaskInfo.fromDict({ id: "t-1" }).toDict();
  assertEquals(id, "t-1");
  assertEquals(Object.values(rest).filter((value) => value !== null), []);
});

Deno.test("toDict() returns null for a missing status", () => {
  // so that a stored handle is not taken for a task whose status nobody knows
  assertEquals<unknown>(TaskInfo.fromDict({ id: "t-1" }).toDict().status, null);
  assertEquals<unknown>(TaskInfo.fromDict({ id: "t-1", status: null }).toDict().status, null);
});

Deno.test("toDict() returns created as ISO 8601 in UTC with Z", () => {
  const forms = ["2026-01-02 05:04:05.678901+02:00", 1767323045.678, "1767323045678"];
  for (const created of forms) {
    const dict = TaskInfo.fromDict({ id: "t-1", created }).toDict();
    assertEquals(dict.created, "2026-01-02T03:04:05.678Z");
  }
});

Deno.test("toDict() returns a new object each time", () => {
  const info = TaskInfo.fromDict(FULL);
  info.toDict().name = "another";
  assertEquals(info.toDict().name, FULL.name);
});

Deno.test("toDict() has the key id, also after reading task_id", () => {
  assertEquals(TaskInfo.fromDict({ task_id: "t-1" }).toDict().id, "t-1");
});

Deno.test("JSON.stringify() of a TaskInfo is that of its toDict()", () => {
  const info = TaskInfo.fromDict({ ...FULL, status: "cancelled", duration: "42" });
  assertEquals(info.toJSON(), info.toDict());
  assertEquals(JSON.stringify(info), JSON.stringify(info.toDict()));
  assertMatch(JSON.stringify([info]), /^\[\{"id":"00000181d3c6b79d-.*"status":"unknown",.*\}\]$/);
});

Deno.test("fromDict(toDict()) returns the same task, except for rawStatus", () => {
  const info = TaskInfo.fromDict({ ...FULL, status: "cancelled", error_code: 7, progress: "1.5" });
  const again = TaskInfo.fromDict(info.toDict());
  assertEquals({ ...again, rawStatus: "cancelled" }, { ...info });
  assertEquals(TaskInfo.fromDict(JSON.parse(JSON.stringify(info))), again);
});
