// Who may call, seen from outside: it fails closed, before anything is read or asked.
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import {
  chunkedBody,
  IDS,
  KEY,
  outcomeOf,
  post,
  SECRET,
  TASK_PATH,
  TOKEN,
} from "../helpers/endpoint.ts";
import { endpointAt, SECONDS, signedRequest } from "../helpers/signature.ts";

const OTHER_KEY = "another-key-0123456789";

const signatureOf = (init: RequestInit) =>
  new Headers(init.headers).get("webhook-signature") ?? "missing";

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
    const { platform, send } = endpointAt();
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
  const { get, bearer, log } = endpointAt({ RESOLVE_API_KEYS: `${KEY}, ${OTHER_KEY}` });
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
  const secretsAlone = endpointAt({ RESOLVE_API_KEYS: "" });
  assertEquals((await secretsAlone.bearer(IDS)).status, 401);
  assertEquals((await secretsAlone.get(TASK_PATH)).status, 401);
  assertEquals((await secretsAlone.webhook(IDS)).status, 503);
  const keysAlone = endpointAt({ RESOLVE_WEBHOOK_SECRETS: "" });
  assertEquals((await keysAlone.webhook(IDS)).status, 401);
  assertEquals((await keysAlone.bearer(IDS)).status, 202);
});

Deno.test("Authorization decides if it is present", async () => {
  const { send, platform } = endpointAt();
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
    const response = await send("/resolve", await signedRequest(headers));
    assertEquals(response.status, status, JSON.stringify(headers));
  }
  assertEquals(platform.count(), 4);
});

Deno.test("X-API-Key is a key next to any Authorization; a wrong one is ignored", async () => {
  const { send, log } = endpointAt();
  const foreign = { authorization: "Bearer a.token.of-the-platform" };
  const key = { "x-api-key": KEY };
  const bearer = { authorization: `Bearer ${KEY}` };
  const wrong = { "x-api-key": "a-key-of-the-gateway" };
  const cases: [headers: Record<string, string>, get: number, resolve: number, signed: number][] = [
    [key, 202, 202, 202],
    [{ ...key, ...foreign }, 202, 202, 202],
    [{ ...key, ...bearer }, 202, 202, 202],
    [{ ...wrong, ...bearer }, 202, 202, 202],
    [{ ...wrong, ...foreign }, 401, 401, 401],
    [wrong, 401, 401, 503], // the signature decides
    [{ "x-api-key": `Bearer ${KEY}` }, 401, 401, 503],
    [{ "x-api-key": `${KEY}, ${KEY}` }, 401, 401, 503],
  ];
  for (const [headers, ...expected] of cases) {
    const inits = [{ headers }, post(IDS, { headers }), await signedRequest(headers)];
    const statuses = [];
    for (const [n, init] of inits.entries()) {
      statuses.push((await send(n === 0 ? TASK_PATH : "/resolve", init)).status);
      const auth = { 202: "bearer", 401: "none", 503: "webhook" }[statuses.at(-1) ?? 0];
      assertEquals(log.at(-1)?.auth, auth);
    }
    assertEquals(statuses, expected, JSON.stringify(headers));
  }
});

Deno.test("a wrong key is refused before the body is read", async () => {
  const { send } = endpointAt();
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
  const good = signatureOf(await signedRequest());
  const cases: [changed: Record<string, string>, sent?: string][] = [
    [{ "webhook-id": "" }],
    [{ "webhook-timestamp": "" }],
    [{ "webhook-signature": "" }],
    [{ "webhook-id": "msg_2" }],
    [{ "webhook-timestamp": String(SECONDS + 1) }],
    [{ "webhook-timestamp": `${SECONDS}.0` }],
    [{ "webhook-signature": good.replace("v1", "v2") }],
    [{ "webhook-signature": `v1,${btoa("x".repeat(32))}` }],
    [{}, JSON.stringify({ ...IDS, task_id: "t-2" })],
    [{}, JSON.stringify(IDS) + " "],
    [{}, ""],
  ];
  for (const [changed, sent] of cases) {
    const { send, platform, log } = endpointAt();
    const response = await send("/resolve", await signedRequest(changed, sent));
    const said = JSON.stringify([changed, sent]);
    assertNotEquals(response.headers.get("www-authenticate"), null, said);
    assertEquals(await outcomeOf(response), [401, "unauthorized"], said);
    assertEquals(platform.count(), 0, said);
    assert(!JSON.stringify(log).includes(good.slice(3)), said);
  }
});

Deno.test('an unauthenticated request is logged with auth "none"', async () => {
  const { send, log } = endpointAt();
  await send("/resolve", await signedRequest({ authorization: "Bearer wrong" }));
  await send("/resolve", await signedRequest({ "webhook-id": "" }));
  await send("/resolve", await signedRequest({ "webhook-id": "msg_2" }));
  await send("/resolve", await signedRequest());
  const shown = log.map(({ status, auth }) => [status, auth]);
  assertEquals(shown, [[401, "none"], [401, "none"], [401, "none"], [503, "webhook"]]);
});

Deno.test('a bearer request with an invalid body is logged with auth "bearer"', async () => {
  const { bearer, log } = endpointAt();
  await bearer("{");
  await bearer(IDS, { headers: { "content-type": "text/plain" } });
  await bearer("", { headers: { "content-length": "20001" } });
  const shown = log.map(({ status, auth }) => [status, auth]);
  assertEquals(shown, [[400, "bearer"], [415, "bearer"], [413, "bearer"]]);
});
