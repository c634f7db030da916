// The rules that every store of watches keeps; `<name>_store_test.ts` runs them against one.
import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import { WatchLoop } from "../../functions/watches/loop.ts";
import { createStoreWatches } from "../../functions/watches/operator_routes.ts";
import { WatchList } from "../../functions/watches/response_schema.ts";
import {
  afterDelivery,
  afterPoll,
  cancelled,
  newWatch,
  POLLS,
  type Watch,
} from "../../functions/watches/state.ts";
import type { StoredWatch, WatchStore } from "../../functions/watches/store.ts";
import { configWith } from "../helpers/watches.ts";

const HOST = "hooks.example";
const LATER_MS = 60_000;

/** An open store. */
export interface OpenStore extends AsyncDisposable {
  readonly store: WatchStore;
  /** Lets time pass on the store's clock; at most a second in a test. */
  advance(ms: number): Promise<void>;
}

/** Options of {@linkcode testStore}. */
export interface TestStoreOptions {
  /** Opens an empty store that allows 100 open watches. */
  open(): Promise<OpenStore>;
}

function keyOf(n: number): string {
  return n.toString(16).padStart(64, "0");
}

/** Creates a watch that starts, and is due, at a time. */
function createAt(
  dueAt: number,
  { host = HOST, workspaceId = "w-1" } = {},
): (id: string) => Watch {
  const ids = { organizationId: "o-1", workspaceId, taskId: "t-1" };
  const fields = { instance: "app.deepint.net", ids, callbackUrl: `https://${host}/end` };
  return (id) => newWatch({ id, ...fields, deadline: LATER_MS }, dueAt);
}

function claim(store: WatchStore, { queue = POLLS, limit = 64, leaseMs = 30_000 } = {}) {
  return store.claim({ queue, limit, leaseMs });
}

async function claimOne(store: WatchStore): Promise<StoredWatch> {
  const { claimed: [stored] } = await claim(store, { limit: 1 });
  assert(stored);
  return stored;
}

function idsOf(stored: readonly StoredWatch[]): string[] {
  return stored.map(({ watch }) => watch.id).toSorted();
}

function firstIds(...numbers: number[]): string[] {
  return numbers.map((n) => `${keyOf(n)}-0`);
}

/** Starts a watch and saves the next state of it. */
async function startAs(
  store: WatchStore,
  n: number,
  change: (watch: Watch) => Watch,
  { startedAt = store.now(), host = HOST, timedOut = false } = {},
): Promise<StoredWatch> {
  const watch = await store.start(keyOf(n), createAt(startedAt, { host }));
  const stored = await store.get(watch?.id ?? "");
  assert(stored);
  const changed = change(stored.watch);
  const saved = await store.save(stored, { watch: changed, claimableAt: changed.dueAt, timedOut });
  assert(saved);
  return saved;
}

function withEvent(watch: Watch): Watch {
  const now = watch.startedAt + watch.deadline;
  return afterPoll(watch, { problem: "upstream-timeout" }, { now, random: 0 });
}

const cancel = (watch: Watch) => cancelled(watch, watch.startedAt);
const finish = (status: number) => (watch: Watch) =>
  afterDelivery(withEvent(watch), { status }, { now: watch.startedAt, random: 0 });

function testGenerations(name: string, { open }: TestStoreOptions): void {
  Deno.test(`${name} store starts one watch for concurrent requests of a key`, async () => {
    await using opened = await open();
    const { store } = opened;
    const create = createAt(store.now());
    const starts = Array.from({ length: 30 }, (_, n) => store.start(keyOf(n % 3), create));
    const watches = await Promise.all(starts);
    const expected = firstIds(0, 1, 2);
    assertEquals([...new Set(watches.map((watch) => watch?.id))].toSorted(), expected);
    assertEquals(idsOf((await claim(store)).claimed), expected);
    assertEquals((await store.get(expected[0] ?? ""))?.watch, watches[0]);
    assertEquals(await store.get(`${keyOf(9)}-0`), undefined);
  });

  Deno.test(`${name} store starts a new generation once the last is not reusable`, async () => {
    await using opened = await open();
    const { store } = opened;
    for (const generation of [0, 1, 2]) {
      const { watch } = await startAs(store, 1, cancel);
      assertEquals(watch.id, `${keyOf(1)}-${generation}`);
    }
  });

  Deno.test(`${name} store counts open watches, and an end makes room`, async () => {
    await using opened = await open();
    const { store } = opened;
    const create = createAt(store.now());
    const starts = Array.from({ length: 110 }, (_, n) => store.start(keyOf(n), create));
    const watches = await Promise.all(starts);
    assertEquals(watches.filter((watch) => watch).length, 100);
    const stored = await store.get(watches.find((watch) => watch)?.id ?? "");
    assert(stored);
    await store.save(stored, { ...stored, watch: cancel(stored.watch) });
    assert(await store.start(keyOf(200), create));
    assertEquals(await store.start(keyOf(201), create), undefined);
  });
}

