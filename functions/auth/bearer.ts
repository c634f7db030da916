// Not hono/bearer-auth: +1,045 B; answers 400 to a malformed header, stops at the first match, hashes
// every key per request.
/** Bearer keys. */

/** Compares texts in a time that depends on their lengths only. */
function timingSafeEqualText(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let i = 0; i < expected.length; i++) {
    difference |= given.charCodeAt(i) ^ expected.charCodeAt(i); // NaN past the end counts as 0
  }
  return difference === 0;
}

/**
 * Creates the check of an `Authorization` header against the configured keys. Every header is compared
 * in full with every key, so the time taken shows lengths at most.
 *
 * @param keys any number of keys, for rotation; without keys the check never passes
 */
export function bearerVerifier(keys: readonly string[]): (authorization: string) => boolean {
  return function isBearer(authorization) {
    const given = /^bearer +([^ ].*)$/i.exec(authorization)?.[1];
    if (given === undefined) return false;
    let found = false;
    for (const key of keys) found = timingSafeEqualText(given, key) || found; // no early exit
    return found;
  };
}
