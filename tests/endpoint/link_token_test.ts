// Signed links: what is in one, who can make one, and until when it is good.
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { createLinkSigner } from "../../functions/auth/link_token.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import { isSigned } from "../helpers/endpoint.ts";

const SECRET = `whsec_${btoa("canary-link-secret-of-32-bytes..")}`;
const OTHER = `whsec_${btoa("another-link-secret-of-32-bytes.")}`;
const IDS = { organizationId: "o-1", workspaceId: "w_2", taskId: "t-3" };
const DAY = 86_400_000;
const NOON = Date.parse("2026-01-01T12:00:00Z");

const at = (ms: number, secrets = [SECRET], ttl = DAY) =>
  createLinkSigner({ secrets, ttl, now: () => ms });

/** The bytes of base64url as text. */
const decode = (text: string) => atob(text.replaceAll("-", "+").replaceAll("_", "/"));
const encode = (text: string) =>
  btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** A token as whoever has the secret could make it, by Web Crypto alone. */
async function forge(payload: string, secret = SECRET): Promise<string> {
  const raw = Uint8Array.from(atob(secret.slice(6)), (char) => char.charCodeAt(0));
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", raw, algorithm, false, ["sign"]);
  const signed = `v1.${encode(payload)}`;
  const mac = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(signed));
  return `${signed}.${encode(String.fromCharCode(...new Uint8Array(mac)))}`;
}

Deno.test("a link token is v1, a payload and their HMAC-SHA256", async () => {
  const token = await at(NOON).createToken(IDS);
  const [version, payload = "", mac = ""] = token.split(".");
  assertEquals([version, mac.length], ["v1", 43]);
  assertMatch(token, /^[A-Za-z0-9._-]+$/);
  const exp = NOON / 1000 + 86_400;
  assertEquals(JSON.parse(decode(payload)), { o: "o-1", w: "w_2", t: "t-3", exp });
  assertEquals(await forge(decode(payload)), token, "as anybody with the secret makes it");
  assertEquals(await at(NOON).verifyToken(token), IDS);
});

Deno.test("a link token is valid for seven eighths to all of its lifetime", async () => {
  const past = fc.integer({ min: 0, max: 4_000_000_000_000 });
  const ttls = fc.integer({ min: 60, max: 2_592_000 }).map((seconds) => seconds * 1000);
  await fc.assert(fc.asyncProperty(past, ttls, async (ms, ttl) => {
    const token = await at(ms, [SECRET], ttl).createToken(IDS);
    const read = (then: number) => at(then, [SECRET], ttl).verifyToken(token);
    assertEquals(await read(ms + ttl), undefined);
    assertEquals(await read(ms + Math.floor(ttl * 7 / 8) - 1000), IDS);
  }));
});

Deno.test("a link token stays the same for an eighth of its lifetime", async () => {
  const [first, last, next] = await Promise.all(
    [NOON, NOON + DAY / 8 - 1, NOON + DAY / 8].map((ms) => at(ms).createToken(IDS)),
  );
  assertEquals(first, last);
  assertNotEquals(last, next);
});

Deno.test("a link token expires in the second that it names", async () => {
  const token = await forge(JSON.stringify({ o: "o-1", w: "w_2", t: "t-3", exp: NOON / 1000 }));
  assertEquals(await at(NOON - 1).verifyToken(token), IDS);
  assertEquals(await at(NOON).verifyToken(token), undefined);
  for (const exp of [undefined, null, "", "x", -1, "4000000000", 4e9 + 0.5, 1e300, true, [4e9]]) {
    const forever = await forge(JSON.stringify({ o: "o-1", w: "w_2", t: "t-3", exp }));
    assertEquals(await at(NOON).verifyToken(forever), undefined, `exp ${exp}`);
  }
});

Deno.test("the first secret signs links and all secrets verify them", async () => {
  const old = await at(NOON).createToken(IDS);
  const both = at(NOON, [OTHER, SECRET]);
  assertEquals(await both.verifyToken(old), IDS);
  const fresh = await both.createToken(IDS);
  assertEquals(await at(NOON, [OTHER]).verifyToken(fresh), IDS);
  assertEquals(await at(NOON, [OTHER]).verifyToken(old), undefined, "a secret that was taken away");
  assertEquals(await at(NOON, [SECRET]).verifyToken(fresh), undefined, "a foreign one");
});

