import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import * as v from "valibot";
import { TaskInfo, TaskStatus } from "../../mod.ts";
import { WIRE_KEYS } from "../helpers/client.ts";
import { checkProperty } from "../helpers/property.ts";

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

/** Text of any code units; fast-check's own `unit: "binary"` takes seconds to begin. */
const anyText = fc.array(fc.oneof(fc.nat(0xffff), fc.integer({ min: 0x20, max: 0x7e })), {
  maxLength: 12,
}).map((units) => String.fromCharCode(...units));

/** Expected value of `created`: ISO 8601 in UTC, or null. */
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

// --- The oracle: the contract's words as a valibot schema. It shares nothing with src/.

const NUMERIC = /^-?\d+(\.\d+)?$/;

function readNumber(value: string | number): number | null {
  if (typeof value === "string") return NUMERIC.test(value) ? Number(value) : null;
  return Number.isNaN(value) ? null : value;
}

function readInstant(value: string | number): Date | null {
  if (typeof value === "number" || NUMERIC.test(value)) {
    const epoch = Number(value);
    return validDate(epoch > 1e11 ? epoch : epoch * 1000);
  }
  const form =
    /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(?:Z|([+-])(\d\d):(\d\d))?)?$/;
  const [text, year, month, day, ...rest] = form.exec(value) ?? [];
  if (text === undefined) return null;
  const [hour = 0, minute = 0, second = 0, fraction = 0, sign, hours = 0, minutes = 0] = rest;
  const [h, m, s, oh, om] = [hour, minute, second, hours, minutes].map(Number) as [
    ...[number, number, number, number, number],
  ];
  const midnight = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  const exists = midnight.getUTCMonth() === Number(month) - 1 &&
    midnight.getUTCDate() === Number(day);
  if (!exists || h > 23 || m > 59 || s > 59 || oh > 23 || om > 59) return null;
  const offset = (sign === "-" ? -1 : 1) * (oh * 60 + om);
  const ms = Math.floor(Number(`${fraction}`.padEnd(4, "0").slice(1, 4)) || 0);
  return validDate(midnight.getTime() + ((h * 60 + m - offset) * 60 + s) * 1000 + ms);
}

function validDate(ms: number): Date | null {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? null : date;
}

const text = v.nullish(v.string(), null);
const numeric = v.nullish(
  v.pipe(v.union([v.number(), v.nan(), v.string()]), v.transform(readNumber)),
  null,
);
const Wire = v.pipe(
  v.object({
    id: text,
    task_id: v.optional(v.unknown()), // not looked at where there is an id
    user_id: text,
    user_name: text,
    created: v.nullish(
      v.pipe(v.union([v.number(), v.nan(), v.string()]), v.transform(readInstant)),
      null,
    ),
    status: text,
    duration: numeric,
    name: text,
    description: text,
    progress: numeric,
    subtask: text,
    result: text,
    result_type: text,
    error_code: v.nullish(v.union([v.string(), v.pipe(v.number(), v.transform(String))]), null),
    error_description: text,
  }),
  v.check(({ id, task_id }) => typeof (id ?? task_id) === "string"),
  v.transform((task) => ({
    taskId: task.id ?? task.task_id,
    userId: task.user_id,
    userName: task.user_name,
    created: task.created,
    status: ["pending", "running", "failed", "success"].includes(task.status ?? "")
      ? task.status
      : "unknown",
    rawStatus: task.status,
    duration: task.duration,
    name: task.name,
    description: task.description,
    progress: task.progress,
    subtask: task.subtask,
    result: task.result || null,
    resultType: task.result_type || null,
    errorCode: task.error_code,
    errorDescription: task.error_description,
  })),
);

const two = (max: number) => fc.integer({ min: 0, max }).map((n) => String(n).padStart(2, "0"));
const junk = anyText.map((text) => text.replace(/\p{N}/gu, "x"));
const wrongKind = fc.constantFrom<unknown>(true, false, {}, [], ["a"], [5], { id: "t" });
const none = fc.constantFrom(null, undefined);
/** Every form of a date, at times with a month, day, hour or minute that does not exist. */
const iso = fc.tuple(
  fc.tuple(fc.integer({ min: 1000, max: 9999 }), two(13), two(32)).map((parts) => parts.join("-")),
  fc.constantFrom("T", " "),
  fc.tuple(two(25).filter((hour) => hour !== "24"), two(60)).map((parts) => parts.join(":")),
  fc.oneof(fc.constant(""), two(61).filter((s) => s !== "60").map((s) => `:${s}`)),
  fc.oneof(fc.constant(""), fc.stringMatching(/^\.\d{1,9}$/)),
  fc.oneof(
    fc.constantFrom("", "Z"),
    fc.tuple(fc.constantFrom("+", "-"), two(14), fc.constantFrom(":00", ":30", ":45")).map((z) =>
      z.join("")
    ),
  ),
  fc.boolean(),
).map(([day, t, time, seconds, fraction, zone, whole]) =>
  whole ? `${day}${t}${time}${seconds}${seconds && fraction}${zone}` : day
);
const epoch = fc.oneof(
  fc.integer({ min: -2_000_000_000, max: 4_000_000_000 }),
  fc.integer({ min: 1e11 + 1, max: 4e12 }),
  fc.double({ min: 0, max: 4e9, noNaN: true }).map((n) => Math.round(n * 1000) / 1000),
);
const someText = fc.oneof(anyText, none);
const someNumber = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer().map(String),
  fc.stringMatching(/^-?\d{1,9}\.\d{1,6}$/),
  fc.constantFrom<unknown>(NaN, "", "NaN", "abc", "12abc", "1,5", "--1", null, undefined),
  junk,
);
const spoilt = <T>(good: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 40, arbitrary: good as fc.Arbitrary<unknown> }, {
    weight: 1,
    arbitrary: wrongKind,
  });
