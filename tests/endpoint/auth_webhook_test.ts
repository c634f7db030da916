// Signed requests, seen from outside.
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  chunkedBody,
  IDS,
  KEY,
  post,
  problemOf,
  SECRET,
  setUp,
  signed,
} from "../helpers/endpoint.ts";
import { endpointAt, NOW, SECONDS, signedRequest } from "../helpers/signature.ts";

const OTHER_SECRET = `whsec_${btoa("another-secret-of-32-bytes-lengt")}`;
const OTHER_KEY = "another-key-0123456789";

const signatureOf = (init: RequestInit) =>
  new Headers(init.headers).get("webhook-signature") ?? "missing";

/** HMAC-SHA256 with a key of text, as a sender makes it who did not decode the secret. */
async function signedWithText(secret: string): Promise<string> {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes(secret), algorithm, false, ["sign"]);
  const content = bytes(`msg_1.${SECONDS}.${JSON.stringify(IDS)}`);
  const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, content));
  return `v1,${btoa(String.fromCharCode(...signature))}`;
}

Deno.test("the signature covers the raw bytes of the body", async () => {
  const { webhook } = endpointAt();
  const spaced = `\n{ "task_id" : "t\\u002d1",\t"workspace_id":"workspace-1","x":"\u00e9",
    "organization_id":"organization-1" }\r\n`;
  assertEquals((await webhook(spaced)).status, 503);
});

Deno.test("a body or signature that differs in one bit is 401", async () => {
  const { send, platform } = endpointAt();
  const good = await signedRequest();
  const body = new TextEncoder().encode(JSON.stringify(IDS));
  const refused: Promise<Response>[] = [];
  for (let at = 0; at < body.length; at++) {
    const sent = body.slice();
    sent[at] = (sent[at] ?? 0) ^ (1 << at % 8);
    refused.push(send("/resolve", { ...good, body: sent }));
  }
  for (let at = 0; at < body.length; at += 7) {
    for (const sent of [[...body].toSpliced(at, 1), [...body].toSpliced(at, 0, 0x20)]) {
      refused.push(send("/resolve", { ...good, body: Uint8Array.from(sent) }));
    }
  }
  const mac = atob(signatureOf(good).slice(3));
  for (let bit = 0; bit < 256; bit++) {
    const bytes = Uint8Array.from(mac, (char) => char.charCodeAt(0));
    bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << bit % 8);
    const signature = `v1,${btoa(String.fromCharCode(...bytes))}`;
    refused.push(send("/resolve", await signedRequest({ "webhook-signature": signature })));
  }
  const statuses = new Set((await Promise.all(refused)).map(({ status }) => status));
  assertEquals([[...statuses], platform.count()], [[401], 0]);
  assertEquals((await send("/resolve", { ...good, body })).status, 503, "unchanged, it passes");
});

Deno.test("a signature over another encoding of the body is 401", async () => {
  const text = JSON.stringify({ ...IDS, note: "caf\u00e9" });
  const utf8 = new TextEncoder().encode(text);
  const utf16 = new Uint8Array(Uint16Array.from(text, (char) => char.charCodeAt(0)).buffer);
  const encodings: Record<string, Uint8Array<ArrayBuffer>> = {
    "UTF-16": utf16,
    "UTF-16 with a byte order mark": Uint8Array.of(0xff, 0xfe, ...utf16),
    "Latin-1": Uint8Array.from(text, (char) => char.charCodeAt(0)),
    "UTF-8 in NFD": new TextEncoder().encode(text.normalize("NFD")),
    "UTF-8 with a byte order mark": Uint8Array.of(0xef, 0xbb, 0xbf, ...utf8),
    "base64": new TextEncoder().encode(btoa(String.fromCharCode(...utf8))),
  };
  const sentAsSigned: Record<string, number> = {};
  for (const [name, bytes] of Object.entries(encodings)) {
    const { send, platform } = endpointAt();
    const other = await signed(post("", { body: bytes }), { timestamp: SECONDS });
    assertEquals((await send("/resolve", { ...other, body: utf8 })).status, 401, name);
    const usual = await signed(post("", { body: utf8 }), { timestamp: SECONDS });
    assertEquals((await send("/resolve", { ...usual, body: bytes })).status, 401, name);
    assertEquals(platform.count(), 0, name);
    sentAsSigned[name] = (await send("/resolve", other)).status;
  }
  assertEquals(sentAsSigned, {
    "UTF-16": 400,
    "UTF-16 with a byte order mark": 400,
    "Latin-1": 400,
    "UTF-8 in NFD": 503,
    "UTF-8 with a byte order mark": 503, // which a reader may ignore (RFC 8259, 8.1)
    "base64": 400,
  });
});

