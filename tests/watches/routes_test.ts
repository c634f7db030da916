// The routes of the watches, whom they may call back, and who may ask for that.
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import * as v from "valibot";
import {
  ConfigError,
  createApp,
  type Handler,
  type LogEntry,
  readConfig,
} from "../../functions/app.ts";
import { deliver, parseCallbackHosts } from "../../functions/watches/callback.ts";
import { WatchBody, WatchEvent } from "../../functions/watches/response_schema.ts";
import type { WatchLogEntry } from "../../functions/watches/step.ts";
import { createWatches } from "../../functions/watches/routes.ts";
import type { WatchLoop } from "../../functions/watches/loop.ts";
import { IDS, KEY, objectOf, outcomeOf, post, problemOf, SECRET } from "../helpers/endpoint.ts";
import { type Settings, signed, textOf, TOKEN, withHeaders } from "../helpers/endpoint.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { createFakePlatform, type FakePlatform } from "../helpers/fake_platform.ts";
import {
  CALLBACK_SECRET,
  configWith,
  createReceiver,
  kvWatches,
  type Receiver,
} from "../helpers/watches.ts";

const HOOK = "https://hooks.example/end";
const ORDER = { ...IDS, callback_url: HOOK };
const OTHER_SECRET = `whsec_${btoa("canary-another-secret-of-the-host")}`;

interface Setup extends Disposable {
  readonly app: Handler;
  readonly watches: WatchLoop;
  readonly platform: FakePlatform;
  readonly receiver: Receiver;
  readonly log: LogEntry[];
  /** Log entries of the watches. */
  readonly told: WatchLogEntry[];
  /** Number of callbacks. */
  readonly calls: string[];
  /** Milliseconds that the clock of the watches is ahead. */
  clockOffset: number;
  /** Responses of the next callbacks, before those of the receiver. */
  respond: ((request: Request) => Response) | undefined;
  /** `POST /watches`, with the key. */
  create(body: unknown): Promise<Response>;
  /** A request with the key. */
  ask(method: string, path: string): Promise<Response>;
}

async function setUp(host = "hooks.example", settings: Settings = {}): Promise<Setup> {
  const kv = await Deno.openKv(":memory:");
  const config = configWith(host, settings);
  const platform = createFakePlatform({ token: TOKEN });
  const receiver = createReceiver();
  const log: LogEntry[] = [];
  const told: WatchLogEntry[] = [];
  const calls: string[] = [];
  const watches = kvWatches(kv, config, {
    fetch: platform.fetch,
    callbackFetch: async (input, init) => {
      const request = new Request(input, init);
      calls.push(request.url);
      assertEquals(init?.redirect, "manual");
      return setup.respond?.(request) ?? await receiver.answer(request);
    },
    now: () => Date.now() + setup.clockOffset,
    log: (it) => told.push(it),
  });
  const options = { watches: createWatches(config, watches), log: (it: LogEntry) => log.push(it) };
  const app = createApp(config, { ...options, fetch: platform.fetch });
  const bearer = { authorization: `Bearer ${KEY}` };
  const setup: Setup = {
    app,
    watches,
    platform,
    receiver,
    log,
    told,
    calls,
    clockOffset: 0,
    respond: undefined,
    create: async (body) =>
      await app.request(`${config.basePath}/watches`, withHeaders(post(body), bearer)),
    ask: async (method, path) => await app.request(path, { method, headers: bearer }),
    [Symbol.dispose]: () => kv.close(),
  };
  return setup;
}

Deno.test("a watch is created, found, delivered and still readable", async () => {
  using setup = await setUp();
  setup.platform.add({ id: "t-1", status: "success", result: "s-1", result_type: "source" });
  const created = await setup.create(ORDER);
  assertEquals(created.status, 202);
  const { id, state, task, location } = await objectOf(created);
  assertMatch(String(id), /^[0-9a-f]{64}-0$/);
  assertEquals([state, task, location], ["watching", IDS, `/watches/${id}`]);
  assertEquals(created.headers.get("location"), location);
  assertEquals(setup.platform.count(), 0, "the engine polls, not the request");

  await setup.watches.sweep();
  const found = v.parse(WatchBody, await objectOf(await setup.ask("GET", String(location))));
  assertEquals([found.state, found.polls, found.attempts], ["delivered", 1, 1]);
  assertEquals([found.last_status, found.event], [204, { type: "task.success" }]);
  const [received] = setup.receiver.received;
  const event = v.parse(WatchEvent, received?.event);
  assertEquals(event.type, "task.success");
  assertMatch(received?.id ?? "", /^[0-9a-f-]{36}$/);
  assertMatch(received?.headers["user-agent"] ?? "", /^deepint-task\/\d+\.\d+\.\d+$/);
  assertEquals(event.data.result, { source: "s-1" });
  assertEquals(event.data.task, found.last?.task);
  assertEquals(setup.calls, [HOOK]);

  assertEquals(await objectOf(await setup.create(ORDER)), {
    id,
    state: "delivered",
    task,
    location,
  });
  assertEquals((await setup.ask("HEAD", String(location))).status, 200);
});

