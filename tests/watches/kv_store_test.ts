// Durable watches in Deno KV: real files, in this process and in others that are killed.
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { HttpProblem } from "../../functions/http/problem.ts";
import { KvStore } from "../../functions/watches/kv_store.ts";
import { captureConsole } from "../helpers/endpoint.ts";
import type { FakeTask } from "../helpers/fake_platform.ts";
import { folder } from "../helpers/watch_server.ts";
import { keysIn, openIn, setUp } from "../helpers/kv_watches.ts";
import { testStore } from "./store_contract.ts";
import { configWith, kvWatches } from "../helpers/watches.ts";

const HOST = "hooks.example";
const DAY = 86_400_000;
const DONE = { status: "success", result: "s-1", result_type: "source" } as const;

testStore("KV", {
  async open() {
    const kv = await Deno.openKv(":memory:");
    let now = Date.now();
    return {
      store: new KvStore(kv, { maxWatches: 100, now: () => now }),
      advance: (ms) => Promise.resolve(void (now += ms)),
      [Symbol.asyncDispose]: () => Promise.resolve(kv.close()),
    };
  },
});

Deno.test("1,000 watches deliver one event each, though a tenth of the receivers fails twice", async () => {
  const stubborn = (id: string) => parseInt(id.slice(0, 8), 16) % 10 === 0;
  await using setup = await setUp((id, before) => stubborn(id) && before < 2 ? 500 : 200);
  const { watches, platform, kv, receiver } = setup;
  const began = performance.now();
  const begun = await Promise.all(Array.from({ length: 1_000 }, (_, index) => {
    const id = `${index.toString(16).padStart(8, "0")}-0`;
    return setup.begin({ id, steps: [{ status: "running" }, DONE] });
  }));
  const started = performance.now();
  assertEquals(new Set(begun.map(({ id }) => id)).size, 1_000);
  assertEquals(await openIn(kv), 1_000n);

  await watches.sweep();
  const swept = performance.now();
  assertEquals([platform.count(), receiver.received.length], [1_000, 0]);
  for (let sweep = 0; sweep < 3; sweep++) {
    setup.now += 5_000;
    await watches.sweep();
  }
  assertEquals(platform.count(), 2_000, "none is polled once it has ended");
  assertEquals(receiver.received.length, 1_200);
  const taken = receiver.taken();
  assertEquals([...taken.keys()].toSorted(), begun.map(({ eventId }) => eventId).toSorted());
  const attempts = Map.groupBy(receiver.received, ({ id }) => id);
  for (const { id, eventId, ids } of begun) {
    const events = taken.get(eventId) ?? [];
    assertEquals(events.length, 1, id);
    assertEquals(events[0]?.event.type, "task.success");
    const statuses = attempts.get(eventId)?.map(({ status }) => status);
    assertEquals(statuses, stubborn(ids.taskId) ? [500, 500, 200] : [200]);
    assertEquals((await watches.status(id))?.state, "delivered");
  }
  assertEquals(await openIn(kv), 0n);
  assertEquals((await keysIn(kv)).filter(([kind]) => kind === "due"), []);
  assertEquals(setup.problems, []);
  // deno-lint-ignore no-console -- how fast, for whoever wants to know
  console.log(
    `${Math.round(1e6 / (started - began))} begun and ${
      Math.round(1e6 / (swept - started))
    } polled a second`,
  );
});

Deno.test("concurrent requests for a key start one watch, also in two processes", async () => {
  await using setup = await setUp();
  const other = setup.another();
  const order = { key: "a".repeat(64) };
  const all = await Promise.all(
    Array.from({ length: 50 }, (_, index) => {
      const ids = { organizationId: "organization-1", workspaceId: "workspace-1", taskId: "t-1" };
      const whole = {
        ...order,
        instance: "app.deepint.net",
        ids,
        callbackUrl: `https://${HOST}/end`,
        deadline: DAY,
      };
      return (index % 2 ? setup.watches : other).start(whole);
    }),
  );
  assertEquals(new Set(all.map(({ id }) => id)), new Set([`${order.key}-0`]));
  assertEquals(await openIn(setup.kv), 1n);
});

