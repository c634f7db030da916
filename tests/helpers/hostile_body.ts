// Generators of the bodies that an attacker may send.
import fc from "fast-check";
import { hostile, hostileId, hostileUrl, id } from "./hostile.ts";

/** JSON that is not what `JSON.stringify` would make: its members may repeat, or be anyhow. */
const jsonText = fc.oneof(
  { weight: 3, arbitrary: id.map((id) => JSON.stringify(id)) },
  { weight: 2, arbitrary: fc.oneof(hostileId, hostileUrl, hostile).map((text) => `"${text}"`) },
  { weight: 2, arbitrary: fc.oneof(hostileId, hostileUrl).map((text) => JSON.stringify(text)) },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...["true", "false", "null", '"accepted"', '"retry"', "{}", "[]", "", "NaN", "'x'"],
      ...["1e999", "-1e999", "-0", "9".repeat(400), "0.".padEnd(300, "1"), "01", "0x1"],
      ...['"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\ud800"', '"\\x"', '{"__proto__":{}}'],
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.integer({ min: 1, max: 9_000 }), fc.constantFrom("[]", '{"a":}')).map(
      ([depth, pair]) => pair.slice(0, -1).repeat(Math.min(depth, 18_000 / pair.length)) + "1",
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 9_000 }).map((depth) =>
      "[".repeat(depth) + "]".repeat(depth)
    ),
  },
);
const member = fc.tuple(
  fc.oneof(
    fc.constantFrom("organization_id", "workspace_id", "task_id", "url", "raise_on_error"),
    fc.constantFrom("pending", "type", "data", "timestamp", "info", "task"),
    fc.constantFrom("__proto__", "constructor", ""),
    fc.constantFrom("toString", "hasOwnProperty", "then", "toJSON", "length", "\ud800", "0"),
  ),
  jsonText,
).map(([name, value]) => `${JSON.stringify(name)}:${value}`);
/** Enough to be answered, unless a member after it takes the place of one. */
const enough = fc.tuple(id, id, fc.constantFrom("ids", "info", "task")).map(
  ([workspace, task, form]) => {
    if (form === "ids") return `"workspace_id":"${workspace}","task_id":"${task}"`;
    const dict = `"workspace_id":"${workspace}","info":{"id":"${task}","name":null}`;
    return form === "info" ? dict : `"task":{${dict}}`;
  },
);
const object = fc.tuple(fc.option(enough, { nil: undefined }), fc.array(member, { maxLength: 4 }))
  .map(([first, rest]) => `{${[...first ? [first] : [], ...rest].join(",")}}`);
const wrapped = fc.tuple(object, fc.integer({ min: 0, max: 3 }), fc.constantFrom(...["", "x"]))
  .map(([data, levels, type]) => {
    let text = data;
    for (let level = 0; level < levels; level++) {
      text = `{"type":"${type}","timestamp":"2026-01-01T00:00:00Z","data":${text}}`;
    }
    return text;
  });
const utf8 = new TextEncoder();
/** Generates bodies of requests, most of them JSON, some of which name a task. */
export const hostileBody: fc.Arbitrary<Uint8Array<ArrayBuffer>> = fc.oneof(
  { weight: 6, arbitrary: fc.oneof(object, wrapped).map((text) => utf8.encode(text)) },
  { weight: 1, arbitrary: jsonText.map((text) => utf8.encode(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  // a few bytes of JSON are others, or it ends early
  {
    weight: 2,
    arbitrary: fc.tuple(
      object,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
      fc.nat(),
    )
      .map(([text, changes, end]) => {
        const bytes = utf8.encode(text);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        return end % 4 === 0 ? bytes.slice(0, end % bytes.length) : bytes;
      }),
  },
  // other encodings, and sizes about the limit
  {
    weight: 1,
    arbitrary: fc.tuple(object, fc.constantFrom("\ufeff", "", " ")).map(([text, first]) =>
      new Uint8Array(Uint16Array.from(first + text, (unit) => unit.charCodeAt(0)).buffer)
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(object, fc.integer({ min: 19_990, max: 20_010 }), fc.boolean()).map(
      ([text, size, mark]) => utf8.encode((mark ? "\ufeff" : "") + text.padEnd(size)),
    ),
  },
);
