import { assert, assertEquals, assertRejects } from "@std/assert";
import { webhookVerifier } from "../../functions/auth/webhook.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import { isSigned } from "../helpers/endpoint.ts";
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
  verdict,
} from "../helpers/signature.ts";

Deno.test("the specification's vector is signed and verified", async () => {
  assertEquals(await signWebhook(SECRET, VECTOR), SIGNATURE);
  assertEquals(await signWebhook(SECRET, { ...VECTOR, body: utf8.encode(BODY) }), SIGNATURE);
  assert(await verdict(headersOf()));
});

Deno.test("a webhook with another id, time, body, signature or secret is refused", async () => {
  assert(!await verdict(headersOf({ id: ID + "x" })));
  assert(!await verdict(headersOf({ timestamp: String(TIME + 1) })));
  assert(!await verdict(headersOf(), { body: BODY + " " }));
  assert(!await verdict(headersOf(), { body: "" }));
  assert(!await verdict(headersOf(), { secrets: [OTHER] }));
  assert(!await verdict(headersOf(), { secrets: [] }));
  assert(!await verdict(headersOf({ signature: SIGNATURE.replace("g0", "g1") })));
});

Deno.test("any signature by any secret passes during rotation", async () => {
  const other = await signWebhook(OTHER, VECTOR);
  const none = await signWebhook(OTHER, { ...VECTOR, body: "else" });
  for (const secrets of [[SECRET, OTHER], [OTHER, SECRET], [OTHER, SECRET, SECRET]]) {
    for (const signature of [SIGNATURE, other, `${none} ${other}`, `${other} ${SIGNATURE}`]) {
      assert(await verdict(headersOf({ signature }), { secrets }), signature);
    }
    assert(!await verdict(headersOf({ signature: `${none} ${none}` }), { secrets }));
  }
});

Deno.test("a timestamp passes at 300 s and is refused at 301 s, in both directions", async () => {
  for (
    const [seconds, passes] of [[300, true], [-300, true], [301, false], [-301, false]] as const
  ) {
    for (const millis of [0, 999]) {
      const now = () => (TIME + seconds) * 1000 + millis;
      assertEquals(await verdict(headersOf(), { now }), passes, `${seconds} ${millis}`);
      const parsed = webhookVerifier([SECRET], now).parse(headersOf());
      assertEquals(!("problem" in parsed), passes);
    }
  }
});

Deno.test("a missing or malformed header is refused before the body is read", () => {
  const base64 = SIGNATURE.slice(3);
  const cases: [Headers, RegExp][] = [
    [headersOf({ id: null }), /all required/],
    [headersOf({ id: "" }), /all required/],
    [headersOf({ timestamp: null }), /all required/],
    [headersOf({ signature: null }), /all required/],
    [headersOf({ signature: "" }), /all required/],
    ...["+1614265330", "01614265330", "1614265330.0", "1.614265330e9", "0x6037bbf2", "16142653 30"]
      .map((timestamp): [Headers, RegExp] => [headersOf({ timestamp }), /seconds since 1970/]),
    [headersOf({ timestamp: `${TIME}, ${TIME}` }), /seconds since 1970/],
    [headersOf({ timestamp: "-5" }), /seconds since 1970/],
    [headersOf({ timestamp: "0" }), /more than 300 s/],
    [headersOf({ timestamp: `${TIME}000` }), /more than 300 s/],
    [headersOf({ timestamp: "9".repeat(400) }), /more than 300 s/],
    ...[
      base64,
      `v1 ${base64}`,
      `v1=${base64}`,
      `v2,${base64}`,
      `v1a,${base64}`,
      `V1,${base64}`,
      `v10,${base64}`,
      `,${base64}`,
      `v1, ${base64}`,
      `v1,,${base64}`,
      "v1",
      "v1,",
      `v1,${base64.slice(0, -1)}`, // no padding
      `v1,${base64.replace("OE=", "OF=")}`, // the same bytes, with a bit that is not used
      `v1,${base64.replace("+", "-").replace("/", "_")}`,
      `v1,${base64.slice(0, -1)}A`, // 33 bytes
      `v1,${base64.slice(0, -2)}==`, // 31 bytes
      `x${SIGNATURE}`,
      `v2,${base64},${SIGNATURE}`,
    ].map((signature): [Headers, RegExp] => [headersOf({ signature }), /base64 of 32 bytes/]),
  ];
  const verifier = webhookVerifier([SECRET], clock);
  for (const [headers, said] of cases) {
    const parsed = verifier.parse(headers);
    assert("problem" in parsed, JSON.stringify([...headers]));
    assert(said.test(parsed.problem), `${JSON.stringify([...headers])}: ${parsed.problem}`);
  }
});