Deno.test("the event's data equals the /resolve response with raise_on_error: false", async () => {
  using setup = await setUp("hooks.example", { RESOLVE_LINK_SECRETS: OTHER_SECRET });
  setup.platform.add({
    id: "t-1",
    status: "failed",
    error_code: "QUOTA",
    error_description: "Used up",
  });
  await setup.create(ORDER);
  await setup.watches.sweep();
  const bearer = { authorization: `Bearer ${KEY}` };
  const init = post({ ...IDS, raise_on_error: false }, { headers: bearer });
  const answer = await objectOf(await setup.app.request("/resolve", init));
  const [received] = setup.receiver.received;
  assertEquals([received?.event.type, received?.event.data], ["task.failed", answer]);
  assert(v.parse(WatchEvent, received?.event).data.links?.status);
});

Deno.test("the log has a line per event and delivery, without texts of the task", async () => {
  using setup = await setUp();
  setup.platform.add({ id: "t-1", name: "of the task", status: "success" });
  setup.respond = () => new Response(null, { status: setup.calls.length < 2 ? 500 : 204 });
  const { id } = await objectOf(await setup.create(ORDER));
  await setup.watches.sweep();
  const [end, first, ...more] = setup.told;
  const known = { watch: id, event: "task.success", polls: 1 };
  const { time = "", ...rest } = end ?? {};
  assertEquals(new Date(time).toISOString(), time);
  assertEquals(rest, { ...known, state: "watching", attempts: 0, last_status: undefined });
  assertEquals([first?.state, first?.attempts, first?.last_status], ["watching", 1, 500]);
  assertEquals(more, []);
});

Deno.test("a watch whose task cannot be polled delivers task.unresolved with a code", async () => {
  using setup = await setUp();
  setup.platform.inject(() => Response.json({ code: "UNAUTHORIZED" }, { status: 401 }), 5);
  await setup.create(ORDER);
  for (let poll = 1; poll <= 5; poll++) {
    assertEquals(setup.receiver.received.length, 0);
    await setup.watches.sweep();
    setup.clockOffset += 3_000;
  }
  assertEquals(setup.platform.count(), 5);
  const event = v.parse(WatchEvent, setup.receiver.received[0]?.event);
  assertEquals([event.type, event.data.code], ["task.unresolved", "UPSTREAM_CREDENTIALS"]);
  assertEquals([event.data.status, event.data.task.info.id], ["unknown", "t-1"]);
  assert(!JSON.stringify(event).includes("canary"));
});

Deno.test("requests for the same task and callback share one watch", async () => {
  using setup = await setUp("hooks.example", { DEEPINT_ORGANIZATION: IDS.organization_id });
  const { organization_id: _, ...short } = ORDER;
  const web = "https://app.deepint.net/o/organization-1/workspace?ws=workspace-1&s=task&i=t-1";
  const same = [
    ORDER,
    { ...ORDER, deadline: 60 },
    { ...ORDER, callback_url: "HTTPS://Hooks.Example:443/end#part" },
    { url: web, callback_url: HOOK },
    short,
    { type: "import.started", data: ORDER },
  ];
  const others = [
    { ...ORDER, callback_url: `${HOOK}?a=1` },
    { ...ORDER, task_id: "t-2" },
    { ...ORDER, workspace_id: "workspace-2" },
    { ...ORDER, organization_id: "organization-2" },
  ];
  const idOf = async (body: unknown) => String((await objectOf(await setup.create(body))).id);
  const ids = await Promise.all([...same, ...same].map(idOf));
  assertEquals(new Set(ids).size, 1);
  const all = await Promise.all([...others, ORDER].map(idOf));
  assertEquals(new Set(all).size, others.length + 1);
});

