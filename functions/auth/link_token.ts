/** Signed, read-only links to one task: `v1.<payload>.<mac>`, valid until they expire. */
import { decodeBase64Url, encodeBase64Url } from "../../src/internal/base64.ts";
import { lazyKeys, signHmac } from "../../src/internal/standard_webhooks.ts";
import type { TaskIds } from "../http/task_ids.ts";

/** Creates and verifies the tokens of links. */
export interface LinkSigner {
  /**
   * Creates the token of a task. It stays the same for an eighth of its lifetime, so that a response
   * with it keeps its `ETag`. Hence it is valid for at least seven eighths of the lifetime.
   */
  createToken(ids: TaskIds): Promise<string>;
  /** Returns the task of a token, or `undefined` if the token is invalid or expired. */
  verifyToken(token: string): Promise<TaskIds | undefined>;
}

/** Options of {@linkcode createLinkSigner}. */
export interface LinkSignerOptions {
  /** `whsec_` and the base64 of 24 to 64 bytes each. The first signs, all verify. */
  secrets: readonly string[];
  /** Lifetime of a link in ms. @default 86_400_000 */
  ttl?: number | undefined;
  /** The clock, in ms since 1970. */
  now: () => number;
}

/** Longer than a token of three ids of 128 characters. Bounds the HMACs of wrong tokens. */
const MAX_TOKEN_LENGTH = 1_000;

/** At most about 300 kB. */
const MAX_CACHED_TOKENS = 1_000;

/** The payload's values as JSON: the secret may have signed other things, too. */
const PAYLOAD = /^(."[\w-]{1,128}"){3},\d+]$/;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Parses a payload. Returns `undefined` if it is malformed or expired. */
function parsePayload(payload: string, now: number): TaskIds | undefined {
  try {
    const { o, w, t, exp } = JSON.parse(payload);
    return PAYLOAD.test(JSON.stringify([o, w, t, exp])) && now < exp * 1_000
      ? { organizationId: o, workspaceId: w, taskId: t }
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Creates a link signer. The signed text is `v1.<payload>` with a single dot, so a webhook signature
 * (over `id.timestamp.body`) is never valid for a link, even with the same secret.
 *
 * @throws {RangeError} when a secret is malformed; the message does not contain it
 */
export function createLinkSigner(
  { secrets, ttl = 86_400_000, now }: LinkSignerOptions,
): LinkSigner {
  const importKeys = lazyKeys(secrets);
  // polls of the same task get the same link, and an HMAC costs a third of a response
  const tokenCache = new Map<string, string>();
  return {
    async createToken({ organizationId, workspaceId, taskId }) {
      const step = ttl / 8;
      const exp = Math.floor(Math.floor((now() + ttl) / step) * step / 1_000);
      const payload = JSON.stringify({ o: organizationId, w: workspaceId, t: taskId, exp });
      let token = tokenCache.get(payload);
      if (token === undefined) {
        const [key] = await importKeys();
        if (!key) throw new RangeError("Cannot create a link: no secret is configured");
        const signed = `v1.${encodeBase64Url(encoder.encode(payload))}`;
        token = `${signed}.${encodeBase64Url(await signHmac(key, encoder.encode(signed)))}`;
        if (tokenCache.size >= MAX_CACHED_TOKENS) tokenCache.clear();
        tokenCache.set(payload, token);
      }
      return token;
    },
    async verifyToken(token) {
      if (token.length > MAX_TOKEN_LENGTH) return undefined;
      const match = /^(v1\.([\w-]+))\.([\w-]{43})$/.exec(token);
      const [, signed = "", payload = "", mac = ""] = match ?? [];
      const [payloadBytes, macBytes] = [decodeBase64Url(payload), decodeBase64Url(mac)];
      if (!match || !payloadBytes || !macBytes) return undefined;
      for (const key of await importKeys()) {
        if (await crypto.subtle.verify("HMAC", key, macBytes, encoder.encode(signed))) {
          return parsePayload(decoder.decode(payloadBytes), now());
        }
      }
      return undefined;
    },
  };
}
