/** Reading `Retry-After` headers. */

/**
 * Reads a `Retry-After` header. Source: RFC 9110, 10.2.3 (seconds, or a date in one of the three
 * forms of 5.6.7).
 *
 * @returns milliseconds, or undefined when it is missing or unreadable
 */
export function parseRetryAfter(header: string | null, now = Date.now()): number | undefined {
  const value = header?.trim() ?? "";
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  // engines read nearly any text as some date; the weekday in front tells the three forms
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*\d\d:\d\d:\d\d/.test(value)) return undefined;
  const date = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
