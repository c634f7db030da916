/** Verification of signed requests with the configured secrets. */
import {
  importKey,
  lazyKeys,
  parseSignatureHeaders,
  type SignatureHeaders,
  type SignatureProblem,
  verifySignature,
} from "../../src/internal/standard_webhooks.ts";
import { decodeSecret } from "../../src/internal/webhook_secret.ts";
import { explainMismatch } from "./diagnosis.ts";

/** Minimum time between two diagnoses: anyone can cause one. */
const DIAGNOSIS_INTERVAL_MS = 1_000;

interface WebhookVerifier {
  /** Parses the signature headers, before the body is read. */
  parse(headers: Headers): SignatureHeaders | SignatureProblem;
  /** Returns `true` if a signature matches the body: one HMAC per secret. */
  verify(signature: SignatureHeaders, body: Uint8Array): Promise<boolean>;
  /** Explains a signature that `verify` refused, for the log; at most once a second. */
  explain(signature: SignatureHeaders, body: Uint8Array): Promise<string | undefined>;
}

/**
 * Creates a verifier of webhook requests: HMAC-SHA256 over `id.timestamp.body`, as in the Standard
 * Webhooks specification.
 *
 * @param secrets any number of secrets, for rotation; without secrets no request passes
 * @param now the clock, in ms since 1970
 * @throws {RangeError} when a secret is malformed; the message does not contain it
 */
export function webhookVerifier(
  secrets: readonly string[],
  now: () => number = Date.now,
): WebhookVerifier {
  const importKeys = lazyKeys(secrets);
  let diagnosedAt = -Infinity;
  return {
    parse: (headers) => parseSignatureHeaders(headers, { now: now() }),
    verify: async (signature, body) => await verifySignature(signature, body, await importKeys()),
    async explain(signature, body) {
      if (Math.abs(now() - diagnosedAt) < DIAGNOSIS_INTERVAL_MS) return undefined;
      diagnosedAt = now();
      return await explainMismatch({
        body,
        secrets: secrets.map((text) => ({ text, key: decodeSecret(text) })),
        verify: async (other, keys) =>
          await verifySignature(signature, other, await Promise.all(keys.map(importKey))),
      });
    },
  };
}
