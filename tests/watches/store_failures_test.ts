// Stores that fail, hang or lose the save of a delivery, and clocks that are set.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { KvStore } from "../../functions/watches/kv_store.ts";
import type { WatchLogEntry } from "../../functions/watches/step.ts";
import type { WatchStore } from "../../functions/watches/store.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { MemoryStore } from "../helpers/memory_store.ts";
import { createLoop, order, tasks } from "../helpers/watch_loop.ts";

/** A store whose calls fail while `reason` is set. */
function failingStore(
  store: WatchStore,
): WatchStore & { reason: string | undefined; calls: number } {
  const fail = { reason: undefined as string | undefined, calls: 0 };
  return new Proxy(Object.assign(Object.create(store), fail), {
    get(target, name) {
      const value = Reflect.get(store, name);
      if (typeof value !== "function" || name === "now") return Reflect.get(target, name);
      return (...args: unknown[]) => {
        target.calls++;
        if (target.reason !== undefined) return Promise.reject(new Error(target.reason));
        return value.apply(store, args);
      };
    },
  });
}

Deno.test("a failing store is retried after 1 s to 60 s, and nothing is lost", async () => {
  using clock = new FakeClock();
  const store = failingStore(new MemoryStore());
  const log: WatchLogEntry[] = [];
  const delivered = new Set<string>();
  const loop = createLoop(store, {
    fetch: tasks("success"),
    callbackFetch(_url, init) {
      delivered.add(new Headers(init?.headers).get("webhook-id") ?? "");
      return Promise.resolve(new Response());
    },
    log: (entry) => log.push(entry),
  });
  await Promise.all(Array.from({ length: 200 }, (_, n) => loop.start(order(n))));
  store.reason = "database or disk is full";
  store.calls = 0;
  const stop = new AbortController();
  const running = loop.run(stop.signal);
  await clock.tick(3_500);
  const times = log.map(({ time }) => Date.parse(time) - clock.now + 3_500);
  assertEquals(times.map((time) => Math.round(time / 100) / 10), [0, 1, 3]);
  assertMatch(log[0]?.error ?? "", /^watches: database or disk is full$/);
  await clock.tick(600_000);
  assert(store.calls <= 17, `${store.calls} calls in 10 minutes`);
  assertEquals(log.length, store.calls);
  store.reason = undefined;
  await clock.tick(60_000);
  assertEquals(delivered.size, 200);
  stop.abort();
  await clock.runUntil(running);
});

Deno.test("steps whose result cannot be saved are repeated and logged once a second", async () => {
  using clock = new FakeClock();
  const store = failingStore(new MemoryStore());
  const errors: string[] = [];
  let polls = 0;
  const loop = createLoop(store, {
    async fetch(url) {
      polls++;
      await new Promise((resolve) => setTimeout(resolve, 100 + polls));
      return await tasks("success")(url);
    },
    callbackFetch: () => Promise.resolve(new Response()),
    log: ({ error }) => void (error && errors.push(error)),
  });
  const watches = await Promise.all(Array.from({ length: 64 }, (_, n) => loop.start(order(n))));
  const stop = new AbortController();
  const running = loop.run(stop.signal);
  await clock.tick(50);
  assertEquals(polls, 64);
  store.reason = "database is gone";
  await clock.tick(900);
  assertEquals(errors, ["watches: database is gone"]);
  store.reason = undefined;
  await clock.tick(60_000);
  for (const { id } of watches) assertEquals((await loop.status(id))?.state, "delivered");
  stop.abort();
  await clock.runUntil(running);
});
Deno.test("an event whose save fails is saved again, and not delivered twice", async () => {
  using clock = new FakeClock();
  const store = failingStore(new MemoryStore());
  let deliveries = 0;
  const loop = createLoop(store, {
    fetch: tasks("success"),
    callbackFetch() {
      deliveries++;
      store.reason = "database or disk is full";
      return Promise.resolve(new Response());
    },
  });
  const { id } = await loop.start(order(1));
  const stop = new AbortController();
  const running = loop.run(stop.signal);
  await clock.tick(5_000);
  assertEquals(deliveries, 1);
  store.reason = undefined;
  await clock.tick(120_000);
  assertEquals([(await loop.status(id))?.state, deliveries], ["delivered", 1]);
  stop.abort();
  await clock.runUntil(running);
});

Deno.test("an event that cannot be saved while the lease lasts is delivered again, with its id", async () => {
  using clock = new FakeClock();
  const store = failingStore(new MemoryStore());
  const ids: (string | null)[] = [];
  const loop = createLoop(store, {
    fetch: tasks("success"),
    callbackFetch(_url, init) {
      ids.push(new Headers(init?.headers).get("webhook-id"));
      if (ids.length === 1) store.reason = "database or disk is full";
      return Promise.resolve(new Response());
    },
  });
  const { id, eventId } = await loop.start(order(1));
  const stop = new AbortController();
  const running = loop.run(stop.signal);
  await clock.tick(300_000);
  store.reason = undefined;
  await clock.tick(120_000);
  assertEquals([(await loop.status(id))?.state, ids], ["delivered", [eventId, eventId]]);
  stop.abort();
  await clock.runUntil(running);
});

for (const call of ["nextDueAt", "claim", "save"] as const) {
  Deno.test(`a call of ${call} that never answers does not stall the loop`, async () => {
    using clock = new FakeClock();
    const memory = new MemoryStore();
    const errors: string[] = [];
    const log = ({ error }: WatchLogEntry) => void (error && errors.push(error));
    const fetch = tasks("success");
    const callbackFetch = () => Promise.resolve(new Response());
    const loop = createLoop(memory, { fetch, callbackFetch, log });
    const watches = await Promise.all([1, 2, 3].map((n) => loop.start(order(n))));
    let hanging = 1;
    const real = memory[call].bind(memory) as () => never;
    memory[call] = ((...args: []) =>
      hanging-- > 0 ? new Promise<never>(() => {}) : real(...args)) as never;
    const stop = new AbortController();
    const running = loop.run(stop.signal);
    await clock.tick(60_000);
    assertEquals(errors, ["watches: the store does not respond"]);
    for (const { id } of watches) assertEquals((await loop.status(id))?.state, "delivered");
    stop.abort();
    await clock.runUntil(running);
    assertEquals(clock.pending, 0);
  });
}

const HOUR_MS = 3_600_000;
for (const shift of [-HOUR_MS, HOUR_MS]) {
  Deno.test(`a wall clock set ${shift < 0 ? "back" : "forward"} by an hour delays no watch`, async () => {
    using clock = new FakeClock();
    const kv = await Deno.openKv(":memory:");
    const { now } = new KvStore(kv);
    kv.close();
    const polls: number[] = [];
    let done = false;
    const loop = createLoop(new MemoryStore({ now }), {
      fetch(url) {
        polls.push(performance.now());
        return tasks(done ? "success" : "running")(url);
      },
      callbackFetch: () => Promise.resolve(new Response()),
    });
    const { id } = await loop.start(order(1));
    const stop = new AbortController();
    const running = loop.run(stop.signal);
    await clock.tick(20_000);
    clock.shiftWall(shift);
    await clock.tick(40_000);
    const gaps = polls.slice(1).map((at, n) => at - (polls[n] ?? 0));
    assert(Math.max(...gaps) <= 35_000, gaps.join());
    done = true;
    clock.shiftWall(-shift);
    // after an hour forward the task counts as an hour old, and is polled every 108 s
    await clock.tick(125_000);
    assertEquals((await loop.status(id))?.state, "delivered");
    stop.abort();
    await clock.runUntil(running);
  });
}
