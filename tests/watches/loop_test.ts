// The loop of the durable watches, with stores that fail, receivers that hang and settings that change.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { KvStore } from "../../functions/watches/kv_store.ts";
import type { Watch } from "../../functions/watches/state.ts";
import type { WatchLogEntry } from "../../functions/watches/step.ts";
import type { Settings } from "../helpers/endpoint.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { CALLBACK_SECRET, configWith } from "../helpers/watches.ts";
import { MemoryStore } from "../helpers/memory_store.ts";
import { createLoop, HOST, order, runFor, tasks } from "../helpers/watch_loop.ts";
import { testStore } from "./store_contract.ts";

testStore("memory", {
  open() {
    let now = Date.now();
    return Promise.resolve({
      store: new MemoryStore({ maxWatches: 100, now: () => now }),
      advance: (ms) => Promise.resolve(void (now += ms)),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
});

const secret = (text: string) => `whsec_${btoa(text.padEnd(32, "."))}`;

for (const deadHosts of [1, 3]) {
  Deno.test(`1,000 watches of ${deadHosts} dead hosts do not delay 300 others`, async () => {
    using clock = new FakeClock();
    const names = Array.from({ length: deadHosts }, (_, n) => `dead-${n}.example.com`);
    const config = configWith(HOST, {
      RESOLVE_CALLBACK_HOSTS: [
        `${HOST}=${CALLBACK_SECRET}`,
        ...names.map((name) => `${name}=${secret(name)}`),
      ].join(),
    });
    const start = clock.now;
    const endAt = start + 40_000;
    const polls = new Map<string, number[]>();
    const deliveredAt: number[] = [];
    const open = new Map<string, number>();
    const most = new Map<string, number>();
    const loop = createLoop(new MemoryStore(), {
      config,
      fetch(url) {
        const id = url.split("/").at(-1) ?? "";
        polls.set(id, [...polls.get(id) ?? [], clock.now]);
        const hasEnded = Number(id.slice(2)) >= 300 || clock.now >= endAt;
        const status = hasEnded ? "success" : "running";
        return Promise.resolve(Response.json({ id, status, created: start }));
      },
      callbackFetch(url, init) {
        const { host } = new URL(String(url));
        const count = (open.get(host) ?? 0) + 1;
        open.set(host, count);
        if (host !== HOST) {
          // the first deliveries show that the host is dead
          const name = clock.now < start + 10_000 ? `${host} first` : host;
          most.set(name, Math.max(most.get(name) ?? 0, count));
          return new Promise((_resolve, reject) => {
            init?.signal?.addEventListener("abort", () => {
              open.set(host, (open.get(host) ?? 0) - 1);
              reject(new Error("aborted"));
            });
          });
        }
        open.set(host, count - 1);
        deliveredAt.push(clock.now);
        return Promise.resolve(new Response(null, { status: 204 }));
      },
    });
    const dead = Array.from({ length: 1_000 }, (_, n) => order(300 + n, names[n % deadHosts]));
    const healthy = Array.from({ length: 300 }, (_, n) => order(n));
    await Promise.all([...dead, ...healthy].map((one) => loop.start(one)));
    await runFor(clock, loop, 60_000);
    assertEquals(deliveredAt.length, 300);
    // 11 % of the run time and 2.2 s
    const latest = Math.max(...deliveredAt) - endAt;
    assert(latest <= 0.11 * 40_000 + 2_200, `${latest} ms late`);
    for (const [id, times] of polls) {
      if (Number(id.slice(2)) >= 300) {
        assertEquals(times.length, 1, id);
        continue;
      }
      const gaps = times.slice(1).map((time, n) => time - (times[n] ?? 0));
      assert(times.length >= 8 && Math.max(...gaps) <= 6_600, `${id}: ${gaps}`);
      assert(Math.min(...gaps) >= 2_000, `${id}: ${gaps}`);
    }
    for (const name of names) {
      assertEquals([most.get(`${name} first`), most.get(name)], [8, 1], name);
    }
  });
}

Deno.test("two sweeps and a running loop exceed no limit together", async () => {
  using clock = new FakeClock();
  let open = 0;
  let most = 0;
  const loop = createLoop(new MemoryStore(), {
    async fetch(url) {
      most = Math.max(most, ++open);
      await new Promise((resolve) => setTimeout(resolve, 200));
      open--;
      return await tasks("running")(url);
    },
  });
  await Promise.all(Array.from({ length: 1_000 }, (_, n) => loop.start(order(n))));
  const stop = new AbortController();
  const running = loop.run(stop.signal);
  const sweeps = [loop.sweep(3_000), loop.sweep(3_000)];
  await clock.runUntil(Promise.all(sweeps));
  stop.abort();
  await clock.runUntil(running);
  assertEquals(most, 64);
});

const CHANGES: [change: string, host: string, settings: Settings, reason: string][] = [
  ["an allow-list", HOST, { RESOLVE_ALLOWED_WORKSPACES: "w-2" }, "NOT_ALLOWED"],
  ["the organizations", HOST, { RESOLVE_ALLOWED_ORGANIZATIONS: "o-2" }, "NOT_ALLOWED"],
  ["the instance", HOST, { DEEPINT_INSTANCE: "other.deepint.net" }, "INSTANCE_CHANGED"],
  ["the callback hosts", "other.example.com", {}, "HOST_REMOVED"],
  ["the path of the callback host", `${HOST}/other`, {}, "HOST_REMOVED"],
];
for (const [change, host, settings, reason] of CHANGES) {
  for (const stage of ["poll", "delivery"]) {
    Deno.test(`a watch before its ${stage} fails when ${change} changed`, async () => {
      const now = { ms: Date.now() };
      const store = new MemoryStore({ now: () => now.ms });
      const callbackFetch = () => Promise.resolve(new Response(null, { status: 500 }));
      const fetch = tasks("success");
      const before = createLoop(store, { fetch, callbackFetch });
      const { id } = await before.start(order(1));
      if (stage === "delivery") await before.sweep();
      const attempts = (await before.status(id))?.attempts;
      const log: WatchLogEntry[] = [];
      const unexpected = () => Promise.reject(new Error("a request was sent"));
      const after = createLoop(store, {
        config: configWith(host, settings),
        fetch: unexpected,
        callbackFetch: unexpected,
        log: (entry) => log.push(entry),
      });
      now.ms += 60_000;
      await after.sweep();
      const watch = await after.status(id);
      assertEquals([watch?.state, watch?.reason], ["failed", reason]);
      assertEquals(watch?.attempts, attempts);
      assertEquals(log.map(({ watch, reason }) => [watch, reason]), [[id, reason]]);
    });
  }
}

/** Ways in which a stored watch is damaged. */
const DAMAGES: Readonly<Record<string, (watch: Watch) => object>> = {
  "an unknown format": ({ id, dueAt: due }) => ({ id, state: "watching", due, changed: due }),
  "a changed id": ({ ids, ...watch }) => ({ ...watch, ids: { ...ids, workspaceId: "../w" } }),
  "a changed task": (watch) => ({ ...watch, last: { task: { info: { id: "t-2", name: 5 } } } }),
};

for (const [name, damage] of Object.entries(DAMAGES)) {
  Deno.test(`an entry with ${name} is set aside once, with one log line that has its id`, async () => {
    const kv = await Deno.openKv(":memory:");
    let now = Date.now();
    const log: WatchLogEntry[] = [];
    const store = new KvStore(kv, { now: () => now });
    const options = { log: (entry: WatchLogEntry) => log.push(entry) };
    const loop = createLoop(store, options);
    const watch = await loop.start(order(1));
    const damaged = await loop.start(order(2));
    const { id } = damaged;
    const key = ["deepint-watches", "watch", id];
    await kv.set(key, { watch: damage(damaged), claimableAt: now });
    for (let sweep = 0; sweep < 5; sweep++, now += 60_000) await loop.sweep();
    assertEquals(log.map(({ watch }) => watch), [id]);
    assertMatch(log[0]?.error ?? "", /unreadable/);
    assertEquals((await kv.get(key)).versionstamp, null);
    assertEquals(await loop.status(id), undefined);
    assert(((await loop.status(watch.id))?.polls ?? 0) >= 5, "the other watch is polled");
    assertEquals((await loop.start(order(2))).state, "watching", "the task can be watched again");
    kv.close();
  });
}

Deno.test("a watch of the same task has another event id once the store forgot the first", async () => {
  const first = await createLoop(new MemoryStore()).start(order(1));
  const second = await createLoop(new MemoryStore()).start(order(1));
  assertEquals(first.id, second.id);
  assert(first.eventId !== second.eventId);
});

Deno.test("Retry-After of a receiver delays the next delivery", async () => {
  using clock = new FakeClock();
  const start = clock.now;
  const times: number[] = [];
  const loop = createLoop(new MemoryStore(), {
    fetch: tasks("success"),
    callbackFetch() {
      times.push(clock.now - start);
      const headers = { "retry-after": "20" };
      return Promise.resolve(new Response(null, { status: 503, headers }));
    },
  });
  await loop.start(order(1));
  await runFor(clock, loop, 39_000);
  assertEquals(times.map((time) => Math.round(time / 1_000)), [0, 20]);
});

Deno.test("the first watch is polled at once although the store corrects a wrong clock", async () => {
  using clock = new FakeClock();
  let isCorrected = false;
  /** Learns the time of its database with the first statement, as PostgreSQL does. */
  class RemoteStore extends MemoryStore {
    override start(...args: Parameters<MemoryStore["start"]>) {
      isCorrected = true;
      return super.start(...args);
    }
  }
  const now = () => clock.now + (isCorrected ? 0 : 3_600_000);
  const loop = createLoop(new RemoteStore({ now }), { fetch: tasks("success") });
  const { startedAt, dueAt } = await loop.start(order(1));
  assertEquals([startedAt, dueAt], [clock.now, clock.now]);
});

Deno.test("a sweep at its limit starts no step and cuts off those in progress", async () => {
  using clock = new FakeClock();
  const hang = (signal: AbortSignal | null | undefined) =>
    new Promise<Response>((_resolve, reject) =>
      signal?.addEventListener("abort", () => reject(signal.reason))
    );
  let polls = 0;
  const loop = createLoop(new MemoryStore(), {
    fetch: (url, init) =>
      Number(url.split("-").at(-1)) > 100 ? tasks("success")(url) : (polls++, hang(init?.signal)),
    callbackFetch: (_url, init) => hang(init?.signal),
  });
  const toPoll = await Promise.all(Array.from({ length: 70 }, (_, n) => loop.start(order(n))));
  const start = clock.now;
  const toDeliver = await loop.start(order(101));
  const result = await clock.runUntil(loop.sweep(3_000));
  assertEquals([clock.now - start, polls, result], [3_000, 64, { polled: 64, delivered: 0 }]);
  const { due } = await loop.store.stats();
  assertEquals(due, 7);
  const polled = await Promise.all(toPoll.map(({ id }) => loop.status(id)));
  assertEquals(polled.filter((watch) => watch?.polls === 1).length, 64);
  assert(polled.every((watch) => watch?.consecutiveMisses === 0));
  assertEquals((await loop.status(toDeliver.id))?.polls, 0);
  assertEquals(clock.pending, 0);
});

Deno.test("a delivery that a sweep cuts off counts as an attempt without a response", async () => {
  using clock = new FakeClock();
  const loop = createLoop(new MemoryStore(), {
    fetch: tasks("success"),
    callbackFetch: (_url, init) =>
      new Promise((_resolve, reject) => {
        init?.signal?.addEventListener("abort", () => reject(new Error("aborted")));
      }),
  });
  const { id } = await loop.start(order(1));
  assertEquals(await clock.runUntil(loop.sweep(3_000)), { polled: 1, delivered: 0 });
  const watch = await loop.status(id);
  assertEquals([watch?.state, watch?.attempts, watch?.lastStatus], ["watching", 1, 0]);
  assertEquals((await loop.store.stats()).hosts.get(HOST)?.timedOut, 0);
});
