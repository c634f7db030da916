// Every problem of the contract's table is produced, is well formed, and lets nothing out.
import { assert, assertEquals, assertLessOrEqual, assertMatch, assertNotEquals } from "@std/assert";
import {
  captureConsole,
  type Endpoint,
  IDS,
  KEY,
  post,
  problemOf,
  RUNNING,
  SECRET,
  type Settings,
  setUp,
  TASK_PATH,
  textOf,
  TOKEN,
} from "../helpers/endpoint.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { Responder } from "../helpers/fake_platform.ts";

interface Case {
  /** Cause, the end of the test's name. */
  when: string;
  expect: [status: number, problem: string, code?: string];
  settings?: Settings;
  /** Upstream response; without it there must be no upstream request. */
  upstream?: Responder;
  /** @default {POST /resolve of IDS by a bearer} */
  ask?: (endpoint: Endpoint) => Promise<Response>;
  /** A header that the answer must have. */
  header?: [name: string, value: RegExp];
}

// what no answer and no log entry may hold: nothing else here has this word
const headers = { "x-canary": "canary-header", "cookie": "canary-cookie" };
const BODY = { ...IDS, note: "canary-body" };
const TEXT = { code: "CANARY_CODE", message: `canary-text ${TOKEN}` };

const upstream = (status: number, body: unknown = TEXT, more = {}): Responder => () =>
  new Response(typeof body === "string" ? body : JSON.stringify(body), {
    status,
    headers: { "x-upstream": "canary-upstream", ...more },
  });
const hang: Responder = () => new Promise(() => {});
const endless = (head: string) =>
  new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(head)),
  });
const broken = () =>
  new ReadableStream({ start: (controller) => controller.error(new TypeError("canary")) });
const over = `{"id":"t-1","status":"running","name":"${"x".repeat(1_048_576)}"}`;

const resolve = (init: RequestInit) => ({ bearer }: Endpoint) => bearer(BODY, init);
const unavailable = (when: string, upstream: Responder): Case => ({
  when: `upstream ${when}`,
  expect: [502, "upstream-unavailable"],
  upstream,
});

