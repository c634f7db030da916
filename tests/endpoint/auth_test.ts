import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { bearerVerifier } from "../../functions/auth/bearer.ts";
import { webhookVerifier } from "../../functions/auth/webhook.ts";
import { isWebhookSecret, signWebhook } from "../../src/internal/standard_webhooks.ts";
import { isSigned } from "../helpers/endpoint.ts";
import { checkProperty } from "../helpers/property.ts";

const utf8 = new TextEncoder();

// The vector that the specification's own libraries are tested with.
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const TIME = 1614265330;
const BODY = '{"test": 2432232314}';
const SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

const OTHER = "whsec_" + btoa("another secret of 32 bytes, thus");
const clock = () => TIME * 1000;
const VECTOR = { id: ID, timestamp: TIME, body: BODY };

/** The three headers, of the vector where not said otherwise; `null` leaves one out. */
function headersOf(
  { id = ID, timestamp = String(TIME), signature = SIGNATURE }: {
    id?: string | null;
    timestamp?: string | null;
    signature?: string | null;
  } = {},
): Headers {
  const headers = new Headers();
  if (id !== null) headers.set("webhook-id", id);
  if (timestamp !== null) headers.set("webhook-timestamp", timestamp);
  if (signature !== null) headers.set("webhook-signature", signature);
  return headers;
}

const verdict = (headers: Headers, { secrets = [SECRET], now = clock, body = BODY } = {}) =>
  isSigned(headers, utf8.encode(body), { secrets, now });

/** The parsed headers of a request that has all of them. */
function signatureOf(verifier: ReturnType<typeof webhookVerifier>, headers: Headers) {
  const parsed = verifier.parse(headers);
  assert(!("problem" in parsed));
  return parsed;
}

/** The explanation of a signature that does not match the body. */
async function explain(headers: Headers, body: string, secrets = [OTHER, SECRET]) {
  const verifier = webhookVerifier(secrets, clock);
  const signature = signatureOf(verifier, headers);
  assert(!await verifier.verify(signature, utf8.encode(body)));
  return await verifier.explain(signature, utf8.encode(body));
}

Deno.test("a bearer key passes with any case of the scheme and any number of spaces", () => {
  const check = bearerVerifier(["an-old-key-of-ours", "a-new-key-of-ours!"]);
  for (const header of ["Bearer an-old-key-of-ours", "bearer   a-new-key-of-ours!"]) {
    assert(check(header), header);
    assert(check(header.replace(/^bearer/i, "BEARER")));
  }
});

Deno.test("anything but the exact key is refused", () => {
  const key = "a-key-of-ours-that-is-long";
  const check = bearerVerifier([key, key + "er"]);
  const wrong = [
    "",
    "Bearer",
    "Bearer ",
    "Bearer  ",
    key,
    `Bearer${key}`,
    `Bearer\t${key}`,
    `Basic ${key}`,
    `xBearer ${key}`,
    ` Bearer ${key}`,
    `Bearer ${key} `,
    `Bearer ${key}e`,
    `Bearer ${key}er2`,
    `Bearer ${key.slice(1)}`,
    `Bearer ${key.toUpperCase()}`,
    `Bearer ${key}, Bearer ${key}`,
    `Bearer ${key}\0`,
    "Bearer " + key.replace("a", "\u0161"), // the same low byte
  ];
  for (const header of wrong) assert(!check(header), JSON.stringify(header));
  assert(check(`Bearer ${key}`));
});

Deno.test("no bearer passes without keys or with an empty key", () => {
  for (const keys of [[], [""]]) {
    for (const header of ["", "Bearer", "Bearer ", "Bearer x", "Bearer undefined"]) {
      assert(!bearerVerifier(keys)(header));
    }
  }
});

Deno.test("a bearer is compared in full with every key", () => {
  const keys = ["a".repeat(20), "b".repeat(20), "c".repeat(20)];
  const check = bearerVerifier(keys);
  // Counting the characters read is the test of this that no noise can disturb.
  const original = String.prototype.charCodeAt;
  const reads = (given: string) => {
    let count = 0;
    String.prototype.charCodeAt = function (index) {
      count++;
      return original.call(this, index);
    };
    try {
      check(`Bearer ${given}`);
    } finally {
      String.prototype.charCodeAt = original;
    }
    return count;
  };
  for (const given of [...keys, "x".repeat(20), "a" + "x".repeat(19), "c".repeat(19) + "x"]) {
    assertEquals(reads(given), 2 * 20 * keys.length, given);
  }
});

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

