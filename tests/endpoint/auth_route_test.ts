// Who may call, seen from outside: it fails closed, before anything is read or asked.
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { type Config, ConfigError, createApp, readConfig } from "../../functions/app.ts";
import { lazyHandler } from "../../functions/lazy_handler.ts";
import {
  captureConsole,
  chunkedBody,
  IDS,
  KEY,
  outcomeOf,
  post,
  SECRET,
} from "../helpers/endpoint.ts";
import {
  problemOf,
  type Settings,
  setUp,
  signed,
  TASK_PATH,
  textOf,
  TOKEN,
} from "../helpers/endpoint.ts";

const NOW = Date.UTC(2026, 0, 1);
const SECONDS = NOW / 1000;
const OTHER_SECRET = `whsec_${btoa("another-secret-of-32-bytes-lengt")}`;
const OTHER_KEY = "another-key-0123456789";

/** An endpoint at a set time, with a task that runs. */
function endpoint(settings: Settings = {}) {
  const made = setUp(settings, { now: () => NOW });
  made.platform.add({ id: "t-1", status: "running" });
  return made;
}

/** A signed request, some of whose headers are then others; an empty one is left out. */
async function request(changed: Record<string, string> = {}, sent?: string): Promise<RequestInit> {
  const init = await signed(post(IDS), { timestamp: SECONDS });
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(changed)) {
    if (value === "") headers.delete(name);
    else headers.set(name, value);
  }
  return { ...init, headers, ...(sent !== undefined && { body: sent }) };
}

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

Deno.test("a request without a key or with a wrong one is 401 on both routes, without a poll", async () => {
  const wrong = [
    undefined,
    "",
    "Bearer",
    "Bearer ",
    KEY,
    `Basic ${btoa(`user:${KEY}`)}`,
    `Bearer ${KEY}x`,
    `Bearer ${KEY.slice(0, -1)}`,
    `Bearer ${KEY.toUpperCase()}`,
    `Bearer ${TOKEN}`,
    `Bearer ${SECRET}`,
    `Bearer ${KEY},${OTHER_KEY}`,
    `Bearer ${OTHER_KEY}`,
  ];
  for (const authorization of wrong) {
    const { platform, send } = endpoint();
    const headers = authorization === undefined ? {} : { authorization };
    const answers = [await send(TASK_PATH, { headers })];
    answers.push(await send("/resolve", post(IDS, { headers })));
    for (const response of answers) {
      assertMatch(response.headers.get("www-authenticate") ?? "", /^Bearer\b/);
      assertEquals(await outcomeOf(response), [401, "unauthorized"], authorization);
    }
    assertEquals(platform.count(), 0);
  }
});

Deno.test("every active key passes, with Bearer in any case", async () => {
  const { get, bearer, log } = endpoint({ RESOLVE_API_KEYS: `${KEY}, ${OTHER_KEY}` });
  for (const key of [KEY, OTHER_KEY]) {
    for (const authorization of [`Bearer ${key}`, `bearer ${key}`, `BEARER  ${key}`]) {
      const headers = { authorization };
      assertEquals((await get(TASK_PATH, { headers })).status, 202, authorization);
      assertEquals((await bearer(IDS, { headers })).status, 202, authorization);
      assertEquals(log.at(-1)?.auth, "bearer");
    }
  }
});

Deno.test("a key or a signature is 401 if only the other is configured", async () => {
  const secretsAlone = endpoint({ RESOLVE_API_KEYS: "" });
  assertEquals((await secretsAlone.bearer(IDS)).status, 401);
  assertEquals((await secretsAlone.get(TASK_PATH)).status, 401);
  assertEquals((await secretsAlone.webhook(IDS)).status, 503);
  const keysAlone = endpoint({ RESOLVE_WEBHOOK_SECRETS: "" });
  assertEquals((await keysAlone.webhook(IDS)).status, 401);
  assertEquals((await keysAlone.bearer(IDS)).status, 202);
});