Deno.test("DELETE cancels a watch and not its task", async () => {
  using setup = await setUp();
  setup.platform.add({ id: "t-1", status: "success" });
  const { location } = await objectOf(await setup.create(ORDER));
  for (const _ of [1, 2]) {
    const ended = await setup.ask("DELETE", String(location));
    assertEquals([ended.status, (await objectOf(ended)).state], [200, "cancelled"]);
  }
  await setup.watches.sweep();
  assertEquals([setup.platform.count(), setup.calls], [0, []]);
  assertMatch(String((await objectOf(await setup.create(ORDER))).id), /-1$/);
});

Deno.test("an unknown watch is 404 for any id", async () => {
  using setup = await setUp();
  for (const id of [`${"0".repeat(64)}-0`, "x", "..", "%2e%2e", `${"0".repeat(64)}`, "a b"]) {
    for (const method of ["GET", "DELETE"]) {
      const problem = await problemOf(await setup.ask(method, `/watches/${id}`));
      assertEquals(problem.status, 404, id);
      assertMatch(problem.code, /^(WATCH|ROUTE)_NOT_FOUND$/);
    }
  }
});

Deno.test("creating a watch takes a key or a signature, reading one a key", async () => {
  using setup = await setUp();
  const timestamp = Math.floor(Date.now() / 1_000);
  const signedBy = (secret: string) => signed(post(ORDER), { secret, timestamp });
  assertEquals((await setup.app.request("/watches", await signedBy(SECRET))).status, 202);
  const wrong = [post(ORDER), await signedBy(CALLBACK_SECRET)];
  for (const init of wrong) {
    assertEquals(await outcomeOf(await setup.app.request("/watches", init)), [401, "unauthorized"]);
  }
  const { location } = await objectOf(await setup.create(ORDER));
  for (const method of ["GET", "DELETE"]) {
    const init = await signed({ method }, { timestamp });
    for (const one of [{ method }, init]) {
      const answer = await setup.app.request(String(location), one);
      assertEquals(await outcomeOf(answer), [401, "unauthorized"]);
    }
  }
  assertEquals(setup.log.filter(({ status }) => status === 202).map(({ auth }) => auth), [
    "webhook",
    "bearer",
  ]);
});

