// Generators of task URLs and ids, and of what an attacker makes of them.
import fc from "fast-check";
import { type TaskLocation, taskUrl } from "../../mod.ts";

/** Ids of the two forms that occur. */
export const UUID = "8a3f1c52-6d0e-4a57-9b1c-0d4c2e7f9a11";
export const LONG_ID = "00000181d3c6b79d-ebbd4d36-3f01b009-dddd65d2";

/** A good id. */
export const id: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(UUID, LONG_ID, "task-1"),
  fc.stringMatching(/^[A-Za-z0-9_-]{1,128}$/),
);
/** An instance in its one form. */
export const instance: fc.Arbitrary<string> = fc.constantFrom(
  "app.deepint.net",
  "app.deepint.net:8443",
  "other.example",
  "http://127.0.0.1:8000",
  "http://[::1]:8000",
  "http://localhost",
);
/** Location of a task. */
export const location: fc.Arbitrary<TaskLocation> = fc.record({
  instance,
  organizationId: id,
  workspaceId: id,
  taskId: id,
}, { noNullPrototype: true }); // a plain object, to compare with what `parseTaskUrl()` returns

/** The API URL of a task. */
export function apiUrl({ instance, workspaceId, taskId }: TaskLocation, tasks = "task"): string {
  const origin = instance.includes("://") ? instance : `https://${instance}`;
  return `${origin}/api/v1/workspace/${workspaceId}/${tasks}/${taskId}`;
}

/** Text that means something to whoever reads a URL. */
export const hostile: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    "..",
    "/../",
    "/..",
    "../../",
    "../",
    "%2e%2e",
    "%2E%2e/",
    "/%2e%2e/",
    "%2f",
    "%2F..",
    "//host.example",
    "//",
    "/",
    "\\",
    "\\\\host.example",
    "@",
    "user@",
    "user:word@",
    "@host.example",
    "#",
    "?",
    "&",
    "=",
    ";",
    ":",
    ":8443",
    "?ws=other",
    "&ws=other",
    "&s=task",
    "&s=source",
    "&i=other",
    "&i=",
    "&%69=other",
    "/task/other",
    "/tasks/",
    "/api/v1/workspace/other/task/other",
    "https://",
    "http://",
    "javascript:",
    ".evil.example",
    "%",
    "%00",
    "%0d%0a",
    "%zz",
    "\u0000",
    "\t",
    "\r\n",
    "\u007f",
    " ",
    "\u00a0",
    "\u200b",
    "\u202e",
    "\u2028",
    "\ufeff",
    "\uff0f",
    "\u3002",
    "é",
    "ſ",
    "任务",
    "😀",
    "\ud800",
    "[",
    "]",
    "[::1]",
    "x".repeat(129),
  ),
  fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 4 }).map((units) =>
    String.fromCharCode(...units)
  ),
);
/** Text of which hostile text takes the place of a piece, up to three times, or none. */
export function spoilt(good: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const where = fc.double({ min: 0, max: 1, noNaN: true });
  const changes = fc.array(fc.tuple(where, fc.nat(6), hostile), { maxLength: 3 });
  return fc.tuple(good, changes).map(([text, changes]) =>
    changes.reduce((text, [where, length, piece]) => {
      const at = Math.floor(where * (text.length + 1));
      // half of them only add
      return text.slice(0, at) + piece + text.slice(at + Math.max(0, length - 3));
    }, text)
  );
}

/** A task's URL, spoilt. */
export const hostileUrl: fc.Arbitrary<string> = spoilt(
  fc.tuple(location, fc.constantFrom("web", "task", "tasks")).map(([location, form]) =>
    form === "web" ? taskUrl(location).href : apiUrl(location, form)
  ),
);

/** Generates ids; most are valid, so that not all requests are refused. */
export const hostileId: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: id },
  { weight: 2, arbitrary: spoilt(id) },
  { weight: 1, arbitrary: hostile },
  { weight: 1, arbitrary: fc.constantFrom("__proto__", "constructor", "undefined", "null", "-") },
);
