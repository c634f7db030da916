// The routes of operators: list, figures, redelivery and sweep.
import { assert, assertEquals, assertMatch } from "@std/assert";
import * as v from "valibot";
import {
  WatchBody,
  type WatchItem,
  WatchList,
  WatchStats,
  WatchSweep,
} from "../../functions/watches/response_schema.ts";
import { createApp } from "../../functions/app.ts";
import { createStoreWatches } from "../../functions/watches/operator_routes.ts";
import { createWatches } from "../../functions/watches/routes.ts";
import { IDS, KEY, objectOf, outcomeOf, problemOf } from "../helpers/endpoint.ts";
import { CALLBACK_SECRET, configWith } from "../helpers/watches.ts";
import { ORDER, OTHER_SECRET, setUp } from "../helpers/watch_endpoint.ts";

const HOST = "hooks.example";

type Setup = Awaited<ReturnType<typeof setUp>>;

/** Creates the watch of a new task, and lets a second pass. */
async function begin(setup: Setup, taskId: string, fields = {}, order = {}): Promise<string> {
  const workspace = `w-${taskId}`; // of its own: the task is polled by GET
  setup.platform.add({ id: taskId, workspace, status: "running", ...fields });
  const ids = { workspace_id: workspace, task_id: taskId };
  const response = await setup.create({ ...ORDER, ...ids, ...order });
  assertEquals(response.status, 202);
  setup.clockOffset += 1_000;
  return String((await objectOf(response)).id);
}

async function list(setup: Setup, query = ""): Promise<v.InferOutput<typeof WatchList>> {
  const response = await setup.ask("GET", `/watches${query}`);
  assertEquals(response.status, 200);
  return v.parse(WatchList, await objectOf(response));
}

async function statsOf(setup: Setup) {
  return v.parse(WatchStats, await objectOf(await setup.ask("GET", "/watches/stats")));
}

const tasksIn = (watches: readonly WatchItem[]) => watches.map(({ task }) => task?.task_id);

Deno.test("GET /watches lists watches, the newest first, page by page", async () => {
  using setup = await setUp();
  assertEquals(await list(setup), { watches: [], next_cursor: null });
  for (let n = 0; n < 5; n++) await begin(setup, `t-${n}`);
  const first = await list(setup, "?limit=2");
  assertEquals(tasksIn(first.watches), ["t-4", "t-3"]);
  const second = await list(setup, `?limit=2&cursor=${first.next_cursor}&state=`);
  assertEquals(tasksIn(second.watches), ["t-2", "t-1"]);
  const third = await list(setup, `?limit=2&cursor=${second.next_cursor}`);
  assertEquals([tasksIn(third.watches), third.next_cursor], [["t-0"], null]);
  assertEquals((await list(setup, "?limit=5")).next_cursor, null);
});

Deno.test("GET /watches shows each watch without the callback's query", async () => {
  using setup = await setUp();
  const order = { callback_url: `https://${HOST}/end/1?secret=canary-query` };
  const id = await begin(setup, "t-1", { status: "success", result: "s-1" }, order);
  await setup.watches.sweep();
  const response = await setup.ask("GET", "/watches");
  const text = await response.text();
  assert(!/canary|whsec_/.test(text), text);
  const { watches: [item] } = v.parse(WatchList, JSON.parse(text));
  assert(item);
  const { callback_url, created_at, due_at, ...body } = item;
  assertEquals(callback_url, `https://${HOST}/end/1`);
  assert(created_at <= due_at);
  assertEquals(body, v.parse(WatchBody, await objectOf(await setup.ask("GET", `/watches/${id}`))));
  assertEquals([body.state, body.event], ["delivered", { type: "task.success" }]);
});

Deno.test("GET /watches?state= lists the watches in one state", async () => {
  using setup = await setUp();
  await begin(setup, "t-1", { status: "success", result: "s-1" });
  await setup.watches.sweep();
  await begin(setup, "t-2");
  const id = await begin(setup, "t-3");
  await setup.ask("DELETE", `/watches/${id}`);
  for (const [state, task] of [["delivered", "t-1"], ["watching", "t-2"], ["cancelled", "t-3"]]) {
    const { watches } = await list(setup, `?state=${state}`);
    assertEquals(watches.map((it) => [it.state, it.task?.task_id]), [[state, task]]);
  }
  assertEquals((await list(setup, "?state=failed")).watches, []);
});

Deno.test("an invalid query of GET /watches is 400", async () => {
  using setup = await setUp();
  for (
    const query of [
      ...["state=open", "state=WATCHING", "limit=0", "limit=201", "limit=1.5", "limit=-1"],
      ...["limit=x", "cursor=x", "cursor=%F0", `cursor=${btoa("1.2")}`, "cursor=-"],
      `cursor=${"A".repeat(10_000)}`,
    ]
  ) {
    const problem = await problemOf(await setup.ask("GET", `/watches?${query}`));
    assertEquals([problem.status, problem.code], [400, "INVALID_REQUEST"], query);
  }
});

