// The parser of the header `Retry-After`, by example. `retry_after_test.ts` has the properties.
import { assert, assertEquals } from "@std/assert";
// users see only its result
import { parseRetryAfter } from "../../src/internal/retry_after.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

Deno.test("Retry-After is read as seconds, with decimals rounded up", () => {
  const values = {
    "0": 0,
    "1": 1_000,
    "120": 120_000,
    " 120 ": 120_000,
    "007": 7_000,
    "60.0": 60_000,
    "59.997": 60_000,
    "1.5": 2_000,
    "0.001": 1_000,
    "0.0": 0,
  };
  for (const [value, ms] of Object.entries(values)) assertEquals(parseRetryAfter(value), ms, value);
});

Deno.test("the largest value of a joined Retry-After counts", () => {
  const values = {
    "60, 60": 60_000,
    "120, 60": 120_000,
    "5, 60.2 ,7": 61_000,
    "1,000": 1_000,
    "soon, 30": 30_000,
    "-5, 10": 10_000,
    "10, Fri, 02 Jan 2026 03:05:35 GMT": 90_000,
    "Fri, 02 Jan 2026 03:05:35 GMT, Fri, 02 Jan 2026 03:04:35 GMT": 90_000,
  };
  for (const [value, ms] of Object.entries(values)) {
    assertEquals(parseRetryAfter(value, { now: NOW }), ms, value);
  }
});

Deno.test("a Retry-After date is relative to the response's own Date", () => {
  const header = "Fri, 02 Jan 2026 03:04:35 GMT";
  const date = "Fri, 02 Jan 2026 03:04:05 GMT";
  const now = Date.UTC(2026, 0, 2, 1, 0, 0);
  assertEquals(parseRetryAfter(header, { date, now }), 30_000);
  assertEquals(parseRetryAfter(header, { date: "garbage", now }), 7_475_000);
  assertEquals(parseRetryAfter("7", { date, now }), 7_000);
});

Deno.test("a Retry-After date that has passed is a delay of 0", () => {
  const dates = [
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
  ];
  for (const date of dates) assertEquals(parseRetryAfter(date, { now: NOW }), 0, date);
});

Deno.test("a Retry-After date is relative to the current time", () => {
  const in30 = new Date(Date.now() + 30_000).toUTCString();
  const ms = parseRetryAfter(in30);
  assert(ms !== undefined && ms > 20_000 && ms <= 30_000, `${ms}`);
});

Deno.test("Retry-After is never shortened, however long", () => {
  assertEquals(parseRetryAfter("86400", { now: NOW }), DAY);
  assertEquals(parseRetryAfter("1000000000", { now: NOW }), 1e12);
  assertEquals(parseRetryAfter("Sat, 02 Jan 2027 03:04:05 GMT", { now: NOW }), 365 * DAY);
  const huge = parseRetryAfter("9".repeat(400), { now: NOW });
  assert(huge !== undefined && huge > 1e12, `${huge}`);
});

Deno.test("Retry-After that is missing or unreadable is undefined", () => {
  const garbage = [
    "",
    " ",
    "-5",
    "-1000000000",
    "+5",
    "1e9",
    "0x10",
    "5s",
    "5 seconds",
    "soon",
    "NaN",
    "Infinity",
    "null",
    "GMT",
    "2026-01-02",
    "2026-01-02T03:05:35Z",
    "Jan 2",
    "1 Jan 2027",
    "Mon",
    "Fri, 02 Jan 2026",
    "Fri, 02 Foo 2026 03:05:35 GMT",
    "Fri, 99 Jan 2026 03:05:35 GMT",
    "Fri, 02 Jan 2026 99:05:35 GMT",
    "٥",
  ];
  assertEquals(parseRetryAfter(null, { now: NOW }), undefined);
  for (const value of garbage) assertEquals(parseRetryAfter(value, { now: NOW }), undefined, value);
});