Deno.test("Authorization decides if it is present", async () => {
  const { send, platform } = endpoint();
  const right = { authorization: `Bearer ${KEY}` };
  const wrong = { authorization: `Bearer ${KEY}x` };
  const unsigned = { "webhook-signature": `v1,${btoa("x".repeat(32))}` };
  const expired = { "webhook-timestamp": "1" };
  const cases: [headers: Record<string, string>, status: number][] = [
    [{}, 503],
    [right, 202], // a bearer's default, not a webhook's
    [{ ...right, ...unsigned }, 202],
    [{ ...right, ...expired }, 202],
    [wrong, 401],
    [{ authorization: "Basic x" }, 401],
  ];
  for (const [headers, status] of cases) {
    const response = await send("/resolve", await request(headers));
    assertEquals(response.status, status, JSON.stringify(headers));
  }
  assertEquals(platform.count(), 4);
});

Deno.test("a wrong key is refused before the body is read", async () => {
  const { send } = endpoint();
  for (const headers of [{ authorization: `Bearer ${OTHER_KEY}` }, {}]) {
    const { body, state } = chunkedBody(100, 1_000);
    const response = await send("/resolve", post("", { body, headers }));
    assertEquals([response.status, state.read], [401, 0]);
    // also when the body is one that would be refused anyway
    const huge = { ...headers, "content-length": "1000000", "content-type": "text/plain" };
    assertEquals((await send("/resolve", post("", { headers: huge }))).status, 401);
  }
});

Deno.test("a missing, malformed or mismatching signature is 401", async () => {
  const good = signatureOf(await request());
  const cases: [changed: Record<string, string>, sent?: string][] = [
    [{ "webhook-id": "" }],
    [{ "webhook-timestamp": "" }],
    [{ "webhook-signature": "" }],
    [{ "webhook-id": "msg_2" }],
    [{ "webhook-timestamp": String(SECONDS + 1) }],
    ...[`+${SECONDS}`, `${SECONDS}.0`, "1e9", `0${SECONDS}`, `0x${SECONDS.toString(16)}`, "now"]
      .map((time): [Record<string, string>] => [{ "webhook-timestamp": time }]),
    ...["v2", "v1a", "V1", "v11", ""].map((version): [Record<string, string>] => [
      { "webhook-signature": good.replace("v1", version) },
    ]),
    [{ "webhook-signature": good.slice(3) }],
    [{ "webhook-signature": good.slice(0, -1) }],
    [{ "webhook-signature": `v1,${btoa("x".repeat(32))}` }],
    [{ "webhook-signature": "v1," }],
    [{}, JSON.stringify({ ...IDS, task_id: "t-2" })],
    [{}, JSON.stringify(IDS) + " "],
    [{}, ""],
  ];
  for (const [changed, sent] of cases) {
    const { send, platform, log } = endpoint();
    const response = await send("/resolve", await request(changed, sent));
    const said = JSON.stringify([changed, sent]);
    assertNotEquals(response.headers.get("www-authenticate"), null, said);
    assertEquals(await outcomeOf(response), [401, "unauthorized"], said);
    assertEquals(platform.count(), 0, said);
    assert(!JSON.stringify(log).includes(good.slice(3)), said);
  }
});

Deno.test('an unauthenticated request is logged with auth "none"', async () => {
  const { send, log } = endpoint();
  await send("/resolve", await request({ authorization: "Bearer wrong" }));
  await send("/resolve", await request({ "webhook-id": "" }));
  await send("/resolve", await request({ "webhook-id": "msg_2" }));
  await send("/resolve", await request());
  const shown = log.map(({ status, auth }) => [status, auth]);
  assertEquals(shown, [[401, "none"], [401, "none"], [401, "none"], [503, "webhook"]]);
});

Deno.test('a bearer request with an invalid body is logged with auth "bearer"', async () => {
  const { bearer, log } = endpoint();
  await bearer("{");
  await bearer(IDS, { headers: { "content-type": "text/plain" } });
  await bearer("", { headers: { "content-length": "20001" } });
  const shown = log.map(({ status, auth }) => [status, auth]);
  assertEquals(shown, [[400, "bearer"], [415, "bearer"], [413, "bearer"]]);
});

