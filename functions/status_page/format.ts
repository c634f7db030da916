/** Formats a date and time, by default in the local time zone. The page's script contains its source. */
export function formatDateTime(date: Date, timeZone?: string): string {
  return date.toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
    ...(timeZone && { timeZone }),
  });
}
