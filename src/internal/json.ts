/** Parsing the bodies of responses. */

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
