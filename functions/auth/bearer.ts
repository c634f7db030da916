// Not hono/bearer-auth: +1,045 B; answers 400 to a malformed header, stops at the first match, hashes
// every key per request.
/** API keys, in `X-API-Key` or as bearer. */
import { timingSafeEqual } from "../../src/internal/standard_webhooks.ts";

/**
 * Creates the check of a given key against the configured ones. It compares with every key in full, so
 * the time taken shows lengths at most.
 *
 * @param keys any number of keys, for rotation; without keys the check never passes
 */
export function keyVerifier(keys: readonly string[]): (given: string | undefined) => boolean {
  return function isKey(given) {
    if (!given) return false;
    let found = false;
    for (const key of keys) found = timingSafeEqual(given, key) || found; // no early exit
    return found;
  };
}

/** Returns the key in an `Authorization` header, if its scheme is `Bearer`. */
export function parseBearer(authorization = ""): string | undefined {
  return /^bearer +([^ ].*)$/i.exec(authorization)?.[1];
}
