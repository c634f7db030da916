/** Secrets of webhooks: `whsec_` and the base64 of 24 to 64 bytes. No message contains a secret. */
import { decodeBase64, encodeBase64, padBase64 } from "./base64.ts";

const PREFIX = "whsec_";

/**
 * Splits a comma-separated list of secrets, or of `name=secret` entries. Some issuers print `v1,` in
 * front of a secret; it is removed. White space around an entry is removed, except new lines.
 */
export function splitSecrets(text: string): string[] {
  const entries = text.replace(/(^|[,=])[ \t]*v1,/g, "$1").split(",");
  return entries.map((entry) => /[\r\n]/.test(entry) ? entry : entry.trim());
}

/** Decodes a secret. Returns its bytes, or the problem, to follow a name such as "each secret". */
function readSecret(secret: string): Uint8Array<ArrayBuffer> | string {
  if (/["'`]/.test(secret)) return "must not contain quotes";
  if (/[\r\n]/.test(secret)) return "must not contain new lines";
  if (!secret.startsWith(PREFIX)) return "must begin with whsec_";
  const base64 = secret.slice(PREFIX.length);
  const key = decodeBase64(padBase64(base64));
  if (key && key.length >= 24 && key.length <= 64) return key;
  return /[-_]/.test(base64)
    ? "must be base64, not base64url"
    : "must be whsec_ and the base64 of 24 to 64 bytes";
}

/** Returns the problem of a secret, or `undefined` for a well-formed one. */
export function findSecretProblem(secret: string): string | undefined {
  const read = readSecret(secret);
  return typeof read === "string" ? read : undefined;
}

/**
 * Decodes the key of a secret.
 *
 * @throws {RangeError} when the secret is malformed
 */
export function decodeSecret(secret: string): Uint8Array<ArrayBuffer> {
  const read = readSecret(secret);
  if (typeof read === "string") throw new RangeError(`A webhook secret ${read}`);
  return read;
}

/**
 * Adds the padding to a secret, so that equal secrets are equal texts.
 *
 * @throws {RangeError} when the secret is malformed
 */
export function normalizeSecret(secret: string): string {
  return PREFIX + encodeBase64(decodeSecret(secret));
}