Deno.test("GET /watches/stats counts open and due watches and the results of each host", async () => {
  const host = `hooks.example,other.example=${OTHER_SECRET}`.replace(",", `=${CALLBACK_SECRET},`);
  using setup = await setUp("x.example", { RESOLVE_CALLBACK_HOSTS: host });
  assertEquals(await statsOf(setup), {
    ...{ open: 0, due: 0, oldest_due_s: 0, delivered: 0, failed: 0 },
    hosts: {},
  });
  setup.respond = ({ url }) => new Response(null, { status: url.includes("other") ? 410 : 204 });
  await begin(setup, "t-1", { status: "success", result: "s-1" });
  await begin(setup, "t-2", { status: "failed" }, { callback_url: "https://other.example/?q=1" });
  await setup.watches.sweep();
  await begin(setup, "t-3");
  setup.clockOffset += 4_000;
  assertEquals(await statsOf(setup), {
    ...{ open: 1, due: 1, oldest_due_s: 5, delivered: 1, failed: 1 },
    hosts: {
      "hooks.example": { open: 1, delivered: 1, failed: 0, timed_out: 0 },
      "other.example": { open: 0, delivered: 0, failed: 1, timed_out: 0 },
    },
  });
});

Deno.test("POST /watches/{id}/redeliver delivers the event again with the same id", async () => {
  using setup = await setUp();
  const id = await begin(setup, "t-1", { status: "success", result: "s-1" });
  await setup.watches.sweep();
  const before = await objectOf(await setup.ask("GET", `/watches/${id}`));
  assertEquals([before.state, before.attempts], ["delivered", 1]);

  const response = await setup.ask("POST", `/watches/${id}/redeliver`);
  assertEquals(response.status, 202);
  const reopened = v.parse(WatchBody, await objectOf(response));
  assertEquals([reopened.id, reopened.state], [id, "watching"]);
  assertEquals((await statsOf(setup)).open, 1);
  await setup.watches.sweep();
  const after = await objectOf(await setup.ask("GET", `/watches/${id}`));
  assertEquals(after, { ...before, attempts: 2 });
  const [first, second] = setup.receiver.received;
  assertEquals([first?.id, first?.event], [second?.id, second?.event]);
  assertEquals(setup.platform.count(), 1, "the task is not polled again");
  const { open, delivered, hosts } = await statsOf(setup);
  assertEquals([open, delivered, hosts[HOST]?.delivered], [0, 2, 2]);
});

Deno.test("a redelivery is retried for 24 hours from its request, from 1 s on", async () => {
  using setup = await setUp();
  const id = await begin(setup, "t-1", { status: "success", result: "s-1" });
  setup.respond = () => new Response(null, { status: 410 });
  await setup.watches.sweep();
  assertEquals((await setup.watches.status(id))?.state, "failed");
  setup.clockOffset += 3 * 86_400_000;
  setup.respond = () => new Response(null, { status: 500 });
  const start = setup.watches.store.now();
  assertEquals((await setup.ask("POST", `/watches/${id}/redeliver`)).status, 202);
  const delays: number[] = [];
  for (;;) {
    await setup.watches.sweep();
    const watch = await setup.watches.status(id);
    if (watch?.state !== "watching") break;
    const wait = watch.dueAt - setup.watches.store.now();
    delays.push(Math.round(wait / 1_000));
    setup.clockOffset += wait;
  }
  assertMatch(delays.slice(0, 4).join(), /^1,2,4,[89]$/);
  const lasted = setup.watches.store.now() - start;
  assert(lasted >= 86_400_000 && lasted < 86_500_000, `${lasted} ms`);
  assertEquals((await setup.watches.status(id))?.state, "failed");
});

Deno.test("an open watch and one without an event cannot be redelivered", async () => {
  using setup = await setUp();
  const open = await begin(setup, "t-1");
  const cancelled = await begin(setup, "t-2");
  await setup.ask("DELETE", `/watches/${cancelled}`);
  const cases = [
    [open, 409, "WATCH_OPEN"],
    [cancelled, 409, "WATCH_WITHOUT_EVENT"],
    [`${"0".repeat(64)}-0`, 404, "WATCH_NOT_FOUND"],
    ["unknown", 404, "WATCH_NOT_FOUND"],
  ] as const;
  for (const [id, status, code] of cases) {
    const problem = await problemOf(await setup.ask("POST", `/watches/${id}/redeliver`));
    assertEquals([problem.status, problem.code], [status, code]);
    if (status === 409) assertMatch(String(problem.type), /\/problems\/conflict$/);
  }
});

