// What is read as a time is the same in any time zone. A process each: files of tests run side by side
// in one, which has one zone.
import { assertEquals } from "@std/assert";
import { start } from "../helpers/process.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

/** The three forms of a date in `Retry-After`: 90 s after {@linkcode NOW}. */
const RETRY_AFTER = [
  "Fri, 02 Jan 2026 03:05:35 GMT",
  "Friday, 02-Jan-26 03:05:35 GMT",
  "Fri Jan  2 03:05:35 2026",
];

/** Times without an offset, and what each is in UTC. */
const CREATED = [
  ["2026-01-02T03:04:05", "2026-01-02T03:04:05.000Z"],
  ["2026-01-02 03:04:05.678901", "2026-01-02T03:04:05.678Z"],
  ["2026-07-02", "2026-07-02T00:00:00.000Z"],
] as const;

const SCRIPT = `
  import { TaskInfo } from "./mod.ts";
  import { parseRetryAfter } from "./src/internal/retry_after.ts";
  const created = (text) => TaskInfo.fromDict({ id: "t-1", created: text }).created;
  const [dates, times, now] = ${JSON.stringify([RETRY_AFTER, CREATED.map(([it]) => it), NOW])};
  console.log(JSON.stringify({
    offset: new Date(2026, 0, 1).getTimezoneOffset(),
    waits: dates.flatMap((date) => [
      parseRetryAfter(date, { now }),
      parseRetryAfter(date, { now: now + 90_000 }),
    ]),
    times: times.map(created),
  }));
`;

for (const [TZ, offset] of [["UTC", 0], ["America/New_York", 300]] as const) {
  Deno.test(`Retry-After and created without an offset are read as UTC, in the zone ${TZ}`, async () => {
    await using child = start(Deno.execPath(), ["run", "--no-prompt", "-"], { TZ }, SCRIPT);
    assertEquals([(await child.status).code, child.output.stderr], [0, ""]);
    assertEquals(JSON.parse(child.output.stdout), {
      offset,
      waits: RETRY_AFTER.flatMap(() => [90_000, 0]),
      times: CREATED.map(([, utc]) => utc),
    });
  });
}
