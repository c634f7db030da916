/** Keeps the token out of the errors of runtimes and token functions. */
import { sanitizeText } from "./text.ts";

/** The cause of a failure, without the token. */
export interface RedactedCause extends ErrorOptions {
  /** The reason that the runtime gives, without URLs; `""` if there is none. */
  readonly reason: string;
}

/** Returns the cause of a failure, or a placeholder when printing the cause might show the token. */
export function redactCause(cause: unknown, token: string | undefined): RedactedCause {
  if (cause === undefined) return { reason: "" };
  if (token === undefined || !containsText(cause, token)) return { reason: reasonOf(cause), cause };
  return { reason: "", cause: new Error("left out, because it may contain the token") };
}

// Looks through errors, plain objects and arrays, as a print would. Anything else with parts inside
// (a Headers, a Map, a promise), and anything large, counts as containing the token.
function containsText(value: unknown, text: string, seen = new Set<unknown>()): boolean {
  const composite = typeof value === "object" || typeof value === "function";
  if (!composite || value === null) return String(value).includes(text);
  // bytes print as numbers
  if (seen.has(value) || ArrayBuffer.isView(value)) return false;
  try {
    // by its tag: an error may come from another realm
    const kind = Object.prototype.toString.call(value);
    const keys = [...Reflect.ownKeys(value), "name", "message"]; // these two may be inherited
    if (!/ (Error|DOMException|Object|Array)]/.test(kind)) return true;
    if (keys.length + seen.add(value).size > 500) return true;
    return keys.some((key) =>
      containsText(key, text, seen) || containsText(Reflect.get(value, key), text, seen)
    );
  } catch {
    return true;
  }
}

/** Returns the message of the innermost error of the chain: `fetch` itself only says "fetch failed". */
function reasonOf(cause: unknown): string {
  let reason = "";
  let error = cause as { message?: unknown; cause?: unknown; errors?: unknown } | undefined;
  for (let depth = 0; depth < 5 && typeof error === "object" && error; depth++) {
    if (typeof error.message === "string" && error.message) reason = error.message;
    const { errors } = error;
    error = (Array.isArray(errors) ? errors[0] : error.cause) as typeof error;
  }
  return sanitizeText(
    reason.slice(0, 2_000)
      // Deno: "error sending request for url (…): client error (Connect): …"
      .replace(/^error sending .*?\): (client .*?\): )?/, "")
      .replace(/\b[a-z]+:\/\/\S+/gi, "[url]"),
  ).trim();
}