function testClaims(name: string, { open }: TestStoreOptions): void {
  Deno.test(`${name} store claims due watches only, the earliest first, up to the limit`, async () => {
    await using opened = await open();
    const { store } = opened;
    const now = store.now();
    for (const n of [3, 1, 2]) await store.start(keyOf(n), createAt(now - 10 + n));
    await store.start(keyOf(4), createAt(now + LATER_MS));
    assertEquals([...await store.nextDueAt()], [[POLLS, now - 9]]);
    const { claimed, found } = await claim(store, { limit: 2 });
    assertEquals(idsOf(claimed), firstIds(1, 2));
    assertEquals(found, 2);
    assertEquals([...await store.nextDueAt()], [[POLLS, now - 7]]);
    assertEquals(idsOf((await claim(store)).claimed), firstIds(3));
  });

  Deno.test(`${name} store lets one of many processes claim a watch, until the lease ends`, async () => {
    await using opened = await open();
    const { store, advance } = opened;
    for (let n = 0; n < 20; n++) await store.start(keyOf(n), createAt(store.now()));
    const before = store.now();
    const results = await Promise.all([1, 2, 3].map(() => claim(store, { leaseMs: 30_000 })));
    const claimed = results.flatMap((result) => result.claimed);
    assertEquals([claimed.length, new Set(idsOf(claimed)).size], [20, 20]);
    assert(claimed.every(({ claimableAt }) => claimableAt >= before + 30_000));
    assertEquals((await claim(store)).claimed, []);
    await store.start(keyOf(30), createAt(store.now()));
    assertEquals((await claim(store, { leaseMs: 100 })).claimed.length, 1);
    await advance(150);
    assertEquals(idsOf((await claim(store)).claimed), firstIds(30));
  });

  Deno.test(`${name} store saves a watch only if it has not changed`, async () => {
    await using opened = await open();
    const { store } = opened;
    await store.start(keyOf(1), createAt(store.now()));
    const stored = await claimOne(store);
    const dueAt = store.now() + LATER_MS;
    const update = { watch: { ...stored.watch, polls: 1 }, claimableAt: dueAt };
    const saves = await Promise.all([1, 2].map(() => store.save(stored, update)));
    const [saved, ...others] = saves.filter((it) => it !== undefined);
    assert(saved);
    assertEquals(others, []);
    assertEquals(await store.get(saved.watch.id), saved);
    assertEquals(await store.save(stored, update), undefined);
    assert(await store.save(saved, { ...saved, claimableAt: dueAt + 5 }));
    assertEquals([...await store.nextDueAt()], [[POLLS, dueAt + 5]]);
  });

  Deno.test(`${name} store saves many watches, except those that have changed`, async () => {
    await using opened = await open();
    const { store } = opened;
    const create = createAt(store.now());
    await Promise.all(Array.from({ length: 100 }, (_, n) => store.start(keyOf(n), create)));
    const { claimed } = await claim(store, { limit: 100 });
    const [changed] = claimed;
    assert(changed);
    await store.save(changed, { ...changed, watch: cancel(changed.watch) });
    const claimableAt = store.now() + LATER_MS;
    const saved = await Promise.all(
      claimed.map((stored) =>
        store.save(stored, { watch: { ...stored.watch, polls: 1 }, claimableAt })
      ),
    );
    assertEquals(saved.filter((it) => it).length, 99);
    assertEquals(saved[0], undefined);
    assertEquals((await store.stats()).open, 99);
  });

  Deno.test(`${name} store moves a watch with an event to the queue of its host`, async () => {
    await using opened = await open();
    const { store } = opened;
    const now = store.now();
    const { watch } = await startAs(store, 1, (watch) => ({ ...withEvent(watch), dueAt: now }));
    await store.start(keyOf(2), createAt(now + LATER_MS));
    assertEquals(Object.fromEntries(await store.nextDueAt()), {
      [POLLS]: now + LATER_MS,
      [HOST]: now,
    });
    assertEquals((await claim(store)).claimed, []);
    const { claimed } = await claim(store, { queue: HOST });
    assertEquals(claimed.map((it) => it.watch), [watch]);
  });

  Deno.test(`${name} store never claims a watch that has ended`, async () => {
    await using opened = await open();
    const { store } = opened;
    const { watch } = await startAs(store, 1, cancel);
    assertEquals((await claim(store)).claimed, []);
    assertEquals([...await store.nextDueAt()], []);
    assertEquals((await store.get(watch.id))?.watch.state, "cancelled");
  });

  Deno.test(`${name} store claims a watch that was ended and is open again`, async () => {
    await using opened = await open();
    const { store } = opened;
    const ended = await startAs(store, 1, finish(204));
    assertEquals((await store.stats()).open, 0);
    const now = store.now();
    const watch = { ...ended.watch, state: "watching" as const, dueAt: now };
    assert(await store.save(ended, { watch, claimableAt: now }));
    assertEquals((await store.stats()).open, 1);
    const { claimed } = await claim(store, { queue: HOST });
    assertEquals(claimed.map((it) => it.watch), [watch]);
    assertEquals((await store.list({ limit: 9 })).map(({ state }) => state), ["watching"]);
  });
}

