// Parsers of the endpoint take time linear in the size of foreign text, up to its limit.
import process from "node:process";
import { assert, assertRejects } from "@std/assert";
import { keyVerifier, parseBearer } from "../../functions/auth/bearer.ts";
import { createLinkSigner } from "../../functions/auth/link_token.ts";
import { webhookVerifier } from "../../functions/auth/webhook.ts";
import { checkContentType, parseJson } from "../../functions/http/body.ts";
import { getRequestId } from "../../functions/http/response.ts";
import { isLoopback } from "../../src/internal/loopback.ts";
import { conditionalParts } from "../../functions/task/etag.ts";
import { parseTaskRequest } from "../../functions/task/request.ts";
import { checkCallbackUrl } from "../../functions/watches/callback.ts";
import { parseSignatureHeaders } from "../../src/internal/standard_webhooks.ts";
import { findSecretProblem, splitSecrets } from "../../src/internal/webhook_secret.ts";
import { parseJsonRedacted } from "../../src/internal/json.ts";
import { quote, sanitizeText } from "../../src/internal/text.ts";
import { configWith } from "../helpers/watches.ts";
import { IDS, KEY, post, RUNNING, SECRET, setUp, TASK_PATH } from "../helpers/endpoint.ts";
import { TaskInfo } from "../../mod.ts";

const MIB = 1_048_576;
/** The limit of a request body. */
const BODY = 20_000;
/** The limit of a server's headers and path. */
const HEADERS = 65_536;

/** Texts that make super-linear parsers slow, without characters that a header cannot have. */
const UNITS: Record<string, [unit: string, end?: string]> = {
  digits: ["1", "x"],
  letters: ["a", "!"],
  spaces: [" ", "x"],
  commas: [","],
  "commas and spaces": [", "],
  semicolons: ["a;q=0,"],
  slashes: ["/"],
  dots: ["1."],
  dashes: ["-"],
  plus: ["a+"],
  quotes: ['"\\'],
  brackets: ["["],
  escapes: ["%2"],
  tags: ['W/"a" '],
  versions: ["v1,"],
  signatures: [`v1,${btoa("x".repeat(32))} `],
  "equal signs": ["=", "x"],
  ampersands: ["&ws=w"],
};

const credentialsOf = (text: string) => `{"token":"${text.replaceAll(/["\\]/g, "\\$&")}"}`;
const encode = (text: string) => new TextEncoder().encode(text);
const limits = { allowedOrganizations: [], allowedWorkspaces: [], instance: "app.deepint.net" };
const config = configWith("hooks.example");
const links = createLinkSigner({ secrets: [SECRET], now: Date.now });
const seconds = String(Math.floor(Date.now() / 1_000));
const running = {
  status: "running",
  retry_after: 3,
  task: {
    organization_id: IDS.organization_id,
    workspace_id: IDS.workspace_id,
    info: TaskInfo.fromDict(RUNNING).toDict(),
  },
} as const;

function headersWith(change: Record<string, string>): Pick<Headers, "get"> {
  const headers: Record<string, string> = {
    "webhook-id": "msg_1",
    "webhook-timestamp": seconds,
    "webhook-signature": `v1,${btoa("x".repeat(32))}`,
    ...change,
  };
  return { get: (name) => headers[name] ?? null };
}

/** Headers that have this value under each name but content-encoding. */
function onlyHeader(value: string): Headers {
  const headers = new Headers();
  return Object.assign(headers, { get: () => value, has: () => false });
}

/** Shows a mismatch to the diagnosis, which anyone can cause. */
async function explain(text: string): Promise<void> {
  const verifier = webhookVerifier([SECRET]);
  const signature = verifier.parse(headersWith({}) as Headers);
  assert(!("problem" in signature));
  await verifier.explain(signature, encode(JSON.stringify({ text })));
}

/** Sends a request with the text to an endpoint that has every route. */
async function send(path: string, init: RequestInit = {}): Promise<void> {
  const endpoint = setUp({ RESOLVE_LINK_SECRETS: LINK_SECRET, ...CORS });
  endpoint.platform.add({ id: "t-1", status: "success" });
  await (await endpoint.send(path, init)).body?.cancel();
}

const LINK_SECRET = `whsec_${btoa("a link secret of more than 24 bytes")}`;
const CORS = { RESOLVE_CORS_ORIGINS: "https://app.example.com" };
const authorization = `Bearer ${KEY}`;

/** The text of a task's page, with a foreign text in each field. */
async function renderPage(text: string): Promise<void> {
  const { pageOf } = await import("../../functions/status_page/view.ts");
  const info = { ...running.task.info, name: text, subtask: text, user_name: text };
  const answer = { ...running, task: { ...running.task, info } };
  await pageOf(answer, { now: Date.now(), refresh: 3 });
}