Deno.test("the watch routes refuse other methods with 405", async () => {
  using setup = await setUp("hooks.example", { RESOLVE_BASE_PATH: "/base" });
  const { location } = await objectOf(await setup.create(ORDER));
  assertMatch(String(location), /^\/base\/watches\//);
  for (
    const [method, path, allow] of [
      ["GET", "/base/watches", "POST"],
      ["POST", String(location), "GET, HEAD, DELETE"],
    ] as const
  ) {
    const answer = await setup.ask(method, path);
    assertEquals([answer.status, answer.headers.get("allow")], [405, allow]);
    await answer.body?.cancel();
  }
  assertEquals((await setup.ask("GET", `${location}/`)).status, 404);
});

Deno.test("the URLs of a watch start with RESOLVE_PUBLIC_URL", async () => {
  const RESOLVE_PUBLIC_URL = "https://api.example.com/prod";
  using setup = await setUp("hooks.example", {
    RESOLVE_PUBLIC_URL,
    RESOLVE_LINK_SECRETS: OTHER_SECRET,
  });
  const created = await setup.create(ORDER);
  const { location, id } = await objectOf(created);
  assertEquals(location, `${RESOLVE_PUBLIC_URL}/watches/${id}`);
  assertEquals(created.headers.get("location"), location);

  setup.platform.add({ id: "t-1", status: "success" });
  await setup.watches.sweep();
  const { links } = v.parse(WatchEvent, setup.receiver.received[0]?.event).data;
  assertMatch(String(links?.status), /^https:\/\/api\.example\.com\/prod\/status\/v1\./);
});

Deno.test("the watch routes are 404 without an engine, which refuses the setting", async () => {
  const env = { DEEPINT_TOKEN: TOKEN, RESOLVE_API_KEYS: KEY };
  const app = createApp(readConfig(env), { log() {} });
  const bearer = { authorization: `Bearer ${KEY}` };
  for (
    const [path, init] of [
      ["/watches", post(ORDER, { headers: bearer })],
      [`/watches/${"0".repeat(64)}-0`, { headers: bearer }],
      ["/watches", {}],
    ] as const
  ) {
    const problem = await problemOf(await app.request(path, init));
    assertEquals([problem.status, problem.code], [404, "ROUTE_NOT_FOUND"]);
  }
  const set = { ...env, RESOLVE_CALLBACK_HOSTS: `hooks.example=${CALLBACK_SECRET}` };
  const error = assertThrows(() => readConfig(set), ConfigError, "RESOLVE_CALLBACK_HOSTS: ");
  assert(!error.message.includes("whsec_"));
});

const INVALID: [pointer: string, change: Record<string, unknown>][] = [
  ["#/callback_url", { callback_url: undefined }],
  ["#/callback_url", { callback_url: null }],
  ["#/callback_url", { callback_url: 5 }],
  ["#/callback_url", { callback_url: "" }],
  ["#/callback_url", { callback_url: "hooks.example/end" }],
  ["#/callback_url", { callback_url: "https://" }],
  ["#/callback_url", { callback_url: `${HOOK}?${"a".repeat(2_000)}` }],
  ["#/callback_url", { callback_url: `${HOOK}?${"\u20ac".repeat(1_000)}` }],
  ["#/callback_url", { callback_url: "http://hooks.example/end" }],
  ["#/callback_url", { callback_url: "http://hooks.example:443/end" }],
  ["#/callback_url", { callback_url: "ftp://hooks.example/end" }],
  ["#/callback_url", { callback_url: "javascript:alert(1)" }],
  ["#/callback_url", { callback_url: "https://user@hooks.example/end" }],
  ["#/callback_url", { callback_url: "https://user:canary@hooks.example/end" }],
  ["#/callback_url", { callback_url: "https://:canary@hooks.example/end" }],
  ["#/deadline", { deadline: 0 }],
  ["#/deadline", { deadline: 2_592_001 }],
  ["#/deadline", { deadline: 1.5 }],
  ["#/deadline", { deadline: "60" }],
  ["#/task_id", { task_id: "../t" }],
  ["#/task_id", { task_id: undefined }],
];

Deno.test("a watch accepts empty members and a posted task, plain and as an event", async () => {
  using setup = await setUp();
  const { organization_id, workspace_id, task_id, callback_url } = ORDER;
  const task = { organization_id, workspace_id, info: { id: task_id } };
  const forms = [
    { ...ORDER, deadline: null, url: "" },
    { ...task, callback_url, deadline: "" },
    { task, callback_url },
  ];
  const ids = new Set<unknown>();
  for (const body of [...forms, ...forms.map((data) => ({ type: "task.started", data }))]) {
    const answer = await setup.create(body);
    assertEquals(answer.status, 202, JSON.stringify(body));
    ids.add((await answer.json()).id);
  }
  assertEquals(ids.size, 1, "one watch");
  const contrary = await setup.create({ ...ORDER, task: { ...task, info: { id: "t-9" } } });
  assertEquals((await problemOf(contrary)).errors?.[0]?.pointer, "#/task/info/id");
});

Deno.test("an invalid watch is refused with 400 and a JSON pointer, without a request", async () => {
  using setup = await setUp();
  for (const [pointer, change] of INVALID) {
    const answer = await setup.create({ ...ORDER, ...change });
    const { status, errors, detail } = await problemOf(answer);
    assertEquals([status, errors?.map((error) => error.pointer)], [400, [pointer]], detail);
    assert(!detail.includes("canary"), detail);
  }
  const missing = await problemOf(await setup.create(IDS));
  assertEquals(missing.detail, "#/callback_url: is required");
  assertEquals((await problemOf(await setup.create([]))).detail, "#: must be a JSON object");
  const wrapped = await setup.create({ type: "a", data: { ...ORDER, callback_url: "x" } });
  assertEquals((await problemOf(wrapped)).errors?.[0]?.pointer, "#/data/callback_url");
  await setup.watches.sweep();
  assertEquals([setup.platform.count(), setup.calls], [0, []]);
});

/** Hosts that only resemble the host of the setting, or lead to this machine. */
const ELSEWHERE = [
  "https://evil.example/",
  "https://hooks.example.evil.example/",
  "https://evil-hooks.example/",
  "https://sub.hooks.example/",
  "https://hooks.example:8443/",
  "https://hooks.example:80/",
  "https://hooks.example./",
  "https://hooks.example%2eevil.example/",
  "https://h\u043eoks.example/", // with a Cyrillic letter
  "https://evil.example\\@hooks.example/",
  "https://evil.example/@hooks.example/",
  "https://evil.example?@hooks.example/",
  "https://localhost/",
  "https://app.localhost/",
  "https://127.0.0.1/",
  "https://2130706433/",
  "https://0x7f000001/",
  "https://0177.0.0.1/",
  "https://127.1/",
  "https://0/",
  "https://10.0.0.1/",
  "https://172.16.0.1/",
  "https://192.168.1.1/",
  "https://169.254.169.254/latest/meta-data/",
  "https://2852039166/",
  "https://100.64.0.1/",
  "https://[::1]/",
  "https://[::]/",
  "https://[::ffff:127.0.0.1]/",
  "https://[::ffff:a9fe:a9fe]/",
  "https://[fe80::1]/",
  "https://[fc00::1]/",
  "https://[64:ff9b::7f00:1]/",
  "https://metadata.google.internal/",
];

Deno.test("a callback to any other host is 403 without a request", async () => {
  using setup = await setUp();
  for (const url of ELSEWHERE) {
    const answer = await setup.create({ ...ORDER, callback_url: url });
    assertEquals((await problemOf(answer)).code, "CALLBACK_NOT_ALLOWED", url);
    assertEquals(answer.status, 403, url);
  }
  await setup.watches.sweep();
  assertEquals([setup.platform.count(), setup.calls], [0, []]);
});

Deno.test("an http: callback needs a loopback host and a loopback instance", async () => {
  const settings = { DEEPINT_INSTANCE: "http://127.0.0.1:1" };
  for (
    const [listed, url, status] of [
      ["127.0.0.1:8080", "http://127.0.0.1:8080/end", 202],
      ["127.0.0.1:8080", "http://2130706433:8080/end", 202],
      ["127.0.0.1:8080", "http://127.0.0.1:8081/end", 403],
      ["127.0.0.1:8080", "http://127.0.0.2:8080/end", 403],
      ["localhost:80", "http://localhost/end", 202],
      ["localhost", "http://localhost/end", 403],
      ["[::1]:8080", "http://[0:0::1]:8080/end", 202],
      ["hooks.example:80", "http://hooks.example/end", 400],
    ] as const
  ) {
    using setup = await setUp(listed, settings);
    const answer = await setup.create({ ...ORDER, callback_url: url });
    assertEquals(answer.status, status, url);
    await answer.body?.cancel();
  }
});

Deno.test("a redirect of a receiver is not followed and its body is not read", async () => {
  using setup = await setUp();
  setup.platform.add({ id: "t-1", status: "success" });
  let cancelled = false;
  setup.respond = () =>
    new Response(new ReadableStream({ cancel: () => void (cancelled = true) }), {
      status: 307,
      headers: { location: "https://evil.example/" },
    });
  const { location } = await objectOf(await setup.create(ORDER));
  await setup.watches.sweep();
  assertEquals(setup.calls, [HOOK]);
  const { state, attempts, last_status } = await objectOf(await setup.ask("GET", String(location)));
  assertEquals([state, attempts, last_status, cancelled], ["watching", 1, 307, true]);
});

Deno.test("a delivery without a response has status 0", async () => {
  using clock = new FakeClock();
  const { callbackHosts: callbacks = [] } = configWith("hooks.example");
  const delivery = { url: HOOK, id: "id-0", event: {}, now: clock.now };
  const began = clock.now;
  let given: AbortSignal | undefined;
  const hanging = deliver(delivery, callbacks, (_input, init) => {
    given = init?.signal ?? undefined;
    return new Promise(() => {});
  });
  assertEquals(await clock.runUntil(hanging), { status: 0, timedOut: true });
  assertEquals(clock.now - began, 10_000);
  assertEquals([given?.aborted, clock.pending], [true, 0]);
  const refused = () => Promise.reject(new TypeError("connection refused"));
  assertEquals(await deliver(delivery, callbacks, refused), { status: 0, timedOut: false });
  let calls = 0;
  const counted = () => Promise.resolve(new Response(null, { status: 200 + calls++ }));
  for (const url of ["https://gone.example/end", "https://hooks.example:8443/end"]) {
    assertEquals((await deliver({ ...delivery, url }, callbacks, counted)).status, 0);
  }
  assertEquals([(await deliver(delivery, callbacks, counted)).status, calls], [200, 1]);
});

Deno.test("an entry with a path allows only URLs under it, at a segment boundary", async () => {
  const allowed = [HOOK, `${HOOK}/`, `${HOOK}/a?b=c`, "https://hooks.example/x/../end/a"];
  const forbidden = ["", "ending", "End", "end%2f..%2fother", "end/../other", "end%5c..%5cother"];
  using setup = await setUp("hooks.example/end");
  for (const callback_url of allowed) {
    const response = await setup.create({ ...ORDER, callback_url });
    assertEquals(response.status, 202, callback_url);
  }
  for (const path of forbidden) {
    const response = await setup.create({
      ...ORDER,
      callback_url: `https://hooks.example/${path}`,
    });
    assertEquals(await outcomeOf(response), [403, "forbidden"], path);
  }
});

Deno.test("an event is signed with the secrets of the longest path", async () => {
  using setup = await setUp(`hooks.example=${OTHER_SECRET},hooks.example/end`);
  setup.platform.add({ id: "t-1", status: "success" });
  await setup.create(ORDER);
  await setup.watches.sweep();
  const [received] = setup.receiver.received;
  assertEquals(received?.headers["webhook-signature"]?.split(" ").length, 1);
  await setup.create({ ...ORDER, callback_url: "https://hooks.example/other" });
  await setup.watches.sweep();
  assertEquals(setup.calls.length, 2, "the other path has the secret of the host");
  assertEquals(setup.receiver.received.length, 1);
});

Deno.test("/ready asks the store once for concurrent callers, /health does not", async () => {
  using setup = await setUp();
  const { app } = setup;
  const [ready] = await Promise.all([1, 2].map(() => app.request("/ready")));
  assertEquals(ready?.status, 200);
  assertEquals(await ready?.json(), { status: "ok" });
  let pings = 0;
  const config = configWith("hooks.example");
  const engine = {
    ...{ start: () => Promise.reject(), status: () => Promise.reject() },
    cancel: () => Promise.reject(),
    async ping() {
      pings++;
      await new Promise((resolve) => setTimeout(resolve, 10));
      throw new Error("disk is full");
    },
  };
  const log: LogEntry[] = [];
  const broken = createApp(config, {
    watches: createWatches(config, engine),
    log: (entry) => log.push(entry),
  });
  const responses = await Promise.all([1, 2, 3].map(() => broken.request("/ready")));
  for (const response of responses) {
    assertEquals(await outcomeOf(response), [503, "watches-unavailable"]);
  }
  assertEquals([pings, log[0]?.hint], [1, "watches: disk is full"]);
  assertEquals((await broken.request("/health")).status, 200);
  await (await broken.request("/ready")).body?.cancel();
  assertEquals(pings, 2);
  assertEquals((await createApp(config, { log() {} }).request("/ready")).status, 200);
});

Deno.test("/ready is 503 for a closed store and for one that never answers", async () => {
  const closed = await setUp();
  closed[Symbol.dispose]();
  assertEquals(await outcomeOf(await closed.app.request("/ready")), [503, "watches-unavailable"]);
  using clock = new FakeClock();
  const config = configWith("hooks.example");
  const never = () => new Promise<never>(() => {});
  const engine = { start: never, status: never, cancel: never, ping: never };
  const watches = createWatches(config, engine);
  const answer = Promise.resolve(createApp(config, { watches, log() {} }).request("/ready"));
  assertEquals((await clock.runUntil(answer)).status, 503);
  assertEquals(clock.pending, 0);
});

Deno.test("a host with two entries gets a signature by each secret", async () => {
  using setup = await setUp(`hooks.example=${OTHER_SECRET},hooks.example`);
  setup.platform.add({ id: "t-1", status: "success" });
  await setup.create(ORDER);
  await setup.watches.sweep();
  const [received] = setup.receiver.received;
  assertEquals(received?.headers["webhook-signature"]?.split(" ").length, 2);
  assertEquals(received?.status, 204, "verified by one of them");
});

Deno.test("POST /watches applies the allow-lists", async () => {
  using setup = await setUp("hooks.example", { RESOLVE_ALLOWED_WORKSPACES: "workspace-2" });
  const problem = await problemOf(await setup.create(ORDER));
  assertEquals([problem.status, problem.code], [403, "WORKSPACE_NOT_ALLOWED"]);
});

Deno.test("a failing store is 503 watches-unavailable with the cause only in the log", async () => {
  const setup = await setUp();
  setup[Symbol.dispose]();
  const path = `/watches/${"0".repeat(64)}-0`;
  for (
    const answer of [
      await setup.create(ORDER),
      await setup.ask("GET", path),
      await setup.ask("DELETE", path),
    ]
  ) {
    assertEquals(answer.headers.get("retry-after"), "60");
    assert(!(await textOf(answer)).includes("canary"));
    assertEquals(await outcomeOf(answer), [503, "watches-unavailable"]);
    assertMatch(String(setup.log.at(-1)?.hint), /^watches: ./);
  }
});

const CALLBACKS: [wrong: string, setting: string][] = [
  ["no secret", "hooks.example"],
  ["no host", `=${CALLBACK_SECRET}`],
  ["a short secret", "hooks.example=whsec_Y2FuYXJ5"],
  ["another kind of secret", "hooks.example=canary-callback-secret"],
  ["an empty entry", `hooks.example=${CALLBACK_SECRET},`],
  ["a scheme", `https://hooks.example=${CALLBACK_SECRET}`],
  ["a query", `hooks.example/end?a=${CALLBACK_SECRET}`],
  ["dot segments in its path", `hooks.example/a/../b=${CALLBACK_SECRET}`],
  ["an escape in its path", `hooks.example/%65nd=${CALLBACK_SECRET}`],
  ["an empty segment in its path", `hooks.example//end=${CALLBACK_SECRET}`],
  [
    "one secret for two paths",
    `hooks.example/a=${CALLBACK_SECRET},hooks.example/b=${CALLBACK_SECRET}`,
  ],
  ["user info", `user@hooks.example=${CALLBACK_SECRET}`],
  ["a bad port", `hooks.example:65536=${CALLBACK_SECRET}`],
  ["port 0", `hooks.example:0=${CALLBACK_SECRET}`],
  ["no port after its colon", `hooks.example:=${CALLBACK_SECRET}`],
  ["a pattern", `*.hooks.example=${CALLBACK_SECRET}`],
  ["two entries that a semicolon parts", `a.example;hooks.example=${CALLBACK_SECRET}`],
  ["an escape", `hooks%2eexample=${CALLBACK_SECRET}`],
  ["an inbound secret", `hooks.example=${SECRET}`],
  ["the secret of a link", `hooks.example=${OTHER_SECRET}`],
  ["one secret for two hosts", `a.example=${CALLBACK_SECRET},b.example=${CALLBACK_SECRET}`],
  ["one secret for two ports", `a.example=${CALLBACK_SECRET},a.example:8443=${CALLBACK_SECRET}`],
  ["loopback", `127.0.0.1:80=${CALLBACK_SECRET}`],
  ["localhost", `localhost=${CALLBACK_SECRET}`],
  ["a name of loopback", `app.localhost=${CALLBACK_SECRET}`],
  ["a private address", `10.0.0.1=${CALLBACK_SECRET}`],
  ["a decimal address", `169254169254=${CALLBACK_SECRET}`],
  ["an address in IPv6", `[::ffff:10.0.0.1]=${CALLBACK_SECRET}`],
];

for (const [wrong, setting] of CALLBACKS) {
  Deno.test(`RESOLVE_CALLBACK_HOSTS with ${wrong} is refused without quoting it`, () => {
    const env = {
      DEEPINT_TOKEN: TOKEN,
      RESOLVE_API_KEYS: KEY,
      RESOLVE_WEBHOOK_SECRETS: SECRET,
      RESOLVE_LINK_SECRETS: OTHER_SECRET,
    };
    const error = assertThrows(
      () =>
        readConfig({ ...env, RESOLVE_CALLBACK_HOSTS: setting }, {
          parseCallbackHosts,
        }),
      ConfigError,
      "RESOLVE_CALLBACK_HOSTS: ",
    );
    assert(!/Y2Fu|canary|user/.test(Deno.inspect(error)), error.message);
  });
}