const cases: Case[] = [
  {
    when: "the body is not JSON",
    expect: [400, "invalid-request"],
    ask: ({ bearer }) => bearer('{"canary', { headers }),
  },
  {
    when: "there is no authentication",
    expect: [401, "unauthorized"],
    ask: ({ send }) => send("/resolve", post(BODY, { headers })),
    header: ["www-authenticate", /^Bearer\b/],
  },
  {
    when: "the key is wrong",
    expect: [401, "unauthorized"],
    ask: resolve({ headers: { ...headers, authorization: `Bearer ${KEY}-wrong` } }),
    header: ["www-authenticate", /^Bearer\b/],
  },
  {
    when: "the signature is wrong",
    expect: [401, "unauthorized"],
    ask: ({ webhook }) => webhook(BODY, { headers, secret: `whsec_${btoa("canary".repeat(5))}` }),
    header: ["www-authenticate", /./],
  },
  {
    when: "the organization is not allowed",
    expect: [403, "forbidden"],
    settings: { RESOLVE_ALLOWED_ORGANIZATIONS: "other" },
  },
  {
    when: "there is no such route",
    expect: [404, "not-found", "ROUTE_NOT_FOUND"],
    ask: ({ get }) => get("/canary?canary=1", { headers }),
  },
  {
    when: "upstream has no such task",
    expect: [404, "not-found", "TASK_NOT_FOUND"],
    upstream: upstream(404),
  },
  {
    when: "the method is another",
    expect: [405, "method-not-allowed"],
    ask: ({ get }) => get("/resolve", { headers }),
    header: ["allow", /^POST$/],
  },
  {
    when: "the body breaks off",
    expect: [400, "invalid-request"],
    ask: resolve({ body: broken() }),
  },
  {
    when: "the body never ends",
    expect: [408, "request-timeout"],
    ask: resolve({ body: endless('{"canary') }),
  },
  {
    when: "the body is over 20 kB",
    expect: [413, "content-too-large"],
    ask: ({ bearer }) => bearer({ ...BODY, long: "canary".repeat(4_000) }),
  },
  {
    when: "the body is no JSON by its type",
    expect: [415, "unsupported-media-type"],
    ask: resolve({ headers: { ...headers, "content-type": "text/canary" } }),
    header: ["accept", /\bapplication\/json\b/],
  },
  {
    when: "the body is encoded",
    expect: [415, "unsupported-media-type"],
    ask: resolve({ headers: { ...headers, "content-encoding": "canary" } }),
    header: ["accept", /\bapplication\/json\b/],
  },
  {
    when: "the task failed",
    expect: [424, "task-failed", "TASK_7"],
    upstream: upstream(200, { ...RUNNING, status: "failed", error_code: 7, extra: "canary" }),
  },
  {
    when: "the task runs and the caller asks for an error",
    expect: [503, "task-pending"],
    upstream: upstream(200, RUNNING),
    ask: ({ webhook }) => webhook(BODY, { headers }),
    header: ["retry-after", /^[1-9]\d*$/],
  },
  {
    when: "the task has an unknown status",
    expect: [502, "unknown-status"],
    upstream: upstream(200, { ...RUNNING, status: "paused", name: `the token is ${TOKEN}` }),
  },
  ...[
    upstream(429),
    upstream(429, "<p>canary</p>", { "retry-after": "7" }),
    upstream(403, { ...TEXT, code: "LIMIT" }),
    upstream(200, { ...TEXT, code: "LIMIT", result: "error" }),
  ].map((upstream, index): Case => ({
    when: `upstream limits the rate, way ${index + 1}`,
    expect: [503, "rate-limited"],
    upstream,
    header: ["retry-after", /^[1-9]\d*$/],
  })),
  ...[401, 402, 403].map((status): Case => ({
    when: `upstream answers ${status}`,
    expect: [502, "upstream-credentials"],
    upstream: upstream(status),
  })),
  ...[400, 405, 409, 410, 418, 500, 501, 502, 503, 504].map((status) =>
    unavailable(`answers ${status}`, upstream(status))
  ),
  ...[300, 301, 302, 303, 304, 307, 308].map((status) =>
    unavailable(
      `redirects with ${status}`,
      () => new Response(null, { status, headers: { location: "https://canary.example/" } }),
    )
  ),
  unavailable("cannot be reached", () => {
    throw new TypeError(`canary ${TOKEN}`);
  }),
  unavailable("sends HTML with 200", upstream(200, "<h1>canary</h1>")),
  unavailable("sends HTML with 502", upstream(502, "<h1>canary</h1>")),
  unavailable("sends half of the JSON", upstream(200, '{"id":"t-1","status":"canary')),
  unavailable("sends nothing", () => new Response(null, { status: 204 })),
  unavailable("sends null", upstream(200, null)),
  unavailable("sends a list", upstream(200, [RUNNING])),
  unavailable("sends neither id nor status", upstream(200, { name: "canary" })),
  unavailable("sends another task", upstream(200, { ...RUNNING, id: "canary" })),
  unavailable("sends a field of the wrong kind", upstream(200, { ...RUNNING, name: ["canary"] })),
  unavailable("sends an error with 200", upstream(200, { ...TEXT, result: "error" })),
  unavailable("sends over 1 MiB", upstream(200, over)),
  unavailable("declares over 1 MiB", upstream(200, RUNNING, { "content-length": "1048577" })),
  unavailable("breaks off", () => new Response(broken())),
  { when: "upstream hangs", expect: [504, "upstream-timeout"], upstream: hang },
  {
    when: "upstream hangs in the body",
    expect: [504, "upstream-timeout"],
    upstream: () => new Response(endless('{"id":"t-1","status":"canary')),
  },
];

