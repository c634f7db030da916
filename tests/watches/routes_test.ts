// The routes of the watches.
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import * as v from "valibot";
import { ConfigError, createApp, type LogEntry, readConfig } from "../../functions/app.ts";
import { WatchBody, WatchEvent } from "../../functions/watches/response_schema.ts";
import { createWatches } from "../../functions/watches/routes.ts";
import { IDS, KEY, objectOf, outcomeOf, post, problemOf, SECRET } from "../helpers/endpoint.ts";
import { signed, textOf, TOKEN } from "../helpers/endpoint.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { CALLBACK_SECRET, configWith } from "../helpers/watches.ts";

import { HOOK, ORDER, OTHER_SECRET, setUp } from "../helpers/watch_endpoint.ts";

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
  for (const [callback_url, status] of [["https://other.example/", 403], ["x", 400]] as const) {
    const refused = await signed(post({ ...ORDER, callback_url }), { timestamp });
    const { headers, status: got } = await setup.app.request("/watches", refused);
    assertEquals([got, headers.get("webhook-delivery")], [status, "abort-message"]);
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
      ["PUT", "/base/watches", "GET, HEAD, POST"],
      ["POST", "/base/watches/stats", "GET, HEAD"],
      ["PUT", "/base/watches/sweep", "GET, HEAD, POST"],
      ["GET", `${location}/redeliver`, "POST"],
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