Deno.test("a watch that the endpoint ended cannot be redelivered", async () => {
  using setup = await setUp();
  const id = await begin(setup, "t-1", { status: "success", result: "s-1" });
  const config = configWith("other.example");
  const { watches } = setup;
  await watches.update(id, (watch) => ({ ...watch, callbackUrl: "https://gone.example/" }));
  await watches.sweep();
  assertEquals((await watches.status(id))?.reason, "HOST_REMOVED");
  const app = createApp(config, { watches: createStoreWatches(config, watches), log() {} });
  const headers = { authorization: `Bearer ${KEY}` };
  const response = await app.request(`/watches/${id}/redeliver`, { method: "POST", headers });
  assertEquals((await problemOf(response)).code, "WATCH_WITHOUT_EVENT");
});

for (const method of ["GET", "POST"]) {
  Deno.test(`${method} /watches/sweep polls and delivers what is due`, async () => {
    using setup = await setUp();
    await begin(setup, "t-1", { status: "success", result: "s-1" });
    await begin(setup, "t-2");
    const response = await setup.ask(method, "/watches/sweep");
    assertEquals(response.status, 200);
    const sweep = v.parse(WatchSweep, await objectOf(response));
    assertEquals(sweep, { polled: 2, delivered: 1, remaining: 0 });
    const again = await objectOf(await setup.ask(method, "/watches/sweep"));
    assertEquals(again, { polled: 0, delivered: 0, remaining: 0 });
    assertEquals(setup.receiver.received.length, 1);
  });
}

Deno.test("a sweep ends at RESOLVE_SWEEP_MS and reports what remains", async () => {
  using setup = await setUp("hooks.example", { RESOLVE_SWEEP_MS: "1000" });
  for (let n = 0; n < 70; n++) await begin(setup, `t-${n}`);
  setup.platform.inject(() => new Promise(() => {}), 70);
  const begun = performance.now();
  const result = await objectOf(await setup.ask("POST", "/watches/sweep"));
  const took = performance.now() - begun;
  assert(took >= 1_000 && took < 3_000, `${took} ms`);
  assertEquals(result, { polled: 64, delivered: 0, remaining: 6 });
});

const ROUTES = [
  "GET /watches",
  "GET /watches/stats",
  "GET /watches/sweep",
  "POST /watches/sweep",
  `POST /watches/${"0".repeat(64)}-0/redeliver`,
].map((route) => route.split(" ") as [method: string, path: string]);

Deno.test("the operator routes take a key", async () => {
  using setup = await setUp();
  for (const [method, path] of ROUTES) {
    const response = await setup.app.request(path, { method });
    assertEquals(await outcomeOf(response), [401, "unauthorized"], path);
    const headers = { authorization: `Bearer ${KEY}x` };
    assertEquals((await setup.app.request(path, { method, headers })).status, 401, path);
  }
  assertEquals(setup.platform.count(), 0);
});

/** An engine that cannot list its watches. */
const none = () => Promise.resolve(undefined);
const UNLISTED = { start: () => Promise.reject(new Error()), status: none, cancel: none };

Deno.test("the operator routes are 404 without watches and for an engine that cannot list", async () => {
  const config = configWith(HOST);
  const headers = { authorization: `Bearer ${KEY}` };
  for (const watches of [undefined, createWatches(config, UNLISTED)]) {
    const app = createApp(config, { watches, log() {} });
    for (const [method, path] of ROUTES) {
      const response = await app.request(path, { method, headers });
      assertEquals((await outcomeOf(response))[0], 404, path);
    }
  }
});

Deno.test("the operator routes are 503 when the store fails", async () => {
  const setup = await setUp();
  const id = await begin(setup, "t-1", { task_id: IDS.task_id });
  setup.kv.close();
  for (const [method, path] of ROUTES) {
    const response = await setup.ask(method, path.replace(`${"0".repeat(64)}-0`, id));
    assertEquals(await outcomeOf(response), [503, "watches-unavailable"], path);
  }
});

Deno.test("GET /metrics has the figures of the watches after the counters", async () => {
  using setup = await setUp();
  await begin(setup, "t-1", { status: "success", result: "s-1" });
  await setup.watches.sweep();
  await begin(setup, "t-2");
  const response = await setup.ask("GET", "/metrics");
  const lines = (await response.text()).trimEnd().split("\n");
  assertEquals(lines.filter((line) => !line.startsWith("#")), [
    'deepint_requests_total{route="/watches",status="202"} 2',
    "deepint_watches_open 1",
    "deepint_watches_due 1",
    "deepint_watches_oldest_due_seconds 1",
    "deepint_watches_delivered_total 1",
    "deepint_watches_failed_total 0",
  ]);
  for (const line of lines) {
    assertMatch(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{.+\})? \d+)$/);
  }
});

Deno.test("GET /metrics has only the counters for an engine that cannot list", async () => {
  const config = configWith(HOST);
  const app = createApp(config, { watches: createWatches(config, UNLISTED), log() {} });
  const response = await app.request("/metrics", { headers: { authorization: `Bearer ${KEY}` } });
  assertEquals([response.status, /deepint_watches/.test(await response.text())], [200, false]);
});