Deno.test("a new generation starts only after cancelled, failed or expired", async () => {
  let status = 200;
  await using setup = await setUp(() => status);
  const order = { key: "b".repeat(64) };
  const ends: [begun: string, state: string][] = [];
  const end = async (task: FakeTask, wait: number) => {
    const { id } = await setup.begin({ id: "t-1", ...task }, order);
    for (let sweep = 0; sweep < 2; sweep++) {
      await setup.watches.sweep();
      setup.now += wait;
    }
    ends.push([id.slice(64), (await setup.watches.status(id))?.state ?? "none"]);
    return id;
  };
  const id = await end({ status: "running" }, 1_000);
  assertEquals((await setup.watches.cancel(id))?.state, "cancelled");
  assertEquals((await setup.watches.cancel(id))?.state, "cancelled");
  await end({ status: "running" }, DAY);
  status = 410;
  await end({ ...DONE }, 1_000);
  status = 200;
  await end({ ...DONE }, 1_000);
  await end({ ...DONE }, 1_000);
  assertEquals(ends, [
    ["-0", "watching"],
    ["-1", "expired"],
    ["-2", "failed"],
    ["-3", "delivered"],
    ["-3", "delivered"],
  ]);
  assertEquals(setup.receiver.received.map(({ event }) => event.type), [
    "task.expired",
    "task.success",
    "task.success",
  ]);
  assertEquals(await openIn(setup.kv), 0n);
});

Deno.test("a failing delivery is retried for 24 hours, and the state shows it", async () => {
  await using setup = await setUp(() => 500);
  const { id, eventId } = await setup.begin(DONE);
  await setup.watches.sweep();
  const found = setup.now;
  assertEquals((await setup.watches.status(id))?.state, "watching");
  const [due] = (await keysIn(setup.kv)).filter(([kind]) => kind === "due");
  assertEquals(Number(due?.[2]) - found, 1_050);
  while ((await setup.watches.status(id))?.state === "watching") {
    assert(setup.now <= found + DAY, "24 hours at most");
    const [due] = (await keysIn(setup.kv)).filter(([kind]) => kind === "due");
    setup.now = Number(due?.[2]);
    await setup.watches.sweep();
  }
  const report = await setup.watches.status(id);
  assertEquals([report?.state, report?.lastStatus], ["failed", 500]);
  assertEquals(report?.attempts, setup.receiver.received.length);
  assertEquals(setup.now - found, DAY);
  assertEquals(new Set(setup.receiver.received.map((one) => one.id)), new Set([eventId]));
  assertEquals(setup.platform.count(), 1);
});

Deno.test("a claim of a dead process is taken over after its lease", async () => {
  await using setup = await setUp();
  const { id } = await setup.begin(DONE);
  let polls = 0;
  const { promise: never, resolve } = Promise.withResolvers<Response>();
  const dead = setup.another({
    fetch: () => {
      polls++;
      return never;
    },
  });
  const hanging = dead.sweep();
  while (polls === 0) await new Promise((resolve) => setTimeout(resolve));
  await setup.watches.sweep();
  setup.now += 25_000;
  await setup.watches.sweep();
  assertEquals(setup.receiver.received.length, 0, "within the lease nobody else polls it");
  setup.now += 10_000;
  await setup.watches.sweep();
  assertEquals([setup.platform.count(), setup.receiver.received.length], [1, 1]);
  // the first comes back to life, and finds that it has lost
  resolve(Response.json({ id: "another" }));
  await hanging;
  assertEquals((await setup.watches.status(id))?.polls, 1);
  assertEquals([setup.receiver.received.length, setup.problems], [1, []]);
});

Deno.test("a watch cancelled during its poll delivers nothing", async () => {
  await using setup = await setUp();
  const { id } = await setup.begin(DONE);
  setup.platform.inject(async () => {
    await setup.watches.cancel(id);
    return undefined;
  });
  await setup.watches.sweep();
  assertEquals([setup.platform.count(), setup.receiver.received.length], [1, 0]);
  assertEquals((await setup.watches.status(id))?.state, "cancelled");
  assertEquals(await openIn(setup.kv), 0n);
});

Deno.test("at most RESOLVE_MAX_WATCHES are open, and an end makes room", async () => {
  await using setup = await setUp(undefined, { RESOLVE_MAX_WATCHES: "3" });
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, () => setup.begin({ status: "running" })),
  );
  const begun = outcomes.filter(({ status }) => status === "fulfilled");
  assertEquals([begun.length, await openIn(setup.kv)], [3, 3n]);
  const full = await assertRejects(() => setup.begin({}), HttpProblem);
  assertEquals([full.type, full.options.code], ["watches-unavailable", "WATCHES_FULL"]);
  const [first] = begun;
  assert(first?.status === "fulfilled");
  await setup.watches.cancel(first.value.id);
  await setup.begin({});
  assertEquals(await openIn(setup.kv), 3n);
});

