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
