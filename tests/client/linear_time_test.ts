// Parsers of input from outside take time linear in its size.
import { assert, assertEquals } from "@std/assert";
import { Credentials, parseTaskUrl, Task, TaskInfo } from "../../mod.ts";
import { parseRetryAfter } from "../../src/internal/retry_after.ts";

const SIZE = 500_000;
/** Linear parsers take about 5 ms; a quadratic one takes minutes. */
const MAX_MS = 500;

const repeat = (text: string) => text.repeat(SIZE / text.length);
const SHAPES: Record<string, string> = {
  digits: `${repeat("1")}x`,
  "digits and a fraction": `${repeat("1")}.${repeat("1")}x`,
  "an exponent": `1e${repeat("1")}x`,
  "spaces in front": `${repeat(" ")}x`,
  "spaces behind": `1${repeat(" ")}x`,
  "spaces between": repeat("1 "),
  signs: repeat("+-"),
  dots: repeat("1."),
  "a long fraction of a second": `2026-01-01T00:00:00.${repeat("1")}x`,
  "spaces before an offset": `2026-01-01T00:00:00${repeat(" ")}x`,
  commas: repeat("1,"),
  weekdays: repeat("Mon, "),
  "a weekday and letters": `Mon${repeat("a")}`,
  times: `Mon, ${repeat("00:00:")}`,
  slashes: repeat("/"),
  "half an escape": repeat("%2"),
  quotes: repeat('\\"'),
  brackets: repeat("["),
};

function milliseconds(work: () => void): number {
  const startedAt = performance.now();
  try {
    work();
  } catch {
    // refused, which is as good as read
  }
  return performance.now() - startedAt;
}

const FIELDS = ["duration", "progress", "created", "name", "result", "error_code", "status", "id"];
const PARSERS: Record<string, (text: string) => void> = {
  ...Object.fromEntries(
    FIELDS.map((field) => [field, (text) => TaskInfo.fromDict({ id: "t-1", [field]: text })]),
  ),
  "Retry-After": (text) => parseRetryAfter(text),
  Date: (text) => parseRetryAfter("Fri, 02 Jan 2026 03:04:35 GMT", { date: text }),
  "a task URL": (text) => parseTaskUrl(text),
  "a path": (text) => parseTaskUrl(`https://app.deepint.net/o/${text}`),
  "a query": (text) => parseTaskUrl(`https://app.deepint.net/o/o-1/workspace?ws=${text}`),
  "an instance": (text) => new Credentials({ token: "a-token", instance: text }),
};

for (const [name, parse] of Object.entries(PARSERS)) {
  Deno.test(`reading ${name} takes time linear in its size`, () => {
    for (const [shape, text] of Object.entries(SHAPES)) {
      const ms = milliseconds(() => parse(text));
      assert(ms < MAX_MS, `${shape}: ${Math.round(ms)} ms`);
    }
  });
}

Deno.test("a duration of digits and a letter is null", () => {
  assertEquals(TaskInfo.fromDict({ id: "t-1", duration: `${repeat("1")}x` }).duration, null);
});

Deno.test("reading an error response takes time linear in its size", async () => {
  for (const [shape, text] of Object.entries(SHAPES)) {
    const startedAt = performance.now();
    const fetch = () =>
      Promise.resolve(
        Response.json({ code: text, message: text }, {
          status: 400,
          headers: { "content-type": "text/html" },
        }),
      );
    const dict = { organization_id: "o-1", workspace_id: "w-1", task_id: "t-1" };
    const credentials = new Credentials({ token: "a-token-for-tests" });
    await Task.fromDict(dict, { credentials, fetch }).load().catch(() => {});
    const ms = performance.now() - startedAt;
    assert(ms < MAX_MS, `${shape}: ${Math.round(ms)} ms`);
  }
});