const PARSERS: Record<string, [limit: number, parse: (text: string) => unknown]> = {
  Authorization: [MIB, (text) => parseBearer(`Bearer ${text}`)],
  "X-API-Key": [MIB, keyVerifier([KEY])],
  "a list of secrets": [BODY, (text) => splitSecrets(text).map(findSecretProblem)],
  "a secret": [MIB, (text) => findSecretProblem(`whsec_${text}`)],
  "webhook-id": [
    MIB,
    (text) => parseSignatureHeaders(headersWith({ "webhook-id": text }), { now: 0 }),
  ],
  "webhook-timestamp": [
    MIB,
    (text) => parseSignatureHeaders(headersWith({ "webhook-timestamp": text }), { now: 0 }),
  ],
  "webhook-signature": [
    MIB,
    (text) =>
      parseSignatureHeaders(headersWith({ "webhook-signature": text }), { now: Date.now() }),
  ],
  "a body with a wrong signature": [BODY, explain],
  "a link token": [MIB, (text) => links.verifyToken(`v1.${text}.${"A".repeat(43)}`)],
  "If-None-Match": [MIB, (text) => conditionalParts({ status: 202, body: running }, text)],
  "Content-Type": [
    MIB,
    (text) => checkContentType(onlyHeader(`a/${text}`)),
  ],
  "X-Request-Id": [MIB, (text) => getRequestId(onlyHeader(text))],
  "a host": [MIB, isLoopback],
  Accept: [HEADERS, (text) => send("/status/x", { headers: { accept: text } })],
  Origin: [HEADERS, (text) => send(TASK_PATH, { headers: { origin: text, authorization } })],
  "a path": [HEADERS, (text) => send(`/organizations/${encodeURIComponent(text)}/workspaces/x`)],
  "a query": [HEADERS, (text) => send(`/health?${text}`)],
  "a JSON body": [BODY, (text) => parseJson(encode(text))],
  "a URL in a body": [BODY, (text) => parseTaskRequest({ url: text }, limits)],
  "a task URL in a body": [
    BODY,
    (text) => parseTaskRequest({ url: `https://app.deepint.net/o/${text}` }, limits),
  ],
  "an id in a body": [BODY, (text) => parseTaskRequest({ ...IDS, task_id: text }, limits)],
  "an id in a task": [
    BODY,
    (text) => parseTaskRequest({ task: { ...IDS, info: { id: text } } }, limits),
  ],
  "an event": [BODY, (text) => parseTaskRequest({ type: text, data: { url: text } }, limits)],
  "many members": [
    BODY,
    (text) => send("/resolve", post({ ...text.split("") }, { headers: { authorization } })),
  ],
  callback_url: [BODY, (text) => checkCallbackUrl(`https://${text}`, "#/callback_url", config)],
  "a response that echoes the token": [
    MIB,
    (text) => parseJsonRedacted(credentialsOf(text), "a-token-of-some-length"),
  ],
  "text for a message": [MIB, (text) => [sanitizeText(text), quote(text)]],
  "a task on the status page": [MIB, renderPage],
};

/** Least CPU time of three runs in ms, which other processes do not change. A refusal counts, too. */
async function time(parse: (text: string) => unknown, text: string): Promise<number> {
  let shortest = Infinity;
  for (let run = 0; run < 3; run++) {
    const before = process.cpuUsage();
    try {
      await parse(text);
    } catch {
      // refused
    }
    const { user, system } = process.cpuUsage(before);
    shortest = Math.min(shortest, (user + system) / 1_000);
  }
  return shortest;
}

/** Measurements until a parser counts as super-linear: other processes can disturb one. */
const MEASUREMENTS = 3;

/** Compares the time for a text at the limit with that for a quarter of it. */
async function checkLinear(
  [limit, parse]: [limit: number, parse: (text: string) => unknown],
  [unit, end = ""]: [unit: string, end?: string],
): Promise<void> {
  const textOf = (size: number) => unit.repeat(Math.floor(size / unit.length)) + end;
  for (let left = MEASUREMENTS; left > 0; left--) {
    const quarter = await time(parse, textOf(limit / 4));
    const whole = await time(parse, textOf(limit));
    // below 100 ms, caches and the collector decide; super-linear work takes longer
    if (whole < 1_000 && (whole <= 100 || whole <= 8 * quarter)) return;
    assert(
      left > 1,
      `${JSON.stringify(unit)}: ${quarter} ms, and ${whole} ms for four times as much`,
    );
  }
}

for (const [name, parser] of Object.entries(PARSERS)) {
  Deno.test(`parsing ${name} takes time linear in its size`, async () => {
    for (const unit of Object.values(UNITS)) await checkLinear(parser, unit);
  });
}

Deno.test("the check finds a quadratic parser", async () => {
  const parse = (text: string) => /[\d.]+[a-z]/.test(text);
  await assertRejects(() => checkLinear([BODY, parse], ["1"]));
});