Deno.test("a repeated authentication header is 401", async () => {
  const good = new Headers((await signedRequest()).headers);
  const others: Record<string, string> = {
    "webhook-id": "msg_2",
    "webhook-timestamp": String(SECONDS + 1),
  };
  for (const [name, other] of Object.entries(others)) {
    const own = good.get(name) ?? "";
    for (const values of [[own, other], [other, own], [own, own]]) {
      const { send, platform } = endpointAt();
      const headers = new Headers(good);
      headers.delete(name);
      for (const value of values) headers.append(name, value);
      const response = await send("/resolve", { ...await signedRequest(), headers });
      assertEquals([response.status, platform.count()], [401, 0], `${name}: ${values}`);
    }
  }
  for (const second of [KEY, OTHER_KEY]) {
    for (const values of [[KEY, second], [second, KEY]]) {
      const { send, platform } = endpointAt();
      const headers = new Headers({ "content-type": "application/json" });
      for (const value of values) headers.append("authorization", `Bearer ${value}`);
      const response = await send("/resolve", post(IDS, { headers }));
      assertEquals([response.status, platform.count()], [401, 0], values.join());
    }
  }
});

Deno.test("a sender that signs with svix-* headers is served", async () => {
  const { send, log } = endpointAt();
  const init = await signedRequest();
  const headers = [...new Headers(init.headers)].map(([name, value]): [string, string] => [
    name.replace(/^webhook-/, "svix-"),
    value,
  ]);
  assertEquals((await send("/resolve", { ...init, headers })).status, 503);
  assertEquals(log.at(-1)?.auth, "webhook");
  const mixed = [...headers, ["webhook-id", "msg_1"] as [string, string]];
  assertEquals((await send("/resolve", { ...init, headers: mixed })).status, 401);
  const reserialized = JSON.stringify(IDS, null, 1);
  assertEquals((await send("/resolve", { ...init, headers, body: reserialized })).status, 401);
  assertMatch(log.at(-1)?.hint ?? "", /re-serialized/);
});

Deno.test("only a permanent refusal of a verified delivery stops the sender", async () => {
  const setup = endpointAt({ RESOLVE_ALLOWED_WORKSPACES: "workspace-1" });
  const { webhook, bearer, send, platform } = setup;
  const bodies: [body: unknown, status: number][] = [
    [{ type: "ping", data: { hello: 1 } }, 400],
    ["{", 400],
    [{ ...IDS, workspace_id: "w-9" }, 403],
    [{ ...IDS, task_id: "gone" }, 404],
  ];
  for (const [body, status] of bodies) {
    const verified = await webhook(body);
    assertEquals(verified.headers.get("webhook-delivery"), "abort-message");
    const others = [await bearer(body), await webhook(body, { secret: OTHER_SECRET })];
    assertEquals([verified, ...others].map((it) => it.status), [status, status, 401]);
    for (const { headers } of others) assertEquals(headers.get("webhook-delivery"), null);
  }
  platform.add({ id: "t-2", status: "failed" });
  const passing = [
    await webhook(IDS), // 503, still running
    await webhook({ ...IDS, task_id: "t-2" }), // 200
    await webhook({ ...IDS, task_id: "t-2", raise_on_error: true }), // 424
    await webhook(" ".repeat(20_001)), // 413
    await send("/resolve", await signedRequest({ "content-type": "text/plain" })), // 415
  ];
  platform.inject(() => new Response(null, { status: 401 }));
  passing.push(await webhook(IDS)); // 502
  assertEquals(passing.map(({ status }) => status), [503, 200, 424, 413, 415, 502]);
  for (const { headers } of passing) assertEquals(headers.get("webhook-delivery"), null);
});