Deno.test("a signature is valid for 300 s in both directions", async () => {
  const { webhook, platform } = endpoint();
  const offsets = [[0, 503], [300, 503], [-300, 503], [301, 401], [-301, 401], [-SECONDS, 401]];
  for (const [offset = 0, status] of offsets) {
    const response = await webhook(IDS, { timestamp: SECONDS + offset });
    assertEquals(response.status, status, `${offset} s`);
  }
  assertEquals(platform.count(), 3);
});

Deno.test("a signature by any active secret passes among others", async () => {
  const { send, webhook } = endpoint({ RESOLVE_WEBHOOK_SECRETS: `${OTHER_SECRET}, ${SECRET}` });
  for (const secret of [SECRET, OTHER_SECRET]) {
    assertEquals((await webhook(IDS, { secret })).status, 503);
  }
  const good = signatureOf(await request());
  const bad = `v1,${btoa("x".repeat(32))}`;
  for (const list of [`${bad} ${good}`, `v1a,abc v2,${good.slice(3)} ${good}`, `${good} ${bad}`]) {
    const response = await send("/resolve", await request({ "webhook-signature": list }));
    assertEquals(response.status, 503, list);
  }
  assertEquals((await endpoint().webhook(IDS, { secret: OTHER_SECRET })).status, 401, "retired");
});

Deno.test("the signature covers the raw bytes of the body", async () => {
  const { webhook } = endpoint();
  const spaced = `\n{ "task_id" : "t\\u002d1",\t"workspace_id":"workspace-1","x":"\u00e9",
    "organization_id":"organization-1" }\r\n`;
  assertEquals((await webhook(spaced)).status, 503);
});

Deno.test("a body or signature that differs in one bit is 401", async () => {
  const { send, platform } = endpoint();
  const good = await request();
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
    refused.push(send("/resolve", await request({ "webhook-signature": signature })));
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
    const { send, platform } = endpoint();
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
  const good = new Headers((await request()).headers);
  const others: Record<string, string> = {
    "webhook-id": "msg_2",
    "webhook-timestamp": String(SECONDS + 1),
  };
  for (const [name, other] of Object.entries(others)) {
    const own = good.get(name) ?? "";
    for (const values of [[own, other], [other, own], [own, own]]) {
      const { send, platform } = endpoint();
      const headers = new Headers(good);
      headers.delete(name);
      for (const value of values) headers.append(name, value);
      const response = await send("/resolve", { ...await request(), headers });
      assertEquals([response.status, platform.count()], [401, 0], `${name}: ${values}`);
    }
  }
  for (const second of [KEY, OTHER_KEY]) {
    for (const values of [[KEY, second], [second, KEY]]) {
      const { send, platform } = endpoint();
      const headers = new Headers({ "content-type": "application/json" });
      for (const value of values) headers.append("authorization", `Bearer ${value}`);
      const response = await send("/resolve", post(IDS, { headers }));
      assertEquals([response.status, platform.count()], [401, 0], values.join());
    }
  }
});

Deno.test("a signature in a repeated header counts", async () => {
  const { send, platform } = endpoint();
  const none = `v1,${btoa("x".repeat(32))}`;
  const own = signatureOf(await request());
  const headers = new Headers((await request({ "webhook-signature": none })).headers);
  headers.append("webhook-signature", none);
  assertEquals((await send("/resolve", { ...await request(), headers })).status, 401);
  headers.append("webhook-signature", own);
  const response = await send("/resolve", { ...await request(), headers });
  assertEquals([response.status, platform.count()], [503, 1]);
});

