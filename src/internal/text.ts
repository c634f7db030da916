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
 * status page embeds its source: it refers to nothing outside itself and has no named inner function,
 * which esbuild's `keepNames` (the default of wrangler) would wrap in a helper.
 */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [d, h, m, s] = [seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60]
    .map((value) => String(Math.floor(value)).padStart(2, "0"));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Number(m)} min ${s} s`;
  return seconds < 86_400 ? `${Number(h)} h ${m} min` : `${Number(d)} d ${h} h`;
}