Deno.test("a repeated webhook-id is answered with a fresh poll", async () => {
  const { send, platform } = setUp({}, { now: () => NOW });
  platform.add({ id: "t-1", steps: [{ status: "running", polls: 2 }, { status: "success" }] });
  const statuses: number[] = [];
  for (let delivery = 0; delivery < 3; delivery++) {
    statuses.push((await send("/resolve", await signedRequest())).status);
  }
  assertEquals([statuses, platform.count()], [[503, 503, 200], 3]);
});

Deno.test("a likely mistake of the sender is explained in the log, not in the response", async () => {
  const cases: [mistake: RegExp, request: RequestInit][] = [
    [/body|bytes/, await signedRequest({}, JSON.stringify(IDS, null, 2))],
    [/body|bytes/, await signedRequest({}, JSON.stringify(IDS) + "\n")],
    [
      /white space/,
      await signedRequest({ "webhook-signature": await signedWithText(`${SECRET}\n`) }),
    ],
  ];
  const plain = endpointAt();
  const unlike = await plain.send("/resolve", await signedRequest({ "webhook-id": "msg_2" }));
  const { detail } = await problemOf(unlike);
  assertEquals(plain.log[0]?.hint, undefined, "nothing is known of this one");
  for (const [mistake, init] of cases) {
    const { send, log } = endpointAt();
    const response = await send("/resolve", init);
    assertMatch(log[0]?.hint ?? "no hint", mistake);
    assert(!/whsec|v1,|canary/.test(log[0]?.hint ?? ""));
    assertEquals((await problemOf(response)).detail, detail, "the same as for any other");
  }
});

Deno.test("the number of HMACs before authentication depends on the secrets only", async () => {
  const { subtle } = crypto;
  const { sign, verify } = subtle;
  let hmacs = 0;
  Object.assign(subtle, {
    sign: (...args: Parameters<typeof sign>) => (hmacs++, sign.apply(subtle, args)),
    verify: (...args: Parameters<typeof verify>) => (hmacs++, verify.apply(subtle, args)),
  });
  try {
    const secrets = [SECRET, OTHER_SECRET].join();
    const counts = [];
    for (const count of [1, 32, 1_000]) {
      const { send } = endpointAt({ RESOLVE_WEBHOOK_SECRETS: secrets });
      const signatures = Array.from({ length: count }, () => `v1,${btoa("x".repeat(32))}`);
      const init = await signedRequest({ "webhook-signature": signatures.join(" ") });
      await send("/resolve", init); // explains the mismatch, once a second
      hmacs = 0;
      assertEquals((await send("/resolve", init)).status, 401);
      counts.push(hmacs);
    }
    assertEquals(counts, [2, 2, 2]);
  } finally {
    Object.assign(subtle, { sign, verify });
  }
});

Deno.test("a webhook-id of more than 256 characters is 401 before the body is read", async () => {
  for (const [length, status] of [[256, 503], [257, 401], [60_000, 401]] as const) {
    const { send } = endpointAt();
    const id = "m".repeat(length);
    const init = await signed(post(IDS), { id, timestamp: SECONDS });
    assertEquals((await send("/resolve", init)).status, status, `${length}`);
    const { body, state } = chunkedBody(100, 1_000);
    if (status === 401) await send("/resolve", { ...init, body });
    assertEquals(state.read, 0);
  }
});
