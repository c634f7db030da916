// Receiving events: codes, forms of a request, secrets and the events of real watches.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Credentials, DeepintBaseError, Task } from "../../mod.ts";
import { createStep } from "../../functions/watches/step.ts";
import { newWatch } from "../../functions/watches/state.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import {
  DeepintWebhookError,
  type ReceivedRequest,
  verifyEvent,
  type WatchEvent,
  type WebhookErrorCode,
} from "../../src/webhook.ts";
import { allRenderings } from "../helpers/client.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";
import { CALLBACK_SECRET, configWith } from "../helpers/watches.ts";
import { TOKEN } from "../helpers/endpoint.ts";

const SECRET = `whsec_${btoa("canary-receiver-secret-of-32-byt")}`;
const OTHER = `whsec_${btoa("another receiver secret, 31 byte")}`;

const TASK = { organization_id: "o-1", workspace_id: "w-1", info: { id: "t-1" } };
const EVENT = {
  type: "task.success",
  timestamp: "2026-01-01T00:00:00.000Z",
  data: { status: "success", result: { source: "s-1" }, task: TASK },
};
const BODY = JSON.stringify(EVENT);

const now = () => Math.floor(Date.now() / 1_000);

/** Signs a body; `changed` replaces headers, and `null` leaves one out. */
async function received(
  body: string = BODY,
  changed: Record<string, string | null> = {},
  { secret = SECRET, age = 0 } = {},
): Promise<{ headers: Record<string, string>; body: string }> {
  const id = "msg_1";
  const timestamp = now() - age;
  const signed = {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": await signWebhook(secret, { id, timestamp, body }),
    ...changed,
  };
  const headers = Object.fromEntries(
    Object.entries(signed).filter((entry): entry is [string, string] => entry[1] !== null),
  );
  return { headers, body };
}

async function assertRefused(
  request: Request | ReceivedRequest,
  code: WebhookErrorCode,
  secrets: string | string[] = SECRET,
): Promise<DeepintWebhookError> {
  const error = await assertRejects(() => verifyEvent(request, secrets), DeepintWebhookError);
  assertEquals(error.code, code, error.message);
  assert(error instanceof DeepintBaseError);
  assertEquals(String(error), `${code}: ${error.message}`);
  return error;
}

Deno.test("verifyEvent() returns the event of a Request, of text and of bytes", async () => {
  const { headers, body } = await received();
  const bytes = new TextEncoder().encode(body);
  const requests: (Request | ReceivedRequest)[] = [
    new Request("https://a.example/", { method: "POST", headers, body }),
    { headers: new Headers(headers), body },
    { headers, body: bytes },
    { headers, body: new Uint8Array([32, ...bytes, 32]).subarray(1, -1) },
  ];
  for (const request of requests) {
    const event = await verifyEvent(request, SECRET);
    assertEquals(event as unknown, EVENT);
  }
});

Deno.test("verifyEvent() reads plain headers in any case, as lists and with absent values", async () => {
  const { headers, body } = await received();
  const upper = Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]);
  await verifyEvent({ headers: Object.fromEntries(upper), body }, SECRET);
  const other = await signWebhook(OTHER, { id: "msg_1", timestamp: now(), body });
  const lists = {
    ...headers,
    "webhook-signature": [other, headers["webhook-signature"] ?? ""],
    "svix-id": undefined,
  };
  await verifyEvent({ headers: lists, body }, SECRET);
});

Deno.test("verifyEvent() accepts svix-* headers if all webhook-* headers are absent", async () => {
  const { headers, body } = await received();
  const svix = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.replace("webhook", "svix"), value]),
  );
  assertEquals((await verifyEvent({ headers: svix, body }, SECRET)).type, "task.success");
  for (const name of Object.keys(headers)) {
    const mixed = { ...svix, [name]: headers[name] };
    const { message } = await assertRefused({ headers: mixed, body }, "MISSING_HEADERS");
    assert(message.includes("webhook-id, webhook-timestamp and webhook-signature"), message);
  }
  const partial = { ...svix, "svix-id": undefined };
  const { message } = await assertRefused({ headers: partial, body }, "MISSING_HEADERS");
  assert(message.includes("svix-id, svix-timestamp and svix-signature"), message);
});

