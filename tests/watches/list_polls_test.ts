// Polls of watches by the list of their workspace.
import { assert, assertEquals } from "@std/assert";
import type { Config } from "../../functions/app.ts";
import { KvStore } from "../../functions/watches/kv_store.ts";
import { WatchLoop } from "../../functions/watches/loop.ts";
import { pollInterval } from "../../functions/watches/state.ts";
import type { WatchLogEntry } from "../../functions/watches/step.ts";
import type { WatchStore } from "../../functions/watches/store.ts";
import { TOKEN } from "../helpers/endpoint.ts";
import { createFakePlatform, type FakePlatform, type FakeTask } from "../helpers/fake_platform.ts";
import { MemoryStore } from "../helpers/memory_store.ts";
import { configWith } from "../helpers/watches.ts";

const HOST = "hooks.example.com";
const RUNNING = { status: "running" } as const;
const DONE = { status: "success", result: "s-1", result_type: "source" } as const;

interface Setup extends Disposable {
  readonly store: WatchStore;
  readonly loop: WatchLoop;
  readonly platform: FakePlatform;
  /** Number of requests for the list, and for single tasks, since the last call. */
  requests(): { lists: number; loads: number };
  /** Starts the watches of new tasks; returns their ids. */
  begin(count: number, task?: FakeTask): Promise<string[]>;
  /** Log entries of the watches. */
  readonly log: WatchLogEntry[];
  /** Lets time pass and sweeps. */
  sweepAfter(ms: number): Promise<void>;
}

interface Options {
  kv?: Deno.Kv | undefined;
  pageLimit?: number;
  config?: Config;
}

/** Creates a loop on a fake platform, with a clock that only `sweepAfter` moves. */
function setUp({ kv, pageLimit = 500, config = configWith(HOST) }: Options = {}): Setup {
  let time = Date.now();
  const now = () => time;
  const platform = createFakePlatform({ token: TOKEN, now, pageLimit });
  const store = kv ? new KvStore(kv, { now }) : new MemoryStore({ now });
  const log: WatchLogEntry[] = [];
  const loop = new WatchLoop(store, config, {
    fetch: platform.fetch,
    callbackFetch: () => Promise.resolve(new Response(null, { status: 204 })),
    random: () => 0.5,
    log: (entry) => void log.push(entry),
  });
  let seen = 0;
  let started = 0;
  return {
    store,
    loop,
    platform,
    log,
    requests() {
      const paths = platform.requests.slice(seen).map(({ path }) => path);
      seen = platform.requests.length;
      const lists = paths.filter((path) => /\/tasks(\?|$)/.test(path)).length;
      return { lists, loads: paths.length - lists };
    },
    async begin(count, task = RUNNING) {
      return await Promise.all(Array.from({ length: count }, async () => {
        const number = started++;
        const { id, organization, workspace } = platform.add({ id: `t-${number}`, ...task });
        const watch = await loop.start({
          key: number.toString(16).padStart(64, "0"),
          instance: "app.deepint.net",
          ids: { organizationId: organization, workspaceId: workspace, taskId: id },
          callbackUrl: `https://${HOST}/end`,
          deadline: 86_400_000,
        });
        return watch.id;
      }));
    },
    async sweepAfter(ms) {
      time += ms;
      await loop.sweep();
    },
    [Symbol.dispose]: () => kv?.close(),
  };
}

/** Returns the different numbers of polls. */
async function pollsOf({ loop }: Setup, ids: string[]): Promise<(number | undefined)[]> {
  const watches = await Promise.all(ids.map((id) => loop.status(id)));
  return [...new Set(watches.map((watch) => watch?.polls))].toSorted();
}

for (const name of ["memory", "KV"]) {
  Deno.test(`1,000 watches of a workspace take 2 requests for each poll on the ${name} store`, async () => {
    using setup = setUp({ kv: name === "KV" ? await Deno.openKv(":memory:") : undefined });
    const ids = await setup.begin(1_000);
    for (const polls of [1, 2, 3]) {
      await setup.sweepAfter(3_000);
      assertEquals(setup.requests(), { lists: 2, loads: 0 });
      assertEquals(await pollsOf(setup, ids), [polls]);
    }
  });
}

Deno.test("one pass over the list refreshes every open watch, also those that are not due", async () => {
  using setup = setUp({ pageLimit: 50 });
  const old = await setup.begin(100);
  await setup.sweepAfter(600_000);
  const young = await setup.begin(100);
  setup.requests();
  await setup.sweepAfter(2_000);
  assertEquals(setup.requests(), { lists: 4, loads: 0 });
  assertEquals([await pollsOf(setup, old), await pollsOf(setup, young)], [[2], [1]]);
  const [one] = await Promise.all(old.map((id) => setup.loop.status(id)));
  assertEquals(
    one && one.dueAt - one.updatedAt,
    pollInterval(
      { startedAt: 0, deadline: 86_400_000 },
      undefined,
      { now: 602_000, random: 0.5 },
    ),
  );
});

