/**
 * Formatting of times, on the server and in the page's script. The script contains the source of these
 * functions, so each must be self-contained.
 */

/** Formats a duration with its two largest units. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [d, h, m, s] = [86_400, 3_600, 60, 1].map((unit, i, units) =>
    Math.floor(seconds % (units[i - 1] ?? Infinity) / unit)
  );
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${s} s` : `${s} s`;
}

/** Formats a date and time, by default in the local time zone. */
export function formatDateTime(date: Date, timeZone?: string): string {
  return date.toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
    ...(timeZone && { timeZone }),
  });
}