Deno.test("a link token with one character changed, removed or added is rejected", async () => {
  const links = at(NOON);
  const token = await links.createToken(IDS);
  const place = fc.integer({ min: 0, max: token.length - 1 });
  const chars = "ABCXYZabcxyz0189-_.=+/ %~\n\0é";
  const change = fc.constantFrom(...chars, "");
  await fc.assert(
    fc.asyncProperty(place, change, fc.boolean(), async (place, change, insert) => {
      const other = token.slice(0, place) + change + token.slice(insert ? place : place + 1);
      assertEquals(await links.verifyToken(other), other === token ? IDS : undefined, other);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("another encoding of the same bytes is rejected", async () => {
  const links = at(NOON);
  const token = await links.createToken(IDS);
  const [, payload = "", mac = ""] = token.split(".");
  // 32 bytes leave two unused bits in the last of 43 characters
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = alphabet.indexOf(mac.slice(-1));
  for (const bits of [1, 2, 3]) {
    const spelled = `v1.${payload}.${mac.slice(0, -1)}${alphabet[last ^ bits]}`;
    assertEquals(await links.verifyToken(spelled), undefined, spelled);
  }
  const base64 = `v1.${payload}.${mac.replaceAll("-", "+").replaceAll("_", "/")}`;
  if (base64 !== token) assertEquals(await links.verifyToken(base64), undefined);
  for (const other of [`${token}=`, `${token}.`, ` ${token}`, token.replace("v1", "V1")]) {
    assertEquals(await links.verifyToken(other), undefined, other);
  }
});

Deno.test("arbitrary text is rejected as a link token", async () => {
  const links = at(NOON);
  const known = ["", ".", "..", "v1..", "v1.a.b", `v1.e30.${"A".repeat(43)}`, "__proto__"];
  for (const text of known) assertEquals(await links.verifyToken(text), undefined, text);
  const text = fc.string({ maxLength: 200 });
  await fc.assert(fc.asyncProperty(text, async (text) => {
    assertEquals(await links.verifyToken(text), undefined);
    assertEquals(await links.verifyToken(`v1.${text}.${"A".repeat(43)}`), undefined);
  }));
});

Deno.test("other content signed with the secret is rejected as a link token", async () => {
  const links = at(NOON);
  const ours = { o: "o-1", w: "w_2", t: "t-3", exp: NOON / 1000 + 60 };
  const read = async (payload: string) => await links.verifyToken(await forge(payload));
  assertEquals(
    await read(JSON.stringify({ ...ours, more: 1 })),
    IDS,
    "a member of a later version",
  );
  const others = ["hello", "null", "[]", "1", '"v1"', "{}", '{"exp":1e999}'];
  for (const payload of others) assertEquals(await read(payload), undefined, payload);
  for (const id of [undefined, null, 1, "", "../t-1", "t-1\n", "a".repeat(129), ["t-1"], {}]) {
    for (const key of ["o", "w", "t"]) {
      const payload = JSON.stringify({ ...ours, [key]: id });
      assertEquals(await read(payload), undefined, payload);
    }
  }
});

Deno.test("webhook signatures and link tokens are not interchangeable under one secret", async () => {
  const links = at(NOON);
  const token = await links.createToken(IDS);
  const [, payload = "", mac = ""] = token.split(".");
  const base64 = btoa(decode(mac));
  // the nearest that a sender can come: its id and time make up what a link signs
  for (
    const [id, body] of [["v1", payload], ["v1", `.${payload}`], [`v1.${payload}`, ""]] as const
  ) {
    const seconds = NOON / 1000;
    const headers = new Headers({
      "webhook-id": id,
      "webhook-timestamp": String(seconds),
      "webhook-signature": `v1,${base64}`,
    });
    const options = { secrets: [SECRET], now: () => NOON };
    assert(!await isSigned(headers, new TextEncoder().encode(body), options));
    const signature = (await signWebhook(SECRET, { id, timestamp: seconds, body })).slice(3);
    assertEquals(await links.verifyToken(`v1.${payload}.${encode(atob(signature))}`), undefined);
  }
});

Deno.test("a task's token is signed once, among many tasks", async () => {
  const { subtle } = crypto;
  const { sign } = subtle;
  let signed = 0;
  subtle.sign = (...args) => {
    signed++;
    return sign.apply(subtle, args);
  };
  try {
    const links = at(NOON);
    const tokens = new Set<string>();
    for (let i = 0; i < 3_000; i++) {
      tokens.add(await links.createToken({ ...IDS, taskId: `t-${i}` }));
      assert(tokens.has(await links.createToken({ ...IDS, taskId: `t-${i}` })));
    }
    assertEquals([signed, tokens.size], [3_000, 3_000]);
  } finally {
    subtle.sign = sign;
  }
});
