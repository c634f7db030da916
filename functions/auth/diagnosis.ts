/** Likely mistakes behind a signature that does not match, for the operator's log. */

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

/** A configured secret. */
export interface MismatchSecret {
  /** `whsec_<base64>`. */
  readonly text: string;
  readonly key: Uint8Array<ArrayBuffer>;
}

/** The keys that a sender derives from a secret with white space in it. */
function likelyWrongKeys({ text, key }: MismatchSecret): Uint8Array<ArrayBuffer>[] {
  const newline = encoder.encode("\n");
  return [
    Uint8Array.from([...key, ...newline]),
    key.at(-1) === newline[0] ? key.slice(0, -1) : key,
    encoder.encode(`${text}\n`),
    encoder.encode(`${text.slice("whsec_".length)}\n`),
  ];
}

/** A request whose signature does not match, and the configured secrets. */
export interface MismatchOptions {
  readonly body: Uint8Array;
  readonly secrets: readonly MismatchSecret[];
  /** Returns `true` if the signature matches a body and one of some keys. */
  verify(body: Uint8Array, keys: readonly Uint8Array<ArrayBuffer>[]): Promise<boolean>;
}

/** Returns the likely mistake of the sender, or `undefined` if none is recognized. */
export async function explainMismatch(
  { body, secrets, verify }: MismatchOptions,
): Promise<string | undefined> {
  const tried = secrets.slice(0, MAX_SECRETS);
  const keys = tried.map(({ key }) => key);
  for (const other of likelyReserializations(body)) {
    if (await verify(other, keys)) {
      return "the signature matches a re-serialized body: sign the exact bytes that are sent";
    }
  }
  if (await verify(body, tried.flatMap(likelyWrongKeys))) {
    return "the sender's secret contains white space";
  }
  return undefined;
}
