// Not standardwebhooks: 4,790 B gzip against 1.2 kB; 142 against 41 µs for 20 kB.
/**
 * Signing and verifying of Standard Webhooks. Fails closed. No message contains a key, a secret or a
 * signature.
 */
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { decodeSecret } from "./webhook_secret.ts";

/** Maximum difference between the timestamp and the clock. */
const TOLERANCE_S = 300;

/** Bounds the hashing before authentication. */
const MAX_ID_LENGTH = 256;

/** A sender has one signature per active secret. Further well-formed ones are ignored. */
const MAX_SIGNATURES = 32;

const ALGORITHM = { name: "HMAC", hash: "SHA-256" };
const encoder = new TextEncoder();

/** The well-formed headers of a signed request. */
export interface SignatureHeaders {
  readonly id: string;
  /** Seconds since 1970, in decimal digits. */
  readonly timestamp: string;
  /** The `v1` signatures, base64 of 32 bytes each; at least one. */
  readonly signatures: readonly string[];
}

/** The reason why headers are refused. */
export interface SignatureProblem {
  readonly code: "MISSING_HEADERS" | "TIMESTAMP_OUT_OF_RANGE" | "SIGNATURE_MISMATCH";
  /** The reason in words that the sender may read. */
  readonly problem: string;
}

/** Options of {@linkcode parseSignatureHeaders}. */
export interface ParseSignatureHeadersOptions {
  /** Current time in ms since 1970. */
  readonly now: number;
  /**
   * Maximum difference between the timestamp and the clock, in seconds and in either direction.
   *
   * @default 300
   */
  readonly tolerance?: number | undefined;
}

/**
 * Parses the three signature headers and checks the timestamp. Their names begin with `webhook-`, or
 * with `svix-` if no such header is present.
 */
export function parseSignatureHeaders(
  headers: Pick<Headers, "get">,
  { now, tolerance = TOLERANCE_S }: ParseSignatureHeadersOptions,
): SignatureHeaders | SignatureProblem {
  const read = (prefix: string) =>
    ["id", "timestamp", "signature"].map((name) => headers.get(`${prefix}-${name}`));
  const prefix = ["webhook", "svix"].find((it) => read(it).some((value) => value !== null)) ??
    "webhook";
  const refuse = (code: SignatureProblem["code"], problem: string) => (
    { code, problem: `${prefix}-${problem}` }
  );
  const [id, timestamp, signature] = read(prefix);
  if (!id || !timestamp || !signature) {
    const problem = `id, ${prefix}-timestamp and ${prefix}-signature are all required`;
    return refuse("MISSING_HEADERS", problem);
  }
  if (id.length > MAX_ID_LENGTH) {
    return refuse("MISSING_HEADERS", `id must have at most ${MAX_ID_LENGTH} characters`);
  }
  const seconds = /^(0|[1-9]\d*)$/.test(timestamp) ? Number(timestamp) : NaN;
  if (!(Math.abs(Math.floor(now / 1_000) - seconds) <= tolerance)) {
    const problem =
      `timestamp must be seconds since 1970, not more than ${tolerance} s from the clock`;
    return refuse("TIMESTAMP_OUT_OF_RANGE", problem);
  }
  const signatures = parseSignatures(signature);
  if (signatures.length === 0) {
    return refuse("SIGNATURE_MISMATCH", "signature must contain v1, and the base64 of 32 bytes");
  }
  return { id, timestamp, signatures };
}

function parseSignatures(header: string): string[] {
  const signatures: string[] = [];
  for (const entry of header.split(" ")) {
    const [version, text = ""] = entry.split(",");
    if (version === "v1" && decodeBase64(text)?.length === 32) signatures.push(text);
    if (signatures.length === MAX_SIGNATURES) break;
  }
  return signatures;
}

/** Returns `true` if one of the signatures was made with one of the keys; one HMAC per key. */
export async function verifySignature(
  { id, timestamp, signatures }: SignatureHeaders,
  body: Uint8Array,
  keys: readonly CryptoKey[],
): Promise<boolean> {
  const content = signedContent(id, timestamp, body);
  for (const key of keys) {
    const expected = encodeBase64(await signHmac(key, content));
    if (signatures.some((signature) => timingSafeEqual(signature, expected))) return true;
  }
  return false;
}

/** Compares texts in a time that depends on their lengths only. */
export function timingSafeEqual(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let i = 0; i < expected.length; i++) {
    difference |= given.charCodeAt(i) ^ expected.charCodeAt(i); // NaN past the end counts as 0
  }
  return difference === 0;
}

/** Imports an HMAC key. */
export function importKey(key: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key, ALGORITHM, false, ["sign", "verify"]);
}

/**
 * Creates a function that imports the keys of secrets on its first call: some platforms allow no
 * cryptography outside a request.
 *
 * @throws {RangeError} when a secret is malformed; the message does not contain it
 */
export function lazyKeys(secrets: readonly string[]): () => Promise<readonly CryptoKey[]> {
  const decoded = secrets.map(decodeSecret);
  // the keys and not their promise: on Workers a request must not await another request's promise
  let keys: readonly CryptoKey[] | undefined;
  return async () => keys ??= await Promise.all(decoded.map(importKey));
}

/** Computes the HMAC of some content. */
export async function signHmac(
  key: CryptoKey,
  content: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, content));
}

function signedContent(id: string, timestamp: string, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = encoder.encode(`${id}.${timestamp}.`);
  const content = new Uint8Array(head.length + body.length);
  content.set(head);
  content.set(body, head.length);
  return content;
}

/** The parts of a webhook that its signature covers. */
export interface SignWebhookOptions {
  /** `webhook-id`: the same for every delivery of an event. */
  readonly id: string;
  /** `webhook-timestamp`: whole seconds since 1970. */
  readonly timestamp: number;
  /** The body exactly as it is sent. */
  readonly body: string | Uint8Array;
}

/**
 * Signs a webhook.
 *
 * @param secret `whsec_` and the base64 of 24 to 64 bytes
 * @returns the value of `webhook-signature`: `v1,<base64>`
 * @throws {RangeError} when the secret or the timestamp is malformed; the message contains neither
 *
 * @example
 * ```ts
 * import { signWebhook } from "./standard_webhooks.ts";
 *
 * await signWebhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", {
 *   id: "msg_1",
 *   timestamp: Math.floor(Date.now() / 1_000),
 *   body: "{}",
 * });
 * ```
 */
export async function signWebhook(
  secret: string,
  { id, timestamp, body }: SignWebhookOptions,
): Promise<string> {
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw new RangeError("The timestamp of a webhook must be whole seconds since 1970");
  }
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const key = await importKey(decodeSecret(secret));
  return `v1,${encodeBase64(await signHmac(key, signedContent(id, String(timestamp), bytes)))}`;
}