Deno.test("a repeated webhook-id is answered with a fresh poll", async () => {
  const { send, platform } = setUp({}, { now: () => NOW });
  platform.add({ id: "t-1", steps: [{ status: "running", polls: 2 }, { status: "success" }] });
  const statuses: number[] = [];
  for (let delivery = 0; delivery < 3; delivery++) {
    statuses.push((await send("/resolve", await request())).status);
  }
  assertEquals([statuses, platform.count()], [[503, 503, 200], 3]);
});

Deno.test("a likely mistake of the sender is explained in the log, not in the response", async () => {
  const cases: [mistake: RegExp, request: RequestInit][] = [
    [/body|bytes/, await request({}, JSON.stringify(IDS, null, 2))],
    [/body|bytes/, await request({}, JSON.stringify(IDS) + "\n")],
    [/white space/, await request({ "webhook-signature": await signedWithText(`${SECRET}\n`) })],
  ];
  const plain = endpoint();
  const unlike = await plain.send("/resolve", await request({ "webhook-id": "msg_2" }));
  const { detail } = await problemOf(unlike);
  assertEquals(plain.log[0]?.hint, undefined, "nothing is known of this one");
  for (const [mistake, init] of cases) {
    const { send, log } = endpoint();
    const response = await send("/resolve", init);
    assertMatch(log[0]?.hint ?? "no hint", mistake);
    assert(!/whsec|v1,|canary/.test(log[0]?.hint ?? ""));
    assertEquals((await problemOf(response)).detail, detail, "the same as for any other");
  }
});

const OPEN = {
  RESOLVE_ALLOW_UNAUTHENTICATED: "1",
  RESOLVE_API_KEYS: "",
  RESOLVE_WEBHOOK_SECRETS: "",
};

/** Asks an open endpoint for the task, as a server hands over the request and who sent it. */
async function askOpen(origin: string, peer?: string, authorization?: string) {
  const { app, platform, log } = setUp(OPEN, { allowUnauthenticated: true });
  platform.add({ id: "t-1", status: "running" });
  const connection = peer === undefined ? undefined : { remoteAddr: { hostname: peer } };
  const headers = authorization === undefined ? {} : { authorization };
  const asked = [
    new Request(origin + TASK_PATH, { headers }),
    new Request(`${origin}/resolve`, post(IDS, { headers })),
  ];
  const statuses: number[] = [];
  for (const one of asked) statuses.push((await app.fetch(one, connection)).status);
  return { statuses, asked: platform.count(), auth: log.map(({ auth }) => auth) };
}

