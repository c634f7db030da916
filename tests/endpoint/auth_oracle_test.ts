// The same verdict as the npm package, except where the contract is stricter.
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { Webhook as Svix } from "svix";
import { isSigned } from "../helpers/endpoint.ts";
import { checkProperty } from "../helpers/property.ts";
import { TIME, utf8 } from "../helpers/signature.ts";

Deno.test("a request signed with the npm package svix is accepted", async () => {
  for (const text of ["{}", '{"name":"caf\u00e9 \u{1f600}"}', ""]) {
    const secret = `whsec_${btoa("a secret of svix, of 31 bytes..")}`;
    const headers = new Headers({
      "svix-id": "msg_1",
      "svix-timestamp": String(TIME),
      "svix-signature": new Svix(secret).sign("msg_1", new Date(TIME * 1_000), text),
    });
    for (const secrets of [[secret], [secret.replace(/=+$/, "")]]) {
      assert(await isSigned(headers, utf8.encode(text), { secrets, now: () => TIME * 1_000 }));
    }
    const body = utf8.encode(`${text} `);
    assert(!await isSigned(headers, body, { secrets: [secret], now: () => TIME * 1_000 }));
  }
});

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