for (const { when, expect, settings, upstream, ask, header } of cases) {
  const [status, name, code] = expect;
  Deno.test(`${status} ${name} when ${when}, without a leak`, async () => {
    using clock = new FakeClock();
    using output = captureConsole();
    const endpoint = setUp(settings);
    if (upstream) endpoint.platform.inject(upstream);
    else endpoint.platform.add({ id: "t-1", status: "running" });
    const ended = clock.now + 8_000; // the default deadline
    const response = await clock.runUntil((ask ?? resolve({ headers }))(endpoint));
    if ([408, 504].includes(status)) assertEquals(clock.now, ended, "at the deadline");
    assertEquals(clock.pending, 0, "no timer is left behind");

    const seen = await textOf(response) + JSON.stringify(endpoint.log);
    assert(!/canary|v1,|whsec_|bearer [^"]*\d/i.test(seen), seen);
    assert(!seen.includes(SECRET.slice(6)));
    assert(!/\bat .*\.ts|\.ts:\d/.test(seen), `a stack: ${seen}`);
    assertEquals([...output.log, ...output.error], [], "the log option takes it all");

    const problem = await problemOf(response);
    assertEquals([problem.status, problem.type], [status, `/problems/${name}`]);
    if (code) assertEquals(problem.code, code);
    assertMatch(problem.code, /^[A-Z0-9_]+$/);
    assert(problem.title.length > 0 && problem.detail.length > 0);
    assertNotEquals(problem.detail.toLowerCase(), problem.title.toLowerCase());
    assert(
      !/[A-Z][^.]*\. [A-Z]|: [A-Z][a-z]+ /.test(problem.detail),
      `one sentence: ${problem.detail}`,
    );
    assertEquals(problem.errors !== undefined, status === 400);
    if (header) assertMatch(response.headers.get(header[0]) ?? "", header[1]);
    assertEquals(response.headers.get("cache-control"), "no-store");
    assertEquals(response.headers.get("x-content-type-options"), "nosniff");

    const [entry, ...more] = endpoint.log;
    assertEquals(more, [], "one line a request");
    assertEquals([entry?.status, entry?.problem], [status, name]);
    assertEquals(entry?.request_id, problem.request_id);
    assertEquals(endpoint.platform.count(), upstream ? 1 : 0, "upstream requests");
    assertEquals((await endpoint.send(problem.type)).status, 200, "its page");
  });
}

Deno.test("upstream-credentials has a hint for the operator in the log", async () => {
  const { platform, get, log } = setUp();
  platform.inject(upstream(401));
  await get(TASK_PATH);
  assertMatch(log.at(-1)?.hint ?? "", /DEEPINT_TOKEN/);
  assertEquals(log.at(-1)?.upstream_status, 401);
});

Deno.test("a task's texts in a problem are truncated to 200 printable characters", async () => {
  const long = "a\n\u202e\u0000".padEnd(600, "é\u{1f600}x");
  const fields = {
    ...{ user_id: long, user_name: long, name: long, description: long, subtask: long },
    ...{ result: long, result_type: long, error_description: long },
  };
  for (const status of ["failed", "running", "paused".padEnd(300, "\t!")]) {
    const { platform, bearer } = setUp();
    platform.add({ id: "t-1", status, ...fields });
    const response = await bearer({ ...IDS, pending: "retry" });
    const text = await response.clone().text();
    assert(!/[\p{Cc}\p{Cf}\p{Cs}]/u.test(text.replace(/\s*$/, "")), "printable");
    assert(!/\\[nrtbfu]/.test(text), "not escaped either");
    const check = (value: unknown, path: string): void => {
      if (typeof value === "string") {
        assertLessOrEqual(value.length, 200, path);
      } else if (typeof value === "object" && value !== null) {
        for (const [key, one] of Object.entries(value)) check(one, `${path}/${key}`);
      }
    };
    check(JSON.parse(text), "");
    const { status: got } = await problemOf(response); // its schema included
    assert([424, 502, 503].includes(got));
  }
});

Deno.test("a task's error code in a problem is truncated to its schema", async () => {
  const { platform, bearer } = setUp();
  platform.add({ id: "t-1", status: "failed", error_code: "NO\n".padEnd(600, "X") });
  const { code, task } = await problemOf(await bearer(IDS));
  assertMatch(code, /^TASK_NO X+$/);
  assertLessOrEqual(task?.info.error_code?.length ?? 0, 200);
});
