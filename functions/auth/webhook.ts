/**
 * Who may call: bearer keys and Standard Webhooks signatures. Everything here fails closed, and no
 * message holds a key, a secret or a signature.
 *
 * @module
 */

/** How a request proved who it is, for the log; `none` also when it proved nothing. */
export type AuthKind = "bearer" | "webhook" | "link" | "unauthenticated" | "none";

/** Seconds by which `webhook-timestamp` may differ from the clock, either way. */
const TOLERANCE = 300;

/**
 * Well-formed `v1` signatures looked at in one request; those after them are ignored. A sender has
 * one per active secret, and each costs an HMAC a secret to whoever asks us to compare it.
 */
const MAX_SIGNATURES = 32;

/** Secrets tried for one diagnosis, and ms between two: anyone can make a signature fail. */
const DIAGNOSED_SECRETS = 4;
const DIAGNOSIS_INTERVAL = 1000;

/** Encodes text. */
export const encoder: TextEncoder = new TextEncoder();

/** The bytes that a binary string stands for. */
export const toBytes = (binary: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(binary, (char) => char.charCodeAt(0));

/** The bytes of canonical base64 (padded, unused bits zero) as a binary string, else undefined. */
export function fromBase64(text: string): string | undefined {
  try {
    const binary = atob(text);
    return btoa(binary) === text ? binary : undefined; // atob alone takes white space and more
  } catch {
    return undefined;
  }
}

/** Takes a time that depends on the lengths alone, so that it tells nothing about the content. */
function timingSafeEqual(given: string, expected: string): boolean {
  let difference = given.length ^ expected.length;
  for (let i = 0; i < expected.length; i++) {
    difference |= given.charCodeAt(i) ^ expected.charCodeAt(i); // NaN past the end counts as 0
  }
  return difference === 0;
}

/**
 * Makes the check of an `Authorization` header against the keys that are valid now. Each header is
 * compared in full with every key, so the time taken shows lengths at most.
 *
 * @param keys Any number, for rotation; with none the check never passes.
 * @returns A function of the header's value: `Bearer` in any case, spaces, a key.
 */
export function bearerVerifier(keys: readonly string[]): (authorization: string) => boolean {
  return (authorization) => {
    const given = /^bearer +([^ ].*)$/i.exec(authorization)?.[1];
    if (given === undefined) return false;
    let found = false;
    for (const key of keys) found = timingSafeEqual(given, key) || found; // not the other way: no early exit
    return found;
  };
}

/** Checks Standard Webhooks signatures; see {@linkcode webhookVerifier}. */
export interface WebhookVerifier {
  /**
   * Checks what needs no body: all three headers are there and well formed, and the time is within
   * 300 s. `undefined` when they are, else what is wrong, fit for the caller to read.
   */
  precheck(headers: Headers): string | undefined;
  /**
   * Whether any `v1` signature of the request fits any secret, over the raw bytes of the body. Does
   * the checks of `precheck` too. Of more than 32 well-formed signatures the first 32 count.
   */
  verify(headers: Headers, body: Uint8Array): Promise<boolean>;
  /**
   * After `verify` said no: the likely mistake, for the log alone, or `undefined`. Answers once a
   * second at most.
   */
  diagnose(headers: Headers, body: Uint8Array): Promise<string | undefined>;
}

/** The well-formed `v1` signatures of a header, in its order, as binary strings of 32 bytes. */
function parseSignatures(header: string): string[] {
  const found: string[] = [];
  for (const entry of header.split(" ")) {
    const [version, text = ""] = entry.split(",");
    const binary = version === "v1" ? fromBase64(text) : undefined;
    if (binary?.length === 32 && found.push(binary) === MAX_SIGNATURES) break;
  }
  return found;
}

/** The three headers; missing ones are empty. */
const read = (headers: Headers) => ({
  id: headers.get("webhook-id") ?? "",
  timestamp: headers.get("webhook-timestamp") ?? "",
  signature: headers.get("webhook-signature") ?? "",
});

function signedContent(id: string, timestamp: string | number, body: Uint8Array) {
  const head = encoder.encode(`${id}.${timestamp}.`);
  const content = new Uint8Array(head.length + body.length);
  content.set(head);
  content.set(body, head.length);
  return content;
}

function importKey(binary: string): Promise<CryptoKey> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  return crypto.subtle.importKey("raw", toBytes(binary), algorithm, false, ["sign", "verify"]);
}

