// The format of secrets, wherever one is read. No message contains one.
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { ConfigError, readConfig } from "../../functions/app.ts";
import { createLinkSigner } from "../../functions/auth/link_token.ts";
import { webhookVerifier } from "../../functions/auth/webhook.ts";
import { parseCallbackHosts } from "../../functions/watches/callback.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import { KEY, type Settings, TOKEN } from "../helpers/endpoint.ts";
import { clock, headersOf, OTHER, SECRET, VECTOR, verdict } from "../helpers/signature.ts";

const read = (settings: Settings) =>
  readConfig({ DEEPINT_TOKEN: TOKEN, RESOLVE_API_KEYS: KEY, ...settings }, { parseCallbackHosts });

/** Settings with a list of secrets, and the secrets that each reads. */
const SETTINGS: [setting: (...secrets: string[]) => Settings, read: (s: Settings) => unknown][] = [
  [(...list) => ({ RESOLVE_WEBHOOK_SECRETS: list.join() }), (s) => read(s).webhookSecrets],
  [(...list) => ({ RESOLVE_LINK_SECRETS: list.join(", ") }), (s) => read(s).linkSecrets],
  [
    (...list) => ({
      RESOLVE_CALLBACK_HOSTS: list.map((it, n) => `h${n}.example.com= ${it}`).join(),
    }),
    (s) => read(s).callbackHosts?.map(({ secret }) => secret),
  ],
];

const PADDED = `whsec_${btoa("x".repeat(25))}`;
const UNPADDED = PADDED.replace(/=+$/, "");

for (const [setting, secretsOf] of SETTINGS) {
  const [name = ""] = Object.keys(setting());
  Deno.test(`${name} accepts secrets as their issuers print them`, () => {
    const forms: [given: string[], expected: string[]][] = [
      [[SECRET], [SECRET]],
      [[`v1,${SECRET}`], [SECRET]],
      [[PADDED], [PADDED]],
      [[UNPADDED], [PADDED]],
      [[`v1,${UNPADDED}`, SECRET, `v1,${OTHER}`], [PADDED, SECRET, OTHER]],
    ];
    for (const [given, expected] of forms) {
      assertEquals(secretsOf(setting(...given)), expected, given.join());
    }
  });

  Deno.test(`${name} refuses v1 without a secret`, () => {
    for (const list of [["v1"], ["v1,"], [`v1,v1,${SECRET}`], [SECRET, "v1,"], [`v2,${SECRET}`]]) {
      const error = assertThrows(() => read(setting(...list)), ConfigError);
      assertEquals(error.variable, name, list.join());
    }
  });
}

Deno.test("a secret without padding signs and verifies as one with it", async () => {
  const signature = await signWebhook(PADDED, VECTOR);
  assertEquals(await signWebhook(UNPADDED, VECTOR), signature);
  assert(await verdict(headersOf({ signature }), { secrets: [UNPADDED] }));
});

Deno.test("a callback host and a caller cannot share a secret in two forms", () => {
  const settings = { RESOLVE_WEBHOOK_SECRETS: PADDED };
  const callbacks = { RESOLVE_CALLBACK_HOSTS: `hooks.example.com=v1,${UNPADDED}` };
  read(settings);
  read(callbacks);
  assertThrows(() => read({ ...settings, ...callbacks }), ConfigError, "used twice");
});

const CANARY = btoa("c4nary-secret-of-24-byte");

const MISTAKES: [mistake: string, secret: string, message: RegExp][] = [
  ["no prefix", CANARY, /must begin with whsec_$/],
  ["another prefix", `whsk_${CANARY}`, /must begin with whsec_$/],
  ["quotes", `"whsec_${CANARY}"`, /quotes/],
  ["quotes after v1", `v1,'whsec_${CANARY}'`, /quotes/],
  ["one quote", `whsec_${CANARY}'`, /quotes/],
  ["base64url", `whsec_${CANARY.slice(0, -2)}-_`, /base64url/],
  ["a new line", `whsec_${CANARY}\n`, /new line/],
  ["a new line within", `whsec_${CANARY.slice(0, 12)}\r\n${CANARY.slice(12)}`, /new line/],
  ["a new line before it", `\nwhsec_${CANARY}`, /new line/],
  [
    "a space within",
    `whsec_${CANARY.slice(0, 12)} ${CANARY.slice(12)}`,
    /base64 of 24 to 64 bytes/,
  ],
  ["23 bytes", `whsec_${btoa("c4nary".padEnd(23))}`, /base64 of 24 to 64 bytes/],
  ["65 bytes", `whsec_${btoa("c4nary".padEnd(65))}`, /base64 of 24 to 64 bytes/],
  ["unused bits", `whsec_${CANARY}YZ`, /base64 of 24 to 64 bytes/],
];

for (const [mistake, secret, message] of MISTAKES) {
  Deno.test(`a secret with ${mistake} is refused with that mistake and without its value`, async () => {
    const errors = [
      assertThrows(() => webhookVerifier([SECRET, secret], clock), RangeError),
      assertThrows(() => createLinkSigner({ secrets: [secret], now: clock }), RangeError),
      await assertRejects(() => signWebhook(secret, VECTOR), RangeError),
      ...SETTINGS.map(([setting]) => assertThrows(() => read(setting(OTHER, secret)), ConfigError)),
    ];
    for (const error of errors) {
      assertMatch(error.message, message);
      assert(!Deno.inspect(error).includes(CANARY.slice(0, 8)), error.message);
    }
  });
}

Deno.test("a list that begins and ends with quotes is refused as quoted", () => {
  for (const [setting] of SETTINGS) {
    const [[name = "", value] = []] = Object.entries(setting(SECRET));
    assertThrows(() => read({ [name]: `"${value}"` }), ConfigError, "in quotes");
  }
});