Deno.test("a watch with the longest texts fits a value of the store", async () => {
  await using setup = await setUp();
  const long = "\u20ac".repeat(20_000);
  const texts = ["user_id", "user_name", "name", "description", "subtask", "result", "result_type"];
  const errors = ["error_code", "error_description"];
  const fields = Object.fromEntries([...texts, ...errors].map((name) => [name, long]));
  const { id } = await setup.begin({ ...fields, status: "success" });
  await setup.watches.sweep();
  assertEquals((await setup.watches.status(id))?.state, "delivered");
  assertEquals(setup.problems, []);
});

Deno.test("changes that are too large for one commit are saved", async () => {
  await using setup = await setUp();
  const long = "a".repeat(20_000);
  const texts = ["user_id", "user_name", "name", "description", "subtask", "result", "result_type"];
  const fields = Object.fromEntries(texts.map((name) => [name, long]));
  const { promise: all, resolve } = Promise.withResolvers<undefined>();
  setup.platform.inject(() => {
    if (setup.platform.count() === 60) resolve(undefined);
    return all;
  }, 60);
  const tasks = Array.from({ length: 60 }, () => setup.begin({ ...fields, status: "success" }));
  const begun = await Promise.all(tasks);
  await setup.watches.sweep();
  assertEquals(setup.problems, []);
  for (const { id } of begun) assertEquals((await setup.watches.status(id))?.state, "delivered");
});

Deno.test("run wakes when a single watch is due, not when its lease ends", async () => {
  await using setup = await setUp((_id, before) => before === 0 ? 500 : 204);
  const watches = setup.another({ now: Date.now });
  await setup.begin(DONE);
  const stop = new AbortController();
  const running = watches.run(stop.signal);
  await setup.receiver.until(1);
  stop.abort();
  await running;
  const [first, second] = setup.receiver.received;
  assert(first && second);
  const gap = second.at - first.at;
  assert(gap > 1_000 && gap < 10_000, `${gap} ms`);
  assertEquals(setup.problems, []);
});

Deno.test("index entries without a watch are removed", async () => {
  await using setup = await setUp();
  const { id } = await setup.begin({});
  const root = "deepint-watches";
  const orphans: Deno.KvKey[] = [
    [root, "due", "", setup.now, "gone"],
    [root, "due", "", setup.now - 1_000, id],
    [root, "due", "gone.example", setup.now, id],
    [root, "due", setup.now, "of another layout"],
  ];
  for (const key of orphans) await setup.kv.set(key, null);
  await setup.watches.sweep();
  assertEquals([setup.platform.count(), setup.problems], [1, []]);
  const due = (await keysIn(setup.kv)).filter(([kind]) => kind === "due");
  assertEquals(due.map((key) => key.at(-1)), [id]);
  assertEquals(await openIn(setup.kv), 1n);
});

Deno.test("entries without a readable watch end no list", async () => {
  await using setup = await setUp();
  const { id, ids, instance } = await setup.begin({});
  const { store } = setup.watches;
  const workspace = { ...ids, instance };
  const { organizationId, workspaceId } = ids;
  for (const orphan of ["!1", "!2", "!3"]) {
    await setup.kv.set(["deepint-watches", "state", "watching", setup.now + 1, orphan], null);
    const key = ["deepint-watches", "workspace", instance, organizationId, workspaceId, orphan];
    await setup.kv.set(key, null);
  }
  assertEquals((await store.list({ limit: 2 })).map((watch) => watch.id), [id]);
  const open = await store.openWatches(workspace, { limit: 2 });
  assertEquals(open.map(({ watch }) => watch.id), [id]);
});

Deno.test("a closed store fails each request and is logged", async () => {
  await using setup = await setUp();
  const { id } = await setup.begin({});
  const place = await folder();
  const kv = await Deno.openKv(place.file);
  const broken = kvWatches(kv, configWith(HOST));
  kv.close();
  await assertRejects(() => broken.status(id));
  await assertRejects(() => broken.cancel(id));
  using output = captureConsole();
  const stop = new AbortController();
  const run = broken.run(stop.signal);
  while (output.log.length === 0) await new Promise((resolve) => setTimeout(resolve));
  stop.abort();
  await run;
  const { time, error } = JSON.parse(String(output.log[0]));
  assertEquals(typeof time, "string");
  assertMatch(error, /^watches: ./, "a line of the log says why");
  await place[Symbol.asyncDispose]();
});
