import { assert, assertEquals } from "@std/assert";
import { webhookVerifier } from "../../functions/auth/webhook.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import {
  BODY,
  clock,
  headersOf,
  ID,
  OTHER,
  SECRET,
  SIGNATURE,
  signatureOf,
  TIME,
  utf8,
  VECTOR,
} from "../helpers/signature.ts";

/** The explanation of a signature that does not match the body. */
async function explain(headers: Headers, body: string, secrets = [OTHER, SECRET]) {
  const verifier = webhookVerifier(secrets, clock);
  const signature = signatureOf(verifier, headers);
  assert(!await verifier.verify(signature, utf8.encode(body)));
  return await verifier.explain(signature, utf8.encode(body));
}

/** HMAC with the characters of a text as the key, as one gets it from a secret not decoded. */
async function signWithText(key: string): Promise<string> {
  const bytes = Uint8Array.from(key, (char) => char.charCodeAt(0));
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const hmac = await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign"]);
  const content = utf8.encode(`${ID}.${TIME}.${BODY}`);
  const signature = new Uint8Array(await crypto.subtle.sign("HMAC", hmac, content));
  return `v1,${btoa(String.fromCharCode(...signature))}`;
}

Deno.test("a signature of a re-serialized body is explained", async () => {
  const compact = '{"a":1,"b":[true,"x, y"]}';
  const spaced = '{"a": 1, "b": [true, "x, y"]}';
  const pairs: [signed: string, sent: string][] = [
    [compact, spaced],
    [spaced, compact],
    [compact, '{\n  "a": 1,\n  "b": [\n    true,\n    "x, y"\n  ]\n}'],
    [compact, `${compact}\n`],
    [compact, `\ufeff${compact}`],
  ];
  for (const [body, sent] of pairs) {
    const headers = headersOf({ signature: await signWebhook(SECRET, { ...VECTOR, body }) });
    const explanation = await explain(headers, sent);
    assert(explanation?.includes("re-serialized body"), `${sent}: ${explanation}`);
  }
});

Deno.test("a signature with white space in the secret is explained", async () => {
  const key = atob(SECRET.slice(6));
  for (const mistake of [`${SECRET}\n`, `${SECRET.slice(6)}\n`, `${key}\n`]) {
    const headers = headersOf({ signature: await signWithText(mistake) });
    const explanation = await explain(headers, BODY) ?? "";
    assert(explanation.includes("white space"), explanation);
    assert(!explanation.includes(SECRET.slice(6)) && !explanation.includes(SIGNATURE.slice(3)));
  }
  const spacious = "whsec_" + btoa(key + "\n"); // as `echo … | base64` encodes it
  const headers = headersOf({ signature: await signWithText(key) });
  assert((await explain(headers, BODY, [spacious]))?.includes("white space"));
});

Deno.test("a signature that is wrong for no known reason is not explained", async () => {
  const headers = headersOf({ signature: `v1,${btoa("x".repeat(32))}` });
  const nested = "[".repeat(9000) + "]".repeat(9000);
  for (const body of [BODY, "", "{", nested]) {
    assertEquals(await explain(headers, body, [SECRET]), undefined);
  }
});

Deno.test("a mismatch is explained at most once a second", async () => {
  let time = TIME * 1000;
  const verifier = webhookVerifier([SECRET], () => time);
  const body = '{"a":1}';
  const headers = headersOf({ signature: await signWebhook(SECRET, { ...VECTOR, body }) });
  const signature = signatureOf(verifier, headers);
  const explain = () => verifier.explain(signature, utf8.encode(`${body}\n`));
  assert(await explain());
  time += 999;
  assertEquals(await explain(), undefined);
  time += 1;
  assert(await explain());
  time -= 5000; // a clock set back does not suppress it for long
  assert(await explain());
});