Deno.test("a malformed secret is refused without quoting it", async () => {
  const canary = btoa("c4nary");
  for (
    const secret of ["", "whsec_", canary, `whsec_${canary}`, SECRET.slice(6), SECRET + "\n"]
  ) {
    assert(!isWebhookSecret(secret));
    const errors = [
      assertThrows(() => webhookVerifier([SECRET, secret]), RangeError, "whsec_ and the base64"),
      await assertRejects(() => signWebhook(secret, VECTOR), RangeError, "whsec_ and the"),
    ];
    for (const error of errors) assert(!Deno.inspect(error).includes(canary));
  }
  for (const [bytes, fine] of [[23, false], [24, true], [64, true], [65, false]] as const) {
    assertEquals(isWebhookSecret("whsec_" + btoa("x".repeat(bytes))), fine, `${bytes} bytes`);
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

// ---- the same verdict as the npm package ----

/** Verdict of the package at a time, for any of the secrets: it takes one at a time. */
function oracle(secrets: string[], headers: Headers, body: string, now: number): boolean {
  const real = Date.now;
  Date.now = () => now;
  try {
    return secrets.some((secret) => {
      try {
        new Webhook(secret).verify(body, Object.fromEntries(headers), { jsonParse: false });
        return true;
      } catch (error) {
        if (error instanceof WebhookVerificationError) return false;
        throw error;
      }
    });
  } finally {
    Date.now = real;
  }
}

/** The package's verdict, or ours by a rule that is documented as stricter. */
function expected(
  secrets: string[],
  headers: Headers,
  body: string,
  now: number,
): { verdict: boolean; stricter: boolean } {
  const timestamp = headers.get("webhook-timestamp") ?? "";
  if (!/^(0|[1-9][0-9]*)$/.test(timestamp)) return { verdict: false, stricter: true };
  const wellFormed = (headers.get("webhook-signature") ?? "").split(" ")
    .filter((entry) => /^v1,[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=(,|$)/.test(entry));
  if (wellFormed.length <= 32) {
    return { verdict: oracle(secrets, headers, body, now), stricter: false };
  }
  const cut = new Headers(headers);
  cut.set("webhook-signature", wellFormed.slice(0, 32).join(" "));
  const verdict = oracle(secrets, cut, body, now);
  return { verdict, stricter: !verdict };
}

const bytesToBase64 = (bytes: Uint8Array) => btoa(String.fromCharCode(...bytes));
const secrets = fc.uint8Array({ minLength: 24, maxLength: 64 })
  .map((bytes) => "whsec_" + bytesToBase64(bytes));
const latin1 = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).filter((code) => code < 0x7f || code > 0xa0)
    .map((code) => String.fromCharCode(code)),
  maxLength: 12,
});
const ids = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("msg_1", "msg_2", "a.b", "1614265330", "x, y") },
  { weight: 1, arbitrary: latin1 },
);
const character = fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code));
const bodies = fc.oneof(
  fc.constantFrom("{}", "", '{"a":1}', "1614265330.{}", "\ufeff{}"),
  fc.string({ unit: character, maxLength: 30 }),
);
const offsets = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -300, max: 300 }) },
  { weight: 2, arbitrary: fc.constantFrom(-302, -301, -300, -299, 299, 300, 301, 302) },
  { weight: 1, arbitrary: fc.integer({ min: -TIME, max: TIME }) },
);
const identity = (text: string) => text;
/** A function that leaves a text alone nine times of ten. */
const rarely = (...changes: ((text: string) => string)[]) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.constant(identity) },
    { weight: 1, arbitrary: fc.constantFrom(identity, ...changes) },
  );