Deno.test("a due watch is polled by the page of its task, which refreshes the others on it", async () => {
  using setup = setUp({ pageLimit: 50 });
  await setup.begin(200);
  await setup.sweepAfter(0);
  setup.requests();
  const page = (await setup.loop.store.list({ limit: 200 }))
    .filter(({ ids }) => Number(ids.taskId.slice(2)) >= 150);
  const [first] = page;
  assert(first);
  await setup.loop.update(first.id, (watch) => ({ ...watch, dueAt: watch.dueAt - 1_000 }));
  await setup.sweepAfter(first.dueAt - first.updatedAt - 1_000);
  assertEquals(setup.requests(), { lists: 1, loads: 0 });
  const polls = await Promise.all(page.map(({ id }) => setup.loop.status(id)));
  assert(polls.every((watch) => watch?.polls === 2));
});

Deno.test("a single watch of a workspace is polled by GET", async () => {
  using setup = setUp();
  await setup.begin(1);
  for (let sweep = 0; sweep < 3; sweep++) await setup.sweepAfter(3_000);
  assertEquals(setup.requests(), { lists: 0, loads: 3 });
});

Deno.test("few watches of a workspace with a long list are polled by GET", async () => {
  using setup = setUp({ pageLimit: 10 });
  for (let n = 0; n < 300; n++) setup.platform.add({ ...DONE, id: `old-${n}` });
  const ids = await setup.begin(4);
  for (let sweep = 0; sweep < 10; sweep++) await setup.sweepAfter(5_000);
  const { lists, loads } = setup.requests();
  assert(lists <= 3, `${lists} lists`);
  assert(loads <= 40, `${loads} loads`);
  assertEquals((await pollsOf(setup, ids)).length, 1);
});

Deno.test("a task that has ended, or is missing from the list, is polled with one GET", async () => {
  using setup = setUp({ pageLimit: 50 });
  await setup.begin(99);
  const [ended = ""] = await setup.begin(1, { steps: [{ ...RUNNING, ms: 1_000 }, DONE] });
  await setup.sweepAfter(0);
  setup.requests();
  await setup.sweepAfter(3_000);
  assertEquals(setup.requests(), { lists: 2, loads: 1 });
  const watch = await setup.loop.status(ended);
  assertEquals([watch?.state, watch?.event?.type], ["delivered", "task.success"]);
  assertEquals(watch?.last && "result" in watch.last && watch.last.result, { source: "s-1" });

  const gone = { instance: "app.deepint.net", callbackUrl: `https://${HOST}/end` };
  const ids = { organizationId: "organization-1", workspaceId: "workspace-1", taskId: "gone" };
  const { id } = await setup.loop.start({ ...gone, ids, key: "f".repeat(64), deadline: 9e6 });
  for (let sweep = 0; sweep < 5; sweep++) await setup.sweepAfter(15_000);
  const missing = await setup.loop.status(id);
  assertEquals([missing?.state, missing?.event?.code], ["delivered", "TASK_NOT_FOUND"]);
  assertEquals(missing?.polls, 5);
});

Deno.test("a poll by the list keeps the fields that the list lacks", async () => {
  using setup = setUp();
  const progress = { status: "running", progress: 40, subtask: "fitting" } as const;
  const [id = ""] = await setup.begin(1, progress);
  await setup.sweepAfter(0);
  assertEquals(setup.requests(), { lists: 0, loads: 1 });
  await setup.begin(5);
  await setup.sweepAfter(5_000);
  assertEquals(setup.requests(), { lists: 1, loads: 0 });
  const watch = await setup.loop.status(id);
  const { info } = watch?.last?.task ?? {};
  assertEquals([watch?.polls, info?.progress, info?.subtask], [2, 40, "fitting"]);
});

Deno.test("the list does not poll a watch that the settings no longer permit", async () => {
  const config = configWith(HOST);
  using setup = setUp({ config });
  const ids = await setup.begin(10);
  config.callbackHosts = [];
  await setup.sweepAfter(0);
  assertEquals(setup.requests(), { lists: 0, loads: 0 });
  for (const id of ids) assertEquals((await setup.loop.status(id))?.reason, "HOST_REMOVED");
});

Deno.test("the list leaves alone a watch that another process has claimed", async () => {
  using setup = setUp({ pageLimit: 5 });
  const [id = ""] = await setup.begin(1);
  await setup.store.claim({ queue: "", limit: 1, leaseMs: 30_000 });
  const claimed = await setup.store.get(id);
  await setup.begin(9);
  await setup.sweepAfter(0);
  assertEquals(setup.requests(), { lists: 2, loads: 0 });
  assertEquals(await setup.store.get(id), claimed);
});