Deno.test("RESOLVE_ALLOW_UNAUTHENTICATED serves a loopback Host and peer without authentication", async () => {
  for (const host of ["localhost", "127.0.0.1:8000", "[::1]:8000", "127.8.9.1"]) {
    for (const peer of [undefined, "127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
      const { statuses, auth } = await askOpen(`http://${host}`, peer);
      assertEquals(
        [statuses, auth],
        [[202, 202], ["unauthenticated", "unauthenticated"]],
        `${host} ${peer}`,
      );
    }
  }
});

Deno.test("RESOLVE_ALLOW_UNAUTHENTICATED refuses a Host or peer that is not loopback", async () => {
  const hosts = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"];
  for (const host of [...hosts, "[::]", "0.0.0.0", "128.0.0.1", "[::2]", "xlocalhost"]) {
    const { statuses, asked } = await askOpen(`http://${host}`, "127.0.0.1");
    assertEquals([statuses, asked], [[403, 403], 0], host);
  }
  for (const peer of ["10.0.0.1", "::2", "192.168.127.1", "::ffff:10.0.0.1", "x127.0.0.1"]) {
    const { statuses, asked } = await askOpen("http://localhost:8000", peer);
    assertEquals([statuses, asked], [[403, 403], 0], peer);
  }
  assertEquals((await askOpen("http://localhost", "::1", "Bearer wrong")).statuses, [401, 401]);
});

Deno.test("RESOLVE_ALLOW_UNAUTHENTICATED refuses forwarded requests", async () => {
  const names = ["forwarded", "x-forwarded-for", "x-forwarded-host", "X-Forwarded-Anything", "via"];
  for (const name of names) {
    const { app, platform } = setUp(OPEN, { allowUnauthenticated: true });
    platform.add({ id: "t-1", status: "success" });
    const init = post(IDS, { headers: { [name]: "203.0.113.9" } });
    const request = new Request("http://localhost:8000/resolve", init);
    const response = await app.fetch(request, { remoteAddr: { hostname: "127.0.0.1" } });
    const { code } = await problemOf(response);
    assertEquals([response.status, code, platform.count()], [403, "HOST_NOT_ALLOWED", 0], name);
  }
});

Deno.test("RESOLVE_ALLOW_UNAUTHENTICATED refuses forwarded requests on every route", async () => {
  const { app, log } = setUp(OPEN, { allowUnauthenticated: true });
  const paths = ["/health", "/ready", "/openapi.json", "/problems/forbidden", "/none", "/"];
  for (const path of [...paths, TASK_PATH, "/resolve"]) {
    for (const method of ["GET", "POST", "OPTIONS"]) {
      const url = `http://localhost:8000${path}`;
      const headers = { via: "1.1 proxy.example" };
      const response = await app.fetch(new Request(url, { method, headers }));
      assertEquals(await outcomeOf(response), [403, "forbidden"], `${method} ${path}`);
    }
  }
  assertEquals(
    new Set(log.map(({ auth, problem }) => `${auth} ${problem}`)),
    new Set(["none forbidden"]),
  );
  const foreign = await app.fetch(new Request("http://evil.example/health"));
  assertEquals(await outcomeOf(foreign), [403, "forbidden"], "a Host that is not loopback");
  assertEquals((await app.fetch(new Request("http://localhost:8000/health"))).status, 200);
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
      const { send } = endpoint({ RESOLVE_WEBHOOK_SECRETS: secrets });
      const signatures = Array.from({ length: count }, () => `v1,${btoa("x".repeat(32))}`);
      const init = await request({ "webhook-signature": signatures.join(" ") });
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
    const { send } = endpoint();
    const id = "m".repeat(length);
    const init = await signed(post(IDS), { id, timestamp: SECONDS });
    assertEquals((await send("/resolve", init)).status, status, `${length}`);
    const { body, state } = chunkedBody(100, 1_000);
    if (status === 401) await send("/resolve", { ...init, body });
    assertEquals(state.read, 0);
  }
});

Deno.test("RESOLVE_ALLOW_UNAUTHENTICATED is refused by entries that do not bind loopback", async () => {
  const environment = { ...OPEN, DEEPINT_TOKEN: TOKEN };
  const keyed = { ...environment, RESOLVE_API_KEYS: KEY };
  for (const env of [environment, keyed] as Record<string, string>[]) {
    let refused: unknown;
    try {
      readConfig(env);
    } catch (error) {
      refused = error;
    }
    assert(refused instanceof ConfigError && refused.variable === "RESOLVE_ALLOW_UNAUTHENTICATED");
    using _output = captureConsole();
    const response = await lazyHandler((name) => env[name])(new Request("http://localhost/health"));
    assert((await textOf(response)).includes("RESOLVE_ALLOW_UNAUTHENTICATED"));
    assertEquals(await outcomeOf(response), [503, "misconfigured"]);
  }
});

Deno.test("an app without keys, secrets and the setting refuses every request", async () => {
  const config: Config = {
    ...readConfig({ ...OPEN, DEEPINT_TOKEN: TOKEN }, { allowUnauthenticated: true }),
  };
  const app = createApp({ ...config, allowUnauthenticated: false }, {
    log: () => {},
    now: () => NOW,
  });
  for (const authorization of ["", "Bearer", "Bearer ", "Bearer undefined"]) {
    const headers = { authorization };
    assertEquals((await app.request(TASK_PATH, { headers })).status, 401, authorization);
  }
  assertEquals((await app.request("/resolve", await request())).status, 401);
  assertEquals((await app.request("/resolve", post(IDS))).status, 401);
});