const timeForms = rarely(
  (text) => "+" + text,
  (text) => "0" + text,
  (text) => "-" + text,
  (text) => text + ".0",
  (text) => text + "abc",
  (text) => text + "e0",
  (text) => text + " 1",
  (text) => `${text}, ${text}`,
  (text) => "0x" + Number(text).toString(16),
  (text) => text.slice(0, -1),
  () => "NaN",
  () => "9".repeat(30),
);
const textForms = rarely(
  (text) => text + "x",
  (text) => text.slice(1),
  (text) => text.trim(),
  (text) => text.replace(/[a-z]/, (letter) => letter.toUpperCase()),
  (text) => text.replace(".", ""),
  (text) => "." + text,
  (text) => text + "\n",
);
const entryForms = fc.oneof(
  { weight: 4, arbitrary: fc.constant(identity) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      (entry: string) => entry.replace("v1", "v2"),
      (entry: string) => entry.replace("v1", "v1a"),
      (entry: string) => entry.replace("v1", "V1"),
      (entry: string) => entry.replace("v1", ""),
      (entry: string) => entry.replace("v1,", "v1,,"),
      (entry: string) => entry.replace("v1,", "v1="),
      (entry: string) => entry.replace("v1,", ""),
      (entry: string) => entry + ",v1",
      (entry: string) => entry + ",",
      (entry: string) => entry + "=",
      (entry: string) => entry.slice(0, -1),
      (entry: string) => entry.slice(0, -2) + "==",
      (entry: string) => entry.slice(0, -1) + "A",
      (entry: string) => entry.replaceAll("+", "-").replaceAll("/", "_"),
      (entry: string) => entry.toLowerCase(),
      (entry: string) => entry + "\xe9",
      // The next character of the alphabet in the last place: the same bytes but for unused bits.
      (entry: string) =>
        entry.slice(0, -2) + String.fromCharCode(entry.charCodeAt(entry.length - 2) + 1) + "=",
      (entry: string) => entry.replace(/^(v1,.)./, "$1A"),
    ),
  },
);
const entries = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ signer: fc.nat(3), form: entryForms, times: fc.constant(1) }),
    },
    { weight: 2, arbitrary: latin1 },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ minLength: 32, maxLength: 32 })
        .chain((bytes) => fc.constantFrom(1, 1, 1, 30, 31, 32).map((times) => ({ bytes, times }))),
    },
  ),
  { minLength: 1, maxLength: 5 },
);
const separators = fc.oneof(
  { weight: 8, arbitrary: fc.constant(" ") },
  { weight: 2, arbitrary: fc.constantFrom("  ", ", ", ",", "\t") },
);
const missing = fc.oneof(
  { weight: 30, arbitrary: fc.constant("") },
  {
    weight: 1,
    arbitrary: fc.constantFrom("webhook-id", "webhook-timestamp", "webhook-signature"),
  },
);

Deno.test("the verdict equals npm standardwebhooks, except where documented as stricter", async (t) => {
  const counts = { same: 0, accepted: 0, stricter: 0 };
  await checkProperty(
    t,
    fc.asyncProperty(
      fc.array(secrets, { minLength: 1, maxLength: 3 }),
      secrets,
      fc.record({
        id: ids,
        body: bodies,
        offset: offsets,
        millis: fc.integer({ max: 999, min: 0 }),
      }),
      entries,
      fc.record({
        time: timeForms,
        id: textForms,
        body: textForms,
        separator: separators,
        missing,
      }),
      async (configured, foreign, { id, body, offset, millis }, plan, change) => {
        const timestamp = TIME + offset;
        const now = TIME * 1000 + millis;
        const signers = [...configured, foreign];
        const list = plan.flatMap((entry) => {
          if (typeof entry === "string") return entry;
          if ("bytes" in entry) {
            return new Array<string>(entry.times).fill(`v1,${bytesToBase64(entry.bytes)}`);
          }
          const signer = new Webhook(signers[entry.signer % signers.length] ?? foreign);
          return entry.form(signer.sign(id, new Date(timestamp * 1000), body));
        });
        const headers = new Headers({
          "webhook-id": change.id(id).replaceAll("\n", ""),
          "webhook-timestamp": change.time(String(timestamp)),
          "webhook-signature": list.join(change.separator),
        });
        headers.delete(change.missing || "x-none");
        const sent = change.body(body);

        const options = { secrets: configured, now: () => now };
        const ours = await isSigned(headers, utf8.encode(sent), options);
        const { verdict, stricter } = expected(configured, headers, sent, now);
        assertEquals(ours, verdict);
        if (ours) counts.accepted++;
        if (stricter && oracle(configured, headers, sent, now)) counts.stricter++;
        else counts.same++;
      },
    ),
  );
  // Else the property could pass while comparing nothing but refusals.
  assert(counts.accepted > 2000, JSON.stringify(counts));
  assert(counts.same > 8000, JSON.stringify(counts));
  assert(counts.stricter > 100, JSON.stringify(counts));
});
