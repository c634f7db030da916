/** Text for messages, logs and terminals. */

/**
 * Makes text safe to print: truncates it to `max` characters and replaces control, format and
 * line-separator characters with spaces.
 */
export function sanitizeText(text: string, max = 200): string {
  return text.slice(0, max).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, " ");
}

/** Quotes an offending value for a message. */
export function quote(value: unknown): string {
  return typeof value === "string" ? `"${sanitizeText(value)}"` : sanitizeText(String(value));
}

/** Creates the error for an argument that is out of range. */
export function outOfRange(name: string, value: unknown, wanted: string): RangeError {
  return new RangeError(`Cannot use ${name} ${quote(value)}: it must be ${wanted}`);
}

/** Quotes a value that may hold credentials: drops user info and the query. */
export function quoteRedacted(value: unknown): string {
  const text = String(value);
  return text.includes("@") ? "…" : quote(text.replace(/[?#].*/s, ""));
}

/**
 * Formats a duration in its two largest units: `45 s`, `3 min 05 s`, `2 h 07 min`, `1 d 03 h`. The
 * status page embeds its source, so it refers to nothing outside itself.
 */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const padded = (value: number) => String(Math.floor(value)).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${padded(seconds % 60)} s`;
  if (seconds < 86_400) {
    return `${Math.floor(seconds / 3_600)} h ${padded(seconds % 3_600 / 60)} min`;
  }
  return `${Math.floor(seconds / 86_400)} d ${padded(seconds % 86_400 / 3_600)} h`;
}