Deno.test("other versions and malformed entries next to a valid signature are ignored", async () => {
  const list = `v1a,${"A".repeat(88)} v1, v2,x  ${SIGNATURE},more v1`;
  assert(await verdict(headersOf({ signature: list })));
});

Deno.test("signatures in repeated headers count", async () => {
  const headers = headersOf({ signature: `v1,${btoa("x".repeat(32))}` });
  assert(!await verdict(headers));
  headers.append("webhook-signature", SIGNATURE);
  assert(await verdict(headers));
});

Deno.test("only the first 32 well-formed signatures count", async () => {
  const filler = `v1,${btoa("x".repeat(32))} `;
  assert(await verdict(headersOf({ signature: filler.repeat(31) + SIGNATURE })));
  assert(!await verdict(headersOf({ signature: filler.repeat(32) + SIGNATURE })));
  assert(await verdict(headersOf({ signature: "v1,x v1 ".repeat(99) + SIGNATURE })));
});

Deno.test("a body that is not UTF-8 can be signed", async () => {
  const body = new Uint8Array([0xff, 0, 0xc3, 0x28, 0xef, 0xbb, 0xbf]);
  const headers = headersOf({ signature: await signWebhook(SECRET, { ...VECTOR, body }) });
  const options = { secrets: [SECRET], now: clock };
  assert(await isSigned(headers, body, options));
  const decoded = new TextDecoder().decode(body);
  assert(!await isSigned(headers, utf8.encode(decoded), options));
});

Deno.test("svix-* headers count if every webhook-* header is absent", async () => {
  const entries = [...headersOf()];
  const svix = entries.map(([name, value]): [string, string] => [
    name.replace(/^webhook-/, "svix-"),
    value,
  ]);
  assert(await verdict(new Headers(svix)));
  for (const [name, value] of entries) {
    const mixed = new Headers([...svix, [name, value]]);
    assert(!await verdict(mixed), `with ${name}`);
    mixed.set(name, "");
    assert(!await verdict(mixed), `with an empty ${name}`);
  }
  assert(
    await verdict(
      new Headers([...entries, ...svix.map(([name]): [string, string] => [name, "x"])]),
    ),
  );
  const verifier = webhookVerifier([SECRET], clock);
  for (const [name] of svix) {
    const incomplete = new Headers(svix);
    incomplete.delete(name);
    assertEquals(verifier.parse(incomplete), {
      code: "MISSING_HEADERS",
      problem: "svix-id, svix-timestamp and svix-signature are all required",
    });
  }
});

Deno.test("signWebhook() refuses a timestamp that is not in whole seconds", async () => {
  for (const time of [NaN, -1, 1.5, Infinity]) {
    await assertRejects(
      () => signWebhook(SECRET, { ...VECTOR, timestamp: time }),
      RangeError,
      "whole seconds",
    );
  }
});

Deno.test("keys are imported once, on the first verification", async () => {
  let imports = 0;
  const original = crypto.subtle.importKey;
  Object.defineProperty(crypto.subtle, "importKey", {
    configurable: true,
    value: (...args: unknown[]) => {
      imports++;
      return Reflect.apply(original, crypto.subtle, args);
    },
  });
  try {
    const verifier = webhookVerifier([SECRET, OTHER], clock);
    const signature = signatureOf(verifier, headersOf());
    assertEquals(imports, 0);
    for (let i = 0; i < 3; i++) assert(await verifier.verify(signature, utf8.encode(BODY)));
    assertEquals(imports, 2);
  } finally {
    Reflect.deleteProperty(crypto.subtle, "importKey");
  }
});
