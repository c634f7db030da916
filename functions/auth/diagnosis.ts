/** Likely mistakes behind a signature that does not match, for the operator's log. */
import { decodeBase64 } from "../../src/internal/base64.ts";
import {
  importKey,
  type SignatureHeaders,
  verifySignature,
} from "../../src/internal/standard_webhooks.ts";

/** Secrets tried in one diagnosis. */
const MAX_SECRETS = 4;

const encoder = new TextEncoder();

/** The JSON body as JavaScript and as Python serialize it. */
function likelyReserializations(body: Uint8Array): Uint8Array[] {
  try {
    const compact = JSON.stringify(JSON.parse(new TextDecoder().decode(body)));
    const spaced = compact.replace(
      /"(?:\\.|[^"\\])*"?|[,:]/g,
      (it) => it.length > 1 ? it : it + " ",
    );
    return [encoder.encode(compact), encoder.encode(spaced)];
  } catch {
    return []; // not JSON, or nested too deep
  }
}

/** The keys that a sender derives from a secret with white space in it. */
function likelyWrongKeys(secret: string): Uint8Array<ArrayBuffer>[] {
  const base64 = secret.slice("whsec_".length);
  const key = decodeBase64(base64) ?? new Uint8Array();
  const newline = encoder.encode("\n");
  return [
    Uint8Array.from([...key, ...newline]),
    key.at(-1) === newline[0] ? key.slice(0, -1) : key,
    encoder.encode(`${secret}\n`),
    encoder.encode(`${base64}\n`),
  ];
}

/** A request whose signature does not match, and the configured secrets with their keys. */
export interface MismatchOptions {
  readonly signature: SignatureHeaders;
  readonly body: Uint8Array;
  readonly secrets: readonly string[];
  readonly keys: readonly CryptoKey[];
}

/** Returns the likely mistake of the sender, or `undefined` if none is recognized. */
export async function explainMismatch(
  { signature, body, secrets, keys }: MismatchOptions,
): Promise<string | undefined> {
  for (const other of likelyReserializations(body)) {
    if (await verifySignature(signature, other, keys.slice(0, MAX_SECRETS))) {
      return "the signature matches a re-serialized body: sign the exact bytes that are sent";
    }
  }
  for (const secret of secrets.slice(0, MAX_SECRETS)) {
    const wrong = await Promise.all(likelyWrongKeys(secret).map(importKey));
    if (await verifySignature(signature, body, wrong)) {
      return "the sender's secret contains white space";
    }
  }
  return undefined;
}