Deno.test("a list that has never worked is replaced by GETs, and tried again later", async () => {
  using setup = setUp();
  const ids = await setup.begin(10);
  setup.platform.inject(() => new Response(null, { status: 403 }));
  await setup.sweepAfter(0);
  assertEquals(setup.requests(), { lists: 1, loads: 10 });
  assertEquals(await pollsOf(setup, ids), [1]);
  await setup.sweepAfter(5_000);
  assertEquals(setup.requests(), { lists: 1, loads: 0 });
  assertEquals(await pollsOf(setup, ids), [2]);
});

Deno.test("a list that fails again and again is tried after 1, 2, 4, … rounds", async () => {
  using setup = setUp();
  await setup.begin(10);
  const tried: number[] = [];
  for (let round = 0; round < 40; round++) {
    setup.platform.inject(
      ({ url }) => url.includes("/tasks") ? Response.json({ items: "none" }) : undefined,
      Infinity,
    );
    await setup.sweepAfter(2_300);
    if (setup.requests().lists > 0) tried.push(round);
  }
  assert(tried.length >= 3 && tried.length <= 8, tried.join());
});

Deno.test("a list that has worked and fails for a moment is a failed poll", async () => {
  using setup = setUp();
  const ids = await setup.begin(10);
  await setup.sweepAfter(0);
  setup.requests();
  setup.platform.inject(() => new Response(null, { status: 502 }));
  await setup.sweepAfter(3_000);
  assertEquals(setup.requests(), { lists: 1, loads: 0 });
  assertEquals(await pollsOf(setup, ids), [2]);
  await setup.sweepAfter(3_000);
  assertEquals(setup.requests(), { lists: 1, loads: 0 });
  assertEquals(await pollsOf(setup, ids), [3]);
});

Deno.test("Retry-After of a list delays every watch", async () => {
  using setup = setUp();
  const ids = await setup.begin(10);
  await setup.sweepAfter(0);
  const headers = { "retry-after": "60" };
  setup.platform.inject(() => new Response(null, { status: 429, headers }));
  await setup.sweepAfter(3_000);
  setup.requests();
  await setup.sweepAfter(59_000);
  assertEquals(setup.requests(), { lists: 0, loads: 0 });
  await setup.sweepAfter(1_000);
  assertEquals(setup.requests(), { lists: 1, loads: 0 });
  assertEquals(await pollsOf(setup, ids), [3]);
});

Deno.test("a page that is too large is read in smaller ones", async () => {
  using setup = setUp();
  const description = "a".repeat(20_000);
  const ids = await setup.begin(400, { ...RUNNING, description });
  await setup.sweepAfter(0);
  const { lists, loads } = setup.requests();
  assert(lists > 2 && lists < 20 && loads === 0, `${lists} lists, ${loads} loads`);
  assertEquals(await pollsOf(setup, ids), [1]);
});

Deno.test("watches of one task share its poll by the list", async () => {
  using setup = setUp();
  await setup.begin(5);
  const [first] = await setup.store.list({ limit: 1 });
  assert(first);
  const order = { ...first, callbackUrl: `https://${HOST}/other`, key: "e".repeat(64) };
  const { id } = await setup.loop.start(order);
  await setup.sweepAfter(0);
  assertEquals(setup.requests(), { lists: 1, loads: 0 });
  assertEquals(await pollsOf(setup, [id]), [1]);
});

Deno.test("at the deadline the list decides that a watch has expired", async () => {
  using setup = setUp();
  const ids = await setup.begin(10);
  await setup.sweepAfter(0);
  await setup.sweepAfter(86_400_000);
  assertEquals(setup.requests(), { lists: 2, loads: 0 });
  for (const id of ids) assertEquals((await setup.loop.status(id))?.state, "expired");
  const logged = setup.log.filter(({ watch }) => watch === ids[0]);
  assertEquals(logged.map(({ event, state }) => [event, state]), [
    ["task.expired", "watching"],
    ["task.expired", "expired"],
  ]);
});

Deno.test("a new watch on a page that was just read is polled within 2 s", async () => {
  using setup = setUp();
  await setup.begin(100);
  await setup.sweepAfter(0);
  setup.requests();
  const [id = ""] = await setup.begin(1);
  await setup.sweepAfter(1_900);
  assertEquals(setup.requests(), { lists: 0, loads: 0 });
  await setup.sweepAfter(100);
  assertEquals(setup.requests(), { lists: 1, loads: 0 });
  assertEquals(await pollsOf(setup, [id]), [1]);
  await setup.sweepAfter(-3_600_000); // the database's clock is set back
  const [late = ""] = await setup.begin(1);
  const watch = await setup.loop.status(late);
  assertEquals(watch && watch.dueAt - watch.startedAt, 2_000);
});