Deno.test("each reason for a refusal has its code", async (t) => {
  const cases: [WebhookErrorCode, string, Record<string, string | null>, string?][] = [
    ["MISSING_HEADERS", "no id", { "webhook-id": null }],
    ["MISSING_HEADERS", "no timestamp", { "webhook-timestamp": null }],
    ["MISSING_HEADERS", "no signature", { "webhook-signature": null }],
    ["MISSING_HEADERS", "an empty id", { "webhook-id": "" }],
    ["MISSING_HEADERS", "an id of 257 characters", { "webhook-id": "i".repeat(257) }],
    ["TIMESTAMP_OUT_OF_RANGE", "a date as timestamp", { "webhook-timestamp": "2026-01-01" }],
    ["TIMESTAMP_OUT_OF_RANGE", "an old timestamp", { "webhook-timestamp": "1614265330" }],
    ["SIGNATURE_MISMATCH", "another id", { "webhook-id": "msg_2" }],
    ["SIGNATURE_MISMATCH", "another timestamp", { "webhook-timestamp": String(now() - 9) }],
    ["SIGNATURE_MISMATCH", "no v1 signature", { "webhook-signature": "v2,AAAA" }],
    ["SIGNATURE_MISMATCH", "another body", {}, `${BODY} `],
  ];
  for (const [code, name, changed, body] of cases) {
    await t.step(name, async () => {
      const request = await received(BODY, changed);
      await assertRefused({ ...request, ...(body && { body }) }, code);
    });
  }
});

Deno.test("a signed body that is not an event of a watch is INVALID_EVENT", async () => {
  const { type, timestamp, data } = EVENT;
  const unresolved = { task: TASK, status: "running", code: "TASK_NOT_FOUND" };
  const bodies: unknown[] = [
    null,
    [],
    "task.success",
    {},
    { type, timestamp },
    { type, data },
    { timestamp, data },
    { type, timestamp: 1_767_225_600, data },
    { type: "invoice.paid", timestamp, data },
    { type: "task.successful", timestamp, data },
    { type, timestamp, data: { ...data, status: "failed" } },
    { type, timestamp, data: { ...data, result: null } },
    { type, timestamp, data: { ...data, result: "s-1" } },
    { type, timestamp, data: { ...data, task: { ...TASK, organization_id: 1 } } },
    { type, timestamp, data: { ...data, task: { ...TASK, workspace_id: undefined } } },
    { type, timestamp, data: { ...data, task: { ...TASK, info: {} } } },
    { type: "task.expired", timestamp, data: { ...unresolved, status: "success" } },
    { type: "task.expired", timestamp, data: { ...unresolved, status: undefined } },
    { type: "task.unresolved", timestamp, data: { ...unresolved, code: undefined } },
  ];
  for (const body of [...bodies.map((body) => JSON.stringify(body)), "", "{", "\xff"]) {
    await assertRefused(await received(body), "INVALID_EVENT");
  }
  const open = [
    { type: "task.expired", timestamp, data: { ...unresolved, status: "pending" } },
    { type: "task.unresolved", timestamp, data: { ...unresolved, status: "unknown" } },
  ];
  for (const event of open) {
    const read = await verifyEvent(await received(JSON.stringify(event)), SECRET);
    assertEquals(read as unknown, event);
  }
});

Deno.test("several secrets verify: in a list, comma-separated, with v1 and without padding", async () => {
  const padded = `whsec_${btoa("a secret of 25 bytes, yes")}`;
  const request = await received(BODY, {}, { secret: padded });
  const forms: (string | string[])[] = [
    padded,
    padded.replaceAll("=", ""),
    `v1,${padded}`,
    [OTHER, padded],
    `${OTHER},${padded}`,
    `v1,${OTHER}, v1,${padded.replaceAll("=", "")} `,
    [`v1,${OTHER}`, `v1,${padded}`],
  ];
  for (const secrets of forms) await verifyEvent(request, secrets);
  for (const secrets of [OTHER, [OTHER], [OTHER, SECRET]]) {
    await assertRefused(request, "SIGNATURE_MISMATCH", secrets);
  }
});

Deno.test("a malformed secret is INVALID_SECRET with its mistake and without its value", async () => {
  const request = await received();
  const base64 = btoa("canary-secret-of-24-byte");
  const cases: [string | string[], RegExp][] = [
    ["", /must begin with whsec_/],
    [[], /must begin with whsec_/],
    [[SECRET, ""], /must begin with whsec_/],
    [base64, /must begin with whsec_/],
    [`"whsec_${base64}"`, /quotes/],
    [`whsec_${base64}\n`, /new lines/],
    [`whsec_${base64.slice(0, -1)}_`, /base64url/],
    [`whsec_${btoa("canary-of-20-bytes..")}`, /base64 of 24 to 64 bytes/],
    [[SECRET, "whsec_Y2FuYXJ5"], /base64 of 24 to 64 bytes/],
  ];
  for (const [secrets, mistake] of cases) {
    const error = await assertRefused(request, "INVALID_SECRET", secrets);
    assert(mistake.test(error.message), `${error.message} for ${secrets}`);
    const renderings = allRenderings(error);
    assert(!renderings.includes("canary") && !renderings.includes(base64.slice(0, 8)));
  }
  for (const unset of [null, undefined]) {
    const verify = () => verifyEvent(request, unset as unknown as string);
    assertEquals((await assertRejects(verify, DeepintWebhookError)).code, "INVALID_SECRET");
  }
});

