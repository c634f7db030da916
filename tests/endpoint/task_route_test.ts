// GET of the task route: for whoever follows Location. Entity tags and HEAD.
import { assertEquals, assertGreaterOrEqual, assertMatch, assertNotEquals } from "@std/assert";
import * as v from "valibot";
import { Finished, Running } from "../../functions/task/response_schema.ts";
import {
  type Endpoint,
  outcomeOf,
  problemOf,
  retryAfterOf,
  setUp,
  signed,
} from "../helpers/endpoint.ts";
import { KEY, RUNNING, SUCCESS, TASK_PATH } from "../helpers/endpoint.ts";

const SOME_TAG = 'W/"0123456789abcdef"';

/** An endpoint whose upstream answers these, in order. */
function setUpWith(...answers: [body: object, headers?: Record<string, string>][]): Endpoint {
  const endpoint = setUp();
  for (const [body, headers = {}] of answers) {
    endpoint.platform.inject(() => Response.json(body, { headers }));
  }
  return endpoint;
}

/** A conditional request for the task. */
const ask = ({ get }: Endpoint, tag: string) =>
  get(TASK_PATH, { headers: { "if-none-match": tag } });

async function tagOf(endpoint: Endpoint): Promise<string> {
  return (await endpoint.get(TASK_PATH)).headers.get("etag") ?? "none";
}

Deno.test("the task route responds like POST /resolve with a key", async () => {
  const { platform, get } = setUp();
  platform.add({ id: "t-1", steps: [{ status: "running" }, SUCCESS] });
  const running = await get(TASK_PATH);
  assertEquals(running.status, 202);
  const body = v.parse(v.strictObject(Running.entries), await running.json());
  assertEquals([body.status, body.retry_after], ["running", retryAfterOf(running)]);
  assertEquals(running.headers.get("location"), TASK_PATH);

  const finished = await get(TASK_PATH);
  assertEquals(finished.status, 200);
  const { result } = v.parse(v.strictObject(Finished.entries), await finished.json());
  assertEquals(result, { source: "s-1" });
  assertEquals(platform.count(), 2);
});

Deno.test("the task route responds with problems for 424, 404, 502, 403 and 400", async () => {
  const { platform, get } = setUp({ RESOLVE_ALLOWED_WORKSPACES: "workspace-1" });
  platform.add({ id: "t-1", status: "failed" });
  platform.add({ id: "t-2", status: "paused" });
  const at = async (path: string) => await outcomeOf(await get(path));
  assertEquals(await at(TASK_PATH), [424, "task-failed"]);
  assertEquals(await at(TASK_PATH.replace("t-1", "t-2")), [502, "unknown-status"]);
  assertEquals(await at(TASK_PATH.replace("t-1", "t-3")), [404, "not-found"]);
  const asked = platform.count();
  assertEquals(await at(TASK_PATH.replace("workspace-1", "workspace-2")), [403, "forbidden"]);
  for (const id of ["a%20b", "a%2Fb", "%252e", "a.b", "%E0%A4%A", "x".repeat(129)]) {
    assertEquals(await at(TASK_PATH.replace("t-1", id)), [400, "invalid-request"], id);
  }
  const { errors } = await problemOf(await get(TASK_PATH.replace("organization-1", "a.b")));
  assertEquals(errors?.map(({ pointer }) => pointer), ["#/organization_id"]);
  assertEquals(platform.count(), asked);
});

Deno.test("RESOLVE_PENDING applies to the task route", async () => {
  const { platform, get } = setUp({ RESOLVE_PENDING: "retry" });
  platform.add({ id: "t-1", status: "running" });
  const response = await get(TASK_PATH);
  retryAfterOf(response);
  assertEquals([response.headers.get("etag"), response.headers.get("cache-control")], [
    null,
    "no-store",
  ]);
  assertEquals(await outcomeOf(response), [503, "task-pending"]);
});

Deno.test("the task route requires a key; a signature is not enough", async () => {
  const { platform, send } = setUp();
  platform.add({ id: "t-1", status: "success" });
  const timestamp = Math.floor(Date.now() / 1000);
  for (const init of [{}, await signed({}, { timestamp })]) {
    const response = await send(TASK_PATH, init);
    assertMatch(response.headers.get("www-authenticate") ?? "", /^Bearer\b/);
    assertEquals(await outcomeOf(response), [401, "unauthorized"]);
  }
  const wrong = await send(TASK_PATH, { headers: { authorization: `Bearer ${KEY}x` } });
  assertEquals(await outcomeOf(wrong), [401, "unauthorized"]);
  assertEquals(platform.count(), 0);
});

Deno.test("200 and 202 have a weak ETag and private, no-cache; other responses no-store", async () => {
  const endpoint = setUpWith([RUNNING], [{ ...RUNNING, status: "failed" }], [SUCCESS]);
  for (const status of [202, 424]) {
    const { status: got, headers } = await endpoint.get(TASK_PATH);
    assertEquals(got, status);
    if (status === 202) assertMatch(headers.get("etag") ?? "", /^W\/"[!#-~]+"$/);
    else assertEquals(headers.get("etag"), null);
    const expected = status === 202 ? "private, no-cache" : "no-store";
    assertEquals(headers.get("cache-control"), expected);
  }
  const finished = setUpWith([SUCCESS]);
  const { headers } = await finished.get(TASK_PATH);
  assertMatch(headers.get("etag") ?? "", /^W\/"[!#-~]+"$/);
  assertEquals(headers.get("cache-control"), "private, no-cache");
});