const textField = spoilt(fc.oneof({ weight: 60, arbitrary: someText as fc.Arbitrary<unknown> }, {
  weight: 1,
  arbitrary: fc.integer(),
}));
const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/);
const ids = fc.oneof(
  { weight: 30, arbitrary: id.map((id) => ({ id }) as Record<string, unknown>) },
  { weight: 5, arbitrary: id.map((id) => ({ task_id: id })) },
  { weight: 5, arbitrary: id.map((id) => ({ id: null, task_id: id })) },
  { weight: 1, arbitrary: wrongKind.map((id) => ({ id })) },
  { weight: 1, arbitrary: wrongKind.map((id) => ({ task_id: id })) },
  { weight: 1, arbitrary: fc.tuple(id, wrongKind).map(([id, task_id]) => ({ id, task_id })) },
  { weight: 1, arbitrary: fc.constantFrom({}, { id: null }, { id: 5 }) },
);
const dictionary = fc.tuple(
  ids,
  fc.record({
    user_id: textField,
    user_name: textField,
    created: spoilt(fc.oneof(iso, epoch, epoch.map(String), junk, none)),
    status: spoilt(fc.oneof(
      fc.constantFrom(...TaskStatus.all(), "constructor", "cancelled", "", null, undefined),
      junk,
    )),
    duration: spoilt(someNumber),
    name: textField,
    description: textField,
    progress: spoilt(someNumber),
    subtask: textField,
    result: textField,
    result_type: textField,
    error_code: spoilt(fc.oneof(someText, fc.integer())),
    error_description: textField,
    more: fc.anything(),
  }, { requiredKeys: [] }),
).map(([id, rest]): unknown => ({ ...rest, ...id }));
const input = fc.oneof({ weight: 60, arbitrary: dictionary }, {
  weight: 1,
  arbitrary: fc.oneof(
    fc.constantFrom<unknown>(null, undefined, true, 5, "t-1", [], [{}]),
    fc.anything().map((value) => [value]),
  ),
});

Deno.test("fromDict() agrees with a schema of the contract on 20,000 generated inputs", async (t) => {
  let accepted = 0;
  let refused = 0;
  const refusedFor = new Set<string>();
  const read = new Set<string>();
  await checkProperty(
    t,
    fc.property(input, (dict) => {
      const expected = v.safeParse(Wire, dict);
      if (!expected.success) {
        refused++;
        const keys = expected.issues.map(({ path }) => String(path?.[0]?.key ?? "itself"));
        if (keys.length === 1) refusedFor.add(keys.join());
        assertThrows(() => TaskInfo.fromDict(dict), TypeError);
        return;
      }
      accepted++;
      for (const [key, value] of Object.entries(expected.output)) {
        read.add(
          `${key}: ${value === null ? "null" : value instanceof Date ? "Date" : typeof value}`,
        );
      }
      assertEquals<unknown>({ ...TaskInfo.fromDict(dict) }, expected.output);
    }),
    { cases: 20_000 },
  );
  // each field, and the dictionary itself, was once all that was wrong, and once what it may be
  assertEquals([...refusedFor].sort(), [...WIRE_KEYS, "itself"].sort());
  const texts = ["userId", "userName", "rawStatus", "name", "description", "subtask", "result"];
  texts.push("resultType", "errorCode", "errorDescription");
  const kinds = texts.flatMap((name) => [`${name}: null`, `${name}: string`]);
  for (const name of ["duration", "progress"]) kinds.push(`${name}: null`, `${name}: number`);
  kinds.push("created: null", "created: Date", "taskId: string", "status: string");
  assertEquals([...read].sort(), kinds.sort());
  // a generator that makes one kind alone would show nothing
  assert(accepted > 5_000 && refused > 1_000, `${accepted} accepted, ${refused} refused`);
});

Deno.test("fromDict(toDict(x)) equals x but for rawStatus on 10,000 generated tasks", async (t) => {
  const tasks = dictionary.filter((dict) => v.is(Wire, dict));
  await checkProperty(
    t,
    fc.property(tasks, (dict) => {
      const info = TaskInfo.fromDict(dict);
      const { rawStatus, ...rest } = info;
      const again = TaskInfo.fromDict(info.toDict());
      assertEquals({ ...again }, { ...rest, rawStatus: again.rawStatus });
      if (info.status !== "unknown") assertEquals(again.rawStatus, rawStatus);
      assertEquals(Object.keys(info.toDict()), WIRE_KEYS);
    }),
  );
});