function testOverviews(name: string, { open }: TestStoreOptions): void {
  Deno.test(`${name} store lists watches, the newest first, by page and state`, async () => {
    await using opened = await open();
    const { store } = opened;
    const now = store.now();
    for (const n of [5, 2, 8, 1, 4]) {
      const change = n % 2 ? cancel : (watch: Watch) => watch;
      await startAs(store, n, change, { startedAt: now - LATER_MS + n });
    }
    await startAs(store, 9, cancel, { startedAt: now - LATER_MS + 8 });
    const all: string[] = [];
    let after: Watch | undefined;
    for (;;) {
      const page = await store.list({ after, limit: 4 });
      all.push(...page.map(({ id }) => id));
      after = page.at(-1);
      if (page.length < 4) break;
    }
    assertEquals(all, firstIds(9, 8, 5, 4, 2, 1));
    const open2 = await store.list({ state: "watching", limit: 2 });
    assertEquals(open2.map(({ id }) => id), firstIds(8, 4));
    const rest = await store.list({ state: "watching", after: open2.at(-1), limit: 2 });
    assertEquals(rest.map(({ id }) => id), firstIds(2));
    assertEquals(await store.list({ state: "expired", limit: 2 }), []);
  });

  Deno.test(`GET /watches pages through the ${name} store`, async () => {
    await using opened = await open();
    const { store } = opened;
    for (const n of [1, 2, 3, 4, 5]) {
      await store.start(keyOf(n), (id) => createAt(store.now())(id));
      await opened.advance(2);
    }
    const config = configWith(HOST);
    const { operator } = createStoreWatches(config, new WatchLoop(store, config));
    const ids: string[] = [];
    for (let cursor = ""; ids.length < 9;) {
      const response = await operator?.list(new URLSearchParams({ limit: "2", cursor }));
      const { watches, next_cursor: next } = v.parse(WatchList, response?.body);
      ids.push(...watches.map(({ id }) => id));
      if (next === null) break;
      cursor = next;
    }
    assertEquals(ids, firstIds(5, 4, 3, 2, 1));
  });

  Deno.test(`${name} store pages through the watches of a workspace that wait for a poll`, async () => {
    await using opened = await open();
    const { store } = opened;
    const now = store.now();
    for (const n of [3, 1, 2]) await store.start(keyOf(n), createAt(now));
    const claimed = await claimOne(store);
    await store.start(keyOf(4), createAt(now, { workspaceId: "w-2" }));
    await startAs(store, 5, withEvent);
    await startAs(store, 6, cancel);
    const ids = { instance: "app.deepint.net", organizationId: "o-1", workspaceId: "w-1" };
    const first = await store.openWatches(ids, { limit: 2 });
    const after = first.at(-1)?.watch.id;
    const second = await store.openWatches(ids, { limit: 2, after });
    assertEquals([...first, ...second].map(({ watch }) => watch.id), firstIds(1, 2, 3));
    const same = [...first, ...second].find(({ watch }) => watch.id === claimed.watch.id);
    assertEquals(same, claimed);
    assertEquals(await store.openWatches({ ...ids, instance: "other" }, { limit: 2 }), []);
  });

  Deno.test(`${name} store counts what is open and due, and the results of each host`, async () => {
    await using opened = await open();
    const { store } = opened;
    const now = store.now();
    assertEquals(await store.stats(), {
      open: 0,
      due: 0,
      oldestDueAt: undefined,
      hosts: new Map(),
    });
    await store.start(keyOf(1), createAt(now - 500));
    await store.start(keyOf(2), createAt(now + LATER_MS));
    await startAs(store, 3, (watch) => ({ ...withEvent(watch), dueAt: now - 900 }));
    await startAs(store, 4, finish(204));
    await startAs(store, 5, finish(410));
    const slow = await startAs(store, 6, cancel, { host: "slow.example", timedOut: true });
    // a watch that is delivered twice counts twice
    const again = { watch: { ...slow.watch, state: "watching" as const }, claimableAt: now + 9e6 };
    const reopened = await store.save(slow, again);
    assert(reopened);
    const delivered = { ...reopened.watch, state: "delivered" as const };
    await store.save(reopened, { ...reopened, watch: delivered });
    const stats = await store.stats();
    assertEquals([stats.open, stats.due, stats.oldestDueAt], [3, 2, now - 900]);
    assertEquals(Object.fromEntries(stats.hosts), {
      [HOST]: { open: 3, delivered: 1, failed: 1, timedOut: 0 },
      "slow.example": { open: 0, delivered: 1, failed: 0, timedOut: 1 },
    });
  });

  Deno.test(`${name} store responds to a ping`, async () => {
    await using opened = await open();
    await opened.store.ping();
  });
}

/** Registers the tests of a store. */
export function testStore(name: string, options: TestStoreOptions): void {
  testGenerations(name, options);
  testClaims(name, options);
  testOverviews(name, options);
}
