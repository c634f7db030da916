// TaskInfo against the contract's words as a valibot schema, which shares nothing with src/.
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import * as v from "valibot";
import { TaskInfo, TaskStatus } from "../../mod.ts";
import { WIRE_KEYS } from "../helpers/client.ts";
import { anyText, checkProperty } from "../helpers/property.ts";

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
