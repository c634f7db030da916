// The forms of a task's `created` that are read.
import { assertEquals } from "@std/assert";
import { TaskInfo } from "../../mod.ts";

function createdOf(created: unknown): string | null {
  return TaskInfo.fromDict({ id: "t-1", created }).created?.toISOString() ?? null;
}

Deno.test("created is read from ISO 8601 with Z, with an offset, as UTC without one, and with microseconds", () => {
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
