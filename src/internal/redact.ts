/** Keeps the token out of errors, tasks and logs. */
import { sanitizeText } from "./text.ts";

/** Creates error options with a cause, or a placeholder when printing the cause might show the token. */
export function redactCause(cause: unknown, token: string | undefined): ErrorOptions {
  if (cause === undefined) return {};
  if (token === undefined || !containsText(cause, token)) return { cause };
  return { cause: new Error("left out, because it may contain the token") };
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

/**
 * Returns the reason that the runtime gives for a failure, without URLs and the token; `""` if there is
 * none. The innermost error of the chain has it: `fetch` itself only says "fetch failed".
 */
export function describeCause(cause: unknown, token: string): string {
  let reason = "";
  let error = cause as { message?: unknown; cause?: unknown; errors?: unknown } | undefined;
  for (let depth = 0; depth < 5 && typeof error === "object" && error; depth++) {
    if (typeof error.message === "string" && error.message) reason = error.message;
    const { errors } = error;
    error = (Array.isArray(errors) ? errors[0] : error.cause) as typeof error;
  }
  if (containsText(cause, token)) return "";
  return sanitizeText(
    reason.slice(0, 2_000)
      // Deno: "error sending request for url (…): client error (Connect): …"
      .replace(/^error sending .*?\): (client .*?\): )?/, "")
      .replace(/\b[a-z]+:\/\/\S+/gi, "[url]"),
  ).trim();
}

/** Parses JSON after replacing an echoed token with `[token]`; returns `undefined` for invalid JSON. */
export function parseJsonRedacted(text: string | undefined, token: string): unknown {
  try {
    const plain = text?.includes("\\") ? JSON.stringify(JSON.parse(text)) : text ?? "";
    // a server that echoes the token must not bring it into an error, a task or a log; a token too
    // short to be a secret could be part of any word
    const echo = JSON.stringify(token).slice(1, -1);
    return JSON.parse(token.length < 8 ? plain : plain.replaceAll(echo, "[token]"));
  } catch {
    return undefined;
  }
}