Deno.test("tolerance is in seconds, 300 by default, in both directions", async () => {
  const at = (age: number) => received(BODY, {}, { age });
  for (const age of [-295, 295]) await verifyEvent(await at(age), SECRET);
  for (const age of [-305, 305]) await assertRefused(await at(age), "TIMESTAMP_OUT_OF_RANGE");
  await verifyEvent(await at(3_500), SECRET, { tolerance: 3_600 });
  await verifyEvent(await at(0), SECRET, { tolerance: undefined });
  const refused = () => at(60).then((request) => verifyEvent(request, SECRET, { tolerance: 30 }));
  assertEquals((await assertRejects(refused, DeepintWebhookError)).code, "TIMESTAMP_OUT_OF_RANGE");
  for (const tolerance of [-1, NaN]) {
    const request = await at(0);
    await assertRejects(() => verifyEvent(request, SECRET, { tolerance }), RangeError, "tolerance");
  }
});

Deno.test("a parsed or used body is a TypeError that names the mistake", async () => {
  const { headers, body } = await received();
  for (const parsed of [EVENT, undefined, null, 5, new ArrayBuffer(2)]) {
    const request = { headers, body: parsed as unknown as string };
    await assertRejects(() => verifyEvent(request, SECRET), TypeError, "not parsed");
  }
  const used = new Request("https://a.example/", { method: "POST", headers, body });
  await used.text();
  await assertRejects(() => verifyEvent(used, SECRET), TypeError);
});

Deno.test("the headers are checked before the body is read", async () => {
  const { headers, body } = await received(BODY, { "webhook-timestamp": "5" });
  const request = new Request("https://a.example/", { method: "POST", headers, body });
  await assertRefused(request, "TIMESTAMP_OUT_OF_RANGE");
  assert(!request.bodyUsed);
});

/** Delivers the event of a watch, as the endpoint does. */
async function deliveredEvent(status: string | null, deadline: number): Promise<WatchEvent> {
  const config = configWith("a.example");
  const platform = createFakePlatform({ token: TOKEN });
  if (status) {
    const outcome = status === "success" ? { result: "s-1", result_type: "source" } : {};
    platform.add({ id: "t-1", status, ...outcome });
  }
  const ids = { organizationId: "organization-1", workspaceId: "workspace-1", taskId: "t-1" };
  const callbackUrl = "https://a.example/events";
  let delivered: Request | undefined;
  let time = Date.now();
  const step = createStep(config, {
    fetch: platform.fetch,
    callbackFetch: (url, init) => {
      delivered = new Request(url, init);
      return Promise.resolve(new Response());
    },
    now: () => time,
    log() {},
  });
  let watch = newWatch({ id: "w", instance: config.instance, ids, callbackUrl, deadline }, time);
  while (watch.state === "watching") {
    time = watch.dueAt;
    ({ watch } = await step(watch));
  }
  assert(delivered, watch.state);
  // steps that wait are in the future of the real clock
  return await verifyEvent(delivered, CALLBACK_SECRET, { tolerance: 86_400 });
}

Deno.test("the four events of real watches are verified and narrow by their type", async () => {
  const success = await deliveredEvent("success", 60_000);
  assert(success.type === "task.success");
  assertEquals(success.data.result.source, "s-1");
  const failed = await deliveredEvent("failed", 60_000);
  assert(failed.type === "task.failed");
  assertEquals(failed.data.task.info.status, "failed");
  const expired = await deliveredEvent("running", 60_000);
  assert(expired.type === "task.expired");
  assertEquals(expired.data.status, "running");
  const unresolved = await deliveredEvent(null, 3_600_000);
  assert(unresolved.type === "task.unresolved");
  assertEquals(unresolved.data.code, "TASK_NOT_FOUND");
  // the task of an event can be followed further
  const credentials = new Credentials({ token: TOKEN });
  assertEquals(Task.fromDict(success.data.task, { credentials }).info.result, "s-1");
});