Deno.test("Retry-After is rounded up to a whole second", async () => {
  const endpoint = setUpWith([RUNNING]);
  assertEquals(retryAfterOf(await endpoint.get(TASK_PATH)), 3); // 2 s and the jitter
});

Deno.test("If-None-Match with the current tag is 304 with ETag and Retry-After", async () => {
  const endpoint = setUpWith([RUNNING], [RUNNING, { "retry-after": "70" }]);
  const tag = await tagOf(endpoint);
  const response = await ask(endpoint, tag);
  assertEquals([response.status, response.headers.get("etag")], [304, tag]);
  assertGreaterOrEqual(retryAfterOf(response), 70);
  assertEquals(await response.text(), "");
  assertEquals(response.headers.get("content-type"), null);
  assertEquals(response.headers.get("cache-control"), "private, no-cache");
  assertEquals(response.headers.get("x-content-type-options"), "nosniff");
  assertEquals(endpoint.log.at(-1)?.status, 304);
  assertEquals(endpoint.log.at(-1)?.request_id, response.headers.get("x-request-id"));
});

Deno.test("a finished task is 304 for its tag and 200 for the tag of another state", async () => {
  const endpoint = setUpWith([RUNNING], [SUCCESS]);
  const running = await tagOf(endpoint);
  const finished = await ask(endpoint, running);
  assertEquals(finished.status, 200);
  assertEquals((await ask(endpoint, finished.headers.get("etag") ?? "")).status, 304);
});

Deno.test("If-None-Match compares weakly and accepts a list and *", async () => {
  const cases: [header: (tag: string) => string, status: number][] = [
    [(tag) => tag, 304],
    [(tag) => tag.replace("W/", ""), 304],
    [(tag) => `${SOME_TAG}, ${tag}`, 304],
    [(tag) => `"a",${tag},"b,c"`, 304],
    [(tag) => `"a, b" ,  ${tag.replace("W/", "")}`, 304],
    [() => "*", 304],
    [() => SOME_TAG, 202],
    [() => '"*"', 202],
    [(tag) => tag.replaceAll('"', ""), 202],
    [(tag) => tag.toLowerCase(), 202],
    [(tag) => tag.slice(0, -2) + '"', 202],
    [() => "", 202],
  ];
  for (const [header, status] of cases) {
    const endpoint = setUpWith([RUNNING], [RUNNING]);
    const tag = await tagOf(endpoint);
    assertEquals((await ask(endpoint, header(tag))).status, status, header(tag));
  }
});

Deno.test("the ETag ignores retry_after and changes with every other field", async () => {
  const same = setUpWith([RUNNING], [RUNNING, { "retry-after": "500" }]);
  const tag = await tagOf(same);
  assertEquals(await tagOf(same), tag);
  const changes = [
    { progress: 41 },
    { subtask: "reading" },
    { status: "pending" },
    { name: "another" },
    SUCCESS,
    { ...SUCCESS, duration: 7 },
  ];
  const tags = [tag];
  for (const change of changes) tags.push(await tagOf(setUpWith([{ ...RUNNING, ...change }])));
  assertEquals(new Set(tags).size, tags.length, tags.join(" "));
  const other = setUp();
  other.platform.inject(() => Response.json(RUNNING));
  const path = TASK_PATH.replace("workspace-1", "workspace-2");
  assertNotEquals((await other.get(path)).headers.get("etag"), tag, "another workspace");
});

Deno.test("polling an unchanged running task is 304 although its duration grows", async () => {
  let now = Date.now();
  const { platform, get } = setUp({}, { now: () => now });
  platform.add({ id: "t-1", status: "running" });
  const first = await get(TASK_PATH);
  const headers = { "if-none-match": first.headers.get("etag") ?? "none" };
  for (let poll = 0; poll < 3; poll++) {
    now += 3_000;
    const next = await get(TASK_PATH, { headers });
    assertEquals(next.status, 304);
    retryAfterOf(next);
  }
});

Deno.test("an error is never 304", async () => {
  const endpoint = setUpWith([{ ...RUNNING, status: "failed" }]);
  assertEquals((await ask(endpoint, "*")).status, 424);
  const broken = setUp();
  broken.platform.inject(() => new Response("", { status: 500 }), 2);
  for (const tag of ["*", SOME_TAG]) {
    const response = await ask(broken, tag);
    assertEquals([response.status, response.headers.get("etag")], [502, null]);
  }
  assertEquals((await ask(setUp(), "*")).status, 404);
  const init = { headers: { "if-none-match": "*", authorization: "Bearer wrong" } };
  assertEquals((await setUp().send(TASK_PATH, init)).status, 401);
});

Deno.test("HEAD of a task polls once and has its ETag and Retry-After", async () => {
  const endpoint = setUpWith([RUNNING], [RUNNING], [RUNNING]);
  const { get, platform } = endpoint;
  const [one, other] = [await get(TASK_PATH), await get(TASK_PATH, { method: "HEAD" })];
  assertEquals([one.status, other.status], [202, 202]);
  for (const name of ["etag", "location", "cache-control"]) {
    assertEquals(other.headers.get(name), one.headers.get(name), name);
  }
  retryAfterOf(other);
  const headers = { "if-none-match": one.headers.get("etag") ?? "" };
  assertEquals((await get(TASK_PATH, { method: "HEAD", headers })).status, 304);
  assertEquals(platform.requests.map(({ method }) => method), ["GET", "GET", "GET"]);
  const denied = await endpoint.send(TASK_PATH, { method: "HEAD" });
  assertEquals([denied.status, await denied.text()], [401, ""]);
});