/** The MAC of some content, as a binary string. */
export async function signHmac(key: CryptoKey, content: Uint8Array<ArrayBuffer>): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", key, content));
  return String.fromCharCode(...bytes);
}

/** The key that a secret stands for, as a binary string. */
function decodeSecret(secret: string): string {
  const key = secret.startsWith("whsec_") ? fromBase64(secret.slice(6)) ?? "" : "";
  if (key.length >= 24 && key.length <= 64) return key;
  throw new RangeError("A webhook secret must be whsec_ and the base64 of 24 to 64 bytes");
}

/**
 * Makes the function that gives the keys of secrets, in their order. Nothing is imported into Web Crypto
 * before its first call, since some platforms allow no cryptography outside a request.
 *
 * @throws {RangeError} when a secret is malformed; the message does not hold it.
 */
export function lazyKeys(secrets: readonly string[]): () => Promise<readonly CryptoKey[]> {
  const binaryKeys = secrets.map(decodeSecret);
  // The keys and not their promise: on Workers a request must not await another request's promise.
  let keys: readonly CryptoKey[] | undefined;
  return async () => keys ??= await Promise.all(binaryKeys.map(importKey));
}

/** Whether the text is a webhook secret: `whsec_` and the padded base64 of 24 to 64 bytes. */
export function isWebhookSecret(text: string): boolean {
  try {
    return decodeSecret(text) !== "";
  } catch {
    return false;
  }
}

/** The body in other spellings that a sender or a proxy may have made of it. */
function likelyReserializations(body: Uint8Array): string[] {
  const text = new TextDecoder().decode(body);
  const bodies = [text.trim(), text.trim() + "\n"];
  try {
    const json = JSON.stringify(JSON.parse(text));
    // As Python writes it, `{"a": 1, "b": 2}`, while its HTTP libraries may send the shorter form.
    const spaced = json.replace(/"(\\.|[^"\\])*"|[,:]/g, (it) => it.length > 1 ? it : it + " ");
    bodies.push(json, spaced);
  } catch {
    // Not JSON, or nested too deep: then nobody has serialised it anew either.
  }
  return bodies;
}

/** Keys that a sender may have made of a secret by mistake, each with a word on the mistake. */
function likelyWrongKeys(secret: string): [key: string, mistake: string][] {
  const key = decodeSecret(secret);
  const text = "the text of the secret is the key: decode the base64 after whsec_";
  const space = "there is white space in the secret";
  return [
    [secret, text],
    [secret.slice(6), text],
    ...[secret, secret.slice(6), key].flatMap((it): [string, string][] => [
      [it + "\n", space],
      [it + "\r\n", space],
      [it + " ", space],
    ]),
    [key.trim(), space],
  ];
}

/**
 * Makes the check of webhook requests: HMAC-SHA256 over `id.timestamp.body`, as the Standard
 * Webhooks specification has it. The verdicts are those of the npm package `standardwebhooks`, but
 * for being stricter on these: the timestamp is plain decimal digits without a leading zero, a
 * secret is `whsec_` and base64 of 24 to 64 bytes, no more than 32 signatures are looked at.
 *
 * @param secrets Any number, for rotation; with none the check never passes.
 * @param now The clock, in ms since 1970.
 * @throws {RangeError} when a secret is malformed; the message does not hold it.
 */
