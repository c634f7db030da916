/** Reading `Retry-After` headers. */

const HTTP_DATE = /^[MTWFS][a-z]+,? .*\d\d:\d\d:\d\d/;
// a comma separates values, except the one between a weekday and a date
const LIST_ITEMS = /\s*(?:[MTWFS][a-z]+, (?=\d\d?[ -][A-Z]))?[^,]+/g;

// engines read nearly any text as some date; the weekday in front identifies the three forms
function parseHttpDate(text: string): number {
  return HTTP_DATE.test(text) ? Date.parse(text.endsWith("GMT") ? text : `${text} GMT`) : NaN;
}

/**
 * Parses a `Retry-After` header: seconds, also with decimals, or a date in one of the three forms of RFC
 * 9110, 5.6.7. A joined list has its largest value. A date is relative to `date`, the response's own
 * `Date` header, or else to `now`.
 *
 * @returns milliseconds, or `undefined` if the header is missing or unreadable
 */
export function parseRetryAfter(
  header: string | null,
  { date, now = Date.now() }: { date?: string | null; now?: number } = {},
): number | undefined {
  if (!header) return undefined;
  const base = parseHttpDate(date?.trim() ?? "");
  let longest: number | undefined;
  for (const [item] of header.matchAll(LIST_ITEMS)) {
    const text = item.trim();
    const ms = /^\d+(\.\d+)?$/.test(text)
      ? Math.ceil(Number(text)) * 1_000
      : Math.max(0, parseHttpDate(text) - (base || now));
    if (ms >= 0) longest = Math.max(longest ?? 0, ms);
  }
  return longest;
}
