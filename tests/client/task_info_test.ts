// `TaskInfo` by example. `task_info_oracle_test.ts` compares it with a schema of the contract.
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { TaskInfo } from "../../mod.ts";
import { WIRE_KEYS } from "../helpers/client.ts";

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

Deno.test("TaskInfo.fromDict() reads the id from id or task_id", () => {
  assertEquals(TaskInfo.fromDict({ id: "t-1" }).taskId, "t-1");
  assertEquals(TaskInfo.fromDict({ task_id: "t-2" }).taskId, "t-2");
  assertEquals(TaskInfo.fromDict({ task_id: "t-2" }).toDict().id, "t-2");
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

Deno.test("TaskInfo.fromDict() keeps the text of an unknown status", () => {
  for (const word of ["cancelled", "SUCCESS", "constructor", ""]) {
    const { status, rawStatus } = TaskInfo.fromDict({ id: "t-1", status: word });
    assertEquals([status, rawStatus], ["unknown", word]);
  }
  const none = TaskInfo.fromDict({ id: "t-1" });
  assertEquals([none.status, none.rawStatus], ["unknown", null]);
});

Deno.test("toDict() returns all 14 keys in the order of the wire", () => {
  assertEquals(Object.keys(TaskInfo.fromDict(FULL).toDict()), WIRE_KEYS);
  assertEquals(Object.keys(TaskInfo.fromDict({ id: "t-1" }).toDict()), WIRE_KEYS);
  assertEquals<unknown>(TaskInfo.fromDict(FULL).toDict(), FULL);
});

Deno.test("toDict() returns null for a missing field", () => {
  for (const missing of [{}, { status: null }]) {
    const { id, ...rest } = TaskInfo.fromDict({ id: "t-1", ...missing }).toDict();
    assertEquals(id, "t-1");
    // also for the status, so that a stored handle is not mistaken for an unknown status
    assertEquals(Object.values(rest).filter((value) => value !== null), []);
  }
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

Deno.test("JSON.stringify() of a TaskInfo is that of its toDict()", () => {
  const info = TaskInfo.fromDict({ ...FULL, status: "cancelled", duration: "42" });
  assertEquals(info.toJSON(), info.toDict());
  assertEquals(JSON.stringify(info), JSON.stringify(info.toDict()));
  assertMatch(JSON.stringify([info]), /^\[\{"id":"00000181d3c6b79d-.*"status":"unknown",.*\}\]$/);
});
