// The rules that every store of watches keeps; `<name>_store_test.ts` runs them against one.
import { assert, assertEquals } from "@std/assert";
import {
  afterPoll,
  cancelled,
  newWatch,
  POLLS,
  type Watch,
} from "../../functions/watches/state.ts";
import type { StoredWatch, WatchStore } from "../../functions/watches/store.ts";

const START = Date.UTC(2026, 0, 1);
const HOST = "hooks.example";

/** Options of {@linkcode testStore}. */
export interface TestStoreOptions {
  /** Opens an empty store that allows 100 open watches, and disposes of it. */
  open(): Promise<{ store: WatchStore } & AsyncDisposable>;
}

function keyOf(n: number): string {
  return n.toString(16).padStart(64, "0");
}

function createAt(dueAt: number): (id: string) => Watch {
  const ids = { organizationId: "o-1", workspaceId: "w-1", taskId: "t-1" };
  const fields = { instance: "app.deepint.net", ids, callbackUrl: `https://${HOST}/end` };
  return (id) => newWatch({ id, ...fields, deadline: 60_000 }, dueAt);
}

function claim(store: WatchStore, now: number, { queue = POLLS, limit = 64 } = {}) {
  return store.claim({ queue, limit, now, leaseUntil: now + 30_000 });
}

async function claimOne(store: WatchStore, now: number): Promise<StoredWatch> {
  const { claimed: [stored] } = await claim(store, now);
  assert(stored);
  return stored;
}

function idsOf(stored: readonly StoredWatch[]): string[] {
  return stored.map(({ watch }) => watch.id).toSorted();
}

/** Registers the tests of a store. */
export function testStore(name: string, { open }: TestStoreOptions): void {
  Deno.test(`${name} store starts one watch for concurrent requests of a key`, async () => {
    await using opened = await open();
    const { store } = opened;
    const starts = Array.from({ length: 30 }, (_, n) => store.start(keyOf(n % 3), createAt(START)));
    const watches = await Promise.all(starts);
    const expected = [0, 1, 2].map((n) => `${keyOf(n)}-0`);
    assertEquals([...new Set(watches.map((watch) => watch?.id))].toSorted(), expected);
    assertEquals(idsOf((await claim(store, START)).claimed), expected);
    assertEquals((await store.get(expected[0] ?? ""))?.watch, watches[0]);
    assertEquals(await store.get(`${keyOf(9)}-0`), undefined);
  });

  Deno.test(`${name} store starts a new generation once the last is not reusable`, async () => {
    await using opened = await open();
    const { store } = opened;
    for (const generation of [0, 1, 2]) {
      const watch = await store.start(keyOf(1), createAt(START));
      assertEquals(watch?.id, `${keyOf(1)}-${generation}`);
      const stored = await store.get(watch?.id ?? "");
      assert(stored);
      await store.save(stored, { ...stored, watch: cancelled(stored.watch, START) });
    }
  });

  Deno.test(`${name} store counts open watches, and an end makes room`, async () => {
    await using opened = await open();
    const { store } = opened;
    const starts = Array.from({ length: 110 }, (_, n) => store.start(keyOf(n), createAt(START)));
    const watches = await Promise.all(starts);
    assertEquals(watches.filter((watch) => watch).length, 100);
    const stored = await store.get(watches.find((watch) => watch)?.id ?? "");
    assert(stored);
    await store.save(stored, { ...stored, watch: cancelled(stored.watch, START) });
    assert(await store.start(keyOf(200), createAt(START)));
    assertEquals(await store.start(keyOf(201), createAt(START)), undefined);
  });

  Deno.test(`${name} store claims due watches only, the earliest first, up to the limit`, async () => {
    await using opened = await open();
    const { store } = opened;
    for (const n of [3, 1, 4, 2]) await store.start(keyOf(n), createAt(START + n));
    assertEquals([...await store.nextDueAt()], [[POLLS, START + 1]]);
    assertEquals((await claim(store, START)).claimed, []);
    const { claimed, found } = await claim(store, START + 3, { limit: 2 });
    assertEquals(idsOf(claimed), [1, 2].map((n) => `${keyOf(n)}-0`));
    assertEquals(found, 2);
    assertEquals([...await store.nextDueAt()], [[POLLS, START + 3]]);
  });

  Deno.test(`${name} store lets one of many processes claim a watch, until the lease ends`, async () => {
    await using opened = await open();
    const { store } = opened;
    for (let n = 0; n < 20; n++) await store.start(keyOf(n), createAt(START));
    const results = await Promise.all([1, 2, 3].map(() => claim(store, START)));
    const ids = idsOf(results.flatMap(({ claimed }) => claimed));
    assertEquals([ids.length, new Set(ids).size], [20, 20]);
    assertEquals((await claim(store, START + 29_999)).claimed, []);
    assertEquals((await claim(store, START + 30_000)).claimed.length, 20);
  });

  Deno.test(`${name} store saves a watch only if it has not changed`, async () => {
    await using opened = await open();
    const { store } = opened;
    await store.start(keyOf(1), createAt(START));
    const stored = await claimOne(store, START);
    const update = { watch: { ...stored.watch, polls: 1 }, claimableAt: START + 5_000 };
    const saves = await Promise.all([1, 2].map(() => store.save(stored, update)));
    const [saved, ...others] = saves.filter((it) => it !== undefined);
    assert(saved);
    assertEquals(others, []);
    assertEquals(await store.get(saved.watch.id), saved);
    assertEquals(await store.save(stored, update), undefined);
    assert(await store.save(saved, { ...saved, claimableAt: START + 9_000 }));
    assertEquals([...await store.nextDueAt()], [[POLLS, START + 9_000]]);
  });

  Deno.test(`${name} store moves a watch with an event to the queue of its host`, async () => {
    await using opened = await open();
    const { store } = opened;
    await store.start(keyOf(1), createAt(START));
    await store.start(keyOf(2), createAt(START + 7));
    const stored = await claimOne(store, START);
    const outcome = { problem: "upstream-timeout" } as const;
    const watch = afterPoll(stored.watch, outcome, { now: START + 60_000, random: 0 });
    await store.save(stored, { watch, claimableAt: watch.dueAt });
    assertEquals(Object.fromEntries(await store.nextDueAt()), {
      [POLLS]: START + 7,
      [HOST]: START + 60_000,
    });
    assertEquals(idsOf((await claim(store, START + 60_000)).claimed), [`${keyOf(2)}-0`]);
    const { claimed } = await claim(store, START + 60_000, { queue: HOST });
    assertEquals(claimed.map((it) => it.watch), [watch]);
  });

  Deno.test(`${name} store never claims a watch that has ended`, async () => {
    await using opened = await open();
    const { store } = opened;
    await store.start(keyOf(1), createAt(START));
    const stored = await claimOne(store, START);
    await store.save(stored, { ...stored, watch: cancelled(stored.watch, START) });
    assertEquals((await claim(store, START + 86_400_000)).claimed, []);
    assertEquals([...await store.nextDueAt()], []);
    assertEquals((await store.get(stored.watch.id))?.watch.state, "cancelled");
  });

  Deno.test(`${name} store responds to a ping`, async () => {
    await using opened = await open();
    await opened.store.ping();
  });
}