export function webhookVerifier(
  secrets: readonly string[],
  now: () => number = Date.now,
): WebhookVerifier {
  const importKeys = lazyKeys(secrets);
  let diagnosed = -Infinity;

  function precheck(headers: Headers): string | undefined {
    const { id, timestamp, signature } = read(headers);
    if (!id || !timestamp || !signature) {
      return "webhook-id, webhook-timestamp and webhook-signature are all needed";
    }
    if (!/^(0|[1-9]\d*)$/.test(timestamp)) {
      return "webhook-timestamp must be seconds since 1970";
    }
    if (!(Math.abs(Math.floor(now() / 1000) - Number(timestamp)) <= TOLERANCE)) {
      return `webhook-timestamp is over ${TOLERANCE} s off`;
    }
    if (!parseSignatures(signature).length) {
      return "webhook-signature must be v1, and the base64 of 32 bytes";
    }
    return undefined;
  }

  async function verify(headers: Headers, body: Uint8Array): Promise<boolean> {
    if (precheck(headers) !== undefined) return false;
    const { id, timestamp, signature } = read(headers);
    const content = signedContent(id, timestamp, body);
    for (const key of await importKeys()) {
      for (const given of parseSignatures(signature)) {
        if (await crypto.subtle.verify("HMAC", key, toBytes(given), content)) return true;
      }
    }
    return false;
  }

  async function diagnose(headers: Headers, body: Uint8Array): Promise<string | undefined> {
    // A diagnosis costs some seventy HMACs, and those who fail to authenticate can have one made;
    // for whoever reads the log one a second is plenty.
    if (precheck(headers) !== undefined || Math.abs(now() - diagnosed) < DIAGNOSIS_INTERVAL) {
      return undefined;
    }
    diagnosed = now();
    const { id, timestamp, signature } = read(headers);
    const given = parseSignatures(signature);
    const fits = async (key: CryptoKey, content: Uint8Array<ArrayBuffer>) => {
      const expected = await signHmac(key, content);
      return given.some((one) => timingSafeEqual(one, expected));
    };
    for (const key of (await importKeys()).slice(0, DIAGNOSED_SECRETS)) {
      for (const other of likelyReserializations(body)) {
        if (await fits(key, signedContent(id, timestamp, encoder.encode(other)))) {
          return "the signature is of another spelling of the body: sign the bytes that are sent, " +
            "neither serialised anew nor trimmed";
        }
      }
    }
    const content = signedContent(id, timestamp, body);
    for (const secret of secrets.slice(0, DIAGNOSED_SECRETS)) {
      for (const [other, mistake] of likelyWrongKeys(secret)) {
        if (await fits(await importKey(other), content)) return `on the sender's side ${mistake}`;
      }
    }
    return undefined;
  }

  return { precheck, verify, diagnose };
}

/**
 * Signs a webhook as a sender does.
 *
 * @param secret `whsec_` and base64 of 24 to 64 bytes.
 * @param id What `webhook-id` says; the same for each delivery of one event.
 * @param timestamp What `webhook-timestamp` says: whole seconds since 1970.
 * @param body The body as it is sent.
 * @returns The value of `webhook-signature`: `v1,<base64>`.
 * @throws {RangeError} when the secret or the timestamp is malformed; neither is in the message.
 *
 * @example
 * ```ts
 * import { signWebhook } from "./webhook.ts";
 *
 * const seconds = Math.floor(Date.now() / 1000);
 * await signWebhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_1", seconds, "{}");
 * ```
 */
export async function signWebhook(
  secret: string,
  id: string,
  timestamp: number,
  body: string | Uint8Array,
): Promise<string> {
  if (!Number.isSafeInteger(timestamp) || timestamp < 0) {
    throw new RangeError("The timestamp of a webhook must be whole seconds since 1970");
  }
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  const key = await importKey(decodeSecret(secret));
  return `v1,${btoa(await signHmac(key, signedContent(id, timestamp, bytes)))}`;
}
