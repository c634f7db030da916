// Durable watches in PostgreSQL: a real server, which the tests start from Debian's package.
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import postgres from "postgres";
import { PostgresStore } from "../../functions/watches/postgres_store.ts";
import {
  afterDelivery,
  afterPoll,
  cancelled,
  newWatch,
  POLLS,
  type Watch,
} from "../../functions/watches/state.ts";
import type { StoredWatch } from "../../functions/watches/store.ts";
import {
  type Pooler,
  type PostgresServer,
  startPooler,
  startPostgres,
} from "../helpers/postgres.ts";
import { blockOf } from "../helpers/pages.ts";
import { testStore } from "../watches/store_contract.ts";

const DAY_MS = 86_400_000;
const HOSTS = ["one.example", "two.example", "three.example"];

let server: PostgresServer;
let pooler: Pooler;

Deno.test.beforeAll(async () => {
  server = await startPostgres();
  pooler = await startPooler(server);
});

Deno.test.afterAll(async () => {
  await pooler[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function openStore(urlOf = (url: string) => url) {
  const store = new PostgresStore(urlOf(await server.createDatabase()), { maxWatches: 100 });
  return {
    store,
    advance: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

testStore("PostgreSQL", { open: () => openStore() });
testStore("pooled PostgreSQL", { open: () => openStore((url) => pooler.urlOf(url)) });

/** Stores of several processes on one empty database, and a client of the test. */
async function openMany(count: number, maxWatches?: number) {
  const url = await server.createDatabase();
  const sql = postgres(url, { max: 2, onnotice() {} });
  const stores = Array.from({ length: count }, () => new PostgresStore(url, { maxWatches }));
  const [store = new PostgresStore(url)] = stores;
  return {
    ...{ sql, store, stores, url },
    async [Symbol.asyncDispose]() {
      await sql.end({ timeout: 1 });
      await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
    },
  };
}

const keyOf = (n: number) => n.toString(16).padStart(64, "0");

function createOn(store: PostgresStore, n = 0): (id: string) => Watch {
  const ids = { organizationId: "o-1", workspaceId: "w-1", taskId: `t-${n}` };
  const callbackUrl = `https://${HOSTS[n % HOSTS.length]}/end`;
  const fields = { instance: "app.deepint.net", ids, callbackUrl, deadline: DAY_MS };
  return (id) => newWatch({ id, ...fields }, store.now());
}

async function startOne(store: PostgresStore): Promise<StoredWatch> {
  const watch = await store.start(keyOf(1), createOn(store));
  const stored = await store.get(watch?.id ?? "");
  assert(stored);
  return stored;
}

Deno.test("stores that start at once on an empty database create the tables once", async () => {
  await using opened = await openMany(12);
  const watches = await Promise.all(
    opened.stores.map((store, n) => store.start(keyOf(n % 3), createOn(store, n % 3))),
  );
  assertEquals(new Set(watches.map((watch) => watch?.eventId)).size, 3);
  assertEquals((await opened.store.stats()).open, 3);
});

Deno.test("four stores that start, claim, save and cancel the same watches count them exactly", async () => {
  await using opened = await openMany(4, 250);
  const { sql, stores } = opened;
  async function work(store: PostgresStore, seed: number): Promise<void> {
    for (let round = 0; round < 6; round++) {
      const keys = Array.from({ length: 80 }, (_, n) => (n * 7 + round * 31 + seed) % 300);
      const started = await Promise.all(keys.map((n) => store.start(keyOf(n), createOn(store, n))));
      const { claimed } = await store.claim({ queue: POLLS, limit: 60, leaseMs: 1 });
      const cancelling = started.slice(0, 20).map(async (watch) => {
        const stored = watch && await store.get(watch.id);
        const now = store.now();
        return stored &&
          await store.save(stored, { ...stored, watch: cancelled(stored.watch, now) });
      });
      const saving = claimed.map(async (stored, n) => {
        const inputs = { now: store.now(), random: 0 };
        const polled = afterPoll(
          { ...stored.watch, deadline: 0 },
          { problem: "not-found" },
          inputs,
        );
        const status = n % 3 ? 204 : 410;
        const watch = n % 2 ? polled : afterDelivery(polled, { status }, inputs);
        return await store.save(stored, { watch, claimableAt: watch.dueAt, timedOut: n % 5 === 0 });
      });
      await Promise.all([...cancelling, ...saving]);
    }
  }
  await Promise.all(stores.map((store, index) => work(store, index)));
  // more than are allowed
  await Promise.all(
    stores.flatMap((store) =>
      Array.from({ length: 300 }, (_, n) => store.start(keyOf(n), createOn(store, n)))
    ),
  );
  const counted = await sql`
    select host, open::int, delivered::int, failed::int from deepint_watch_counts
    where host <> '' order by host`;
  const rows = await sql`
    select host, count(*) filter (where queue is not null)::int as open,
      count(*) filter (where state in ('delivered', 'expired'))::int as delivered,
      count(*) filter (where state = 'failed')::int as failed
    from deepint_watches group by host order by host`;
  assertEquals([...counted], [...rows]);
  const [sum] = await sql`
    select sum(open) = max(open) * 2 and sum(failed) = max(failed) * 2
      and sum(timed_out) = max(timed_out) * 2 and max(timed_out) > 0 as is_sum
    from deepint_watch_counts`;
  assertEquals(sum?.is_sum, true, "the row '' has the sum of the others");
  assertEquals([(await opened.store.stats()).open, rows.length], [250, 3]);
});

Deno.test("finished watches are deleted after 7 days", async () => {
  await using opened = await openMany(1);
  const { sql, store } = opened;
  const stored = await startOne(store);
  await store.start(keyOf(2), createOn(store, 2));
  await store.save(stored, { ...stored, watch: cancelled(stored.watch, store.now()) });
  const [{ days } = {}] = await sql`
    select (claimable_at - ${store.now()}) / ${DAY_MS} as days from deepint_watches
    where queue is null`;
  assert(Math.abs(Number(days) - 7) < 0.01, `${days} days`);
  await sql`update deepint_watches set claimable_at = claimable_at - ${7 * DAY_MS}`;
  await using later = new PostgresStore(opened.url);
  assertEquals((await later.nextDueAt()).size, 1);
  assertEquals(await later.get(stored.watch.id), undefined);
  assertEquals((await later.stats()).open, 1);
});

Deno.test("an unreadable row is set aside once and kept", async () => {
  await using opened = await openMany(1);
  const { sql, store } = opened;
  for (let n = 0; n < 3; n++) await store.start(keyOf(n), createOn(store));
  await sql`update deepint_watches set watch = '{"version":9}' where key = ${keyOf(0)}`;
  await sql`update deepint_watches set watch = 'not JSON' where key = ${keyOf(1)}`;
  await sql`update deepint_watches set started_at = started_at - 1000 where key = ${keyOf(2)}`;
  const [oldest] = await store.list({ limit: 1 });
  assertEquals(oldest?.id, `${keyOf(2)}-0`, "the unreadable rows are skipped");
  const claim = () => store.claim({ queue: POLLS, limit: 9, leaseMs: -1 });
  const { claimed, unreadable } = await claim();
  assertEquals(claimed.map(({ watch }) => watch.id), [`${keyOf(2)}-0`]);
  assertEquals(unreadable.toSorted(), [`${keyOf(0)}-0`, `${keyOf(1)}-0`]);
  assertEquals((await claim()).unreadable, []);
  assertEquals((await store.stats()).open, 1);
  const [row] = await sql`select watch from deepint_watches where key = ${keyOf(1)}`;
  assertEquals(row?.watch, "not JSON");
  assertEquals((await store.start(keyOf(0), createOn(store)))?.id, `${keyOf(0)}-1`);
});

Deno.test("text that PostgreSQL cannot hold is stored", async () => {
  await using opened = await openMany(1);
  const { store } = opened;
  const stored = await startOne(store);
  const callbackUrl = "https://one.example/it's?$1=%00\\";
  const task = { info: { id: "t", name: "\0 \ud800 '; drop table deepint_watches; -- \u20ac" } };
  const last = { status: "running", task } as unknown as NonNullable<Watch["last"]>;
  const update = { watch: { ...stored.watch, callbackUrl, last }, claimableAt: 0.125 };
  const saved = await store.save(stored, update);
  assert(saved);
  assertEquals(await store.get(stored.watch.id), saved);
});

Deno.test("times are those of the database, whatever the clock of the process says", async () => {
  await using opened = await openMany(1);
  const { now } = Date;
  const before = now();
  try {
    for (const hours of [-1, 1]) {
      Date.now = () => now() + hours * 3_600_000;
      await using store = new PostgresStore(opened.url);
      const watch = await store.start(keyOf(5 + hours), createOn(store));
      assert(watch && watch.dueAt >= before - 5 && watch.dueAt <= now() + 5, `${hours} h`);
      const { claimed: [claimed] } = await store.claim({ queue: POLLS, limit: 1, leaseMs: 1_000 });
      assert(claimed && Math.abs(claimed.claimableAt - now() - 1_000) < 500);
    }
  } finally {
    Date.now = now;
  }
});

Deno.test("the clock of a store is that of the database within a round trip", async () => {
  await using opened = await openMany(1);
  const { sql, store } = opened;
  for (let n = 0; n < 20; n++) {
    await store.nextDueAt();
    const sent = store.now();
    const [row] = await sql`select extract(epoch from clock_timestamp())::float8 * 1000 as now`;
    const received = store.now();
    assert(row && row.now > sent - 1 && row.now < received + 20, `${sent} ${row?.now} ${received}`);
  }
});

Deno.test("a statement that never answers is cut off, also in the database", async () => {
  await using opened = await openMany(1);
  const { sql, store } = opened;
  await startOne(store);
  const locked = Promise.withResolvers<void>();
  const unlock = Promise.withResolvers<void>();
  const holding = sql.begin(async (sql) => {
    await sql`lock table deepint_watches`;
    locked.resolve();
    await unlock.promise;
  });
  await locked.promise;
  const began = performance.now();
  const error = await assertRejects(() => store.get(`${keyOf(1)}-0`), Error);
  assertMatch(error.message, /does not respond/);
  const ms = performance.now() - began;
  assert(ms > 9_000 && ms < 11_000, `${ms} ms`);
  await store.ping();
  const [waiting] = await sql`
    select count(*)::int as count from pg_stat_activity where wait_event_type = 'Lock'`;
  assertEquals(waiting?.count, 0, "no statement is left behind");
  unlock.resolve();
  await holding;
  assertEquals((await startOne(store)).watch.polls, 0);
});

Deno.test("a server that hangs, ends or restarts fails calls, and the store recovers", async () => {
  // a server of its own: one with many databases takes long to shut down
  await using server = await startPostgres();
  await using store = new PostgresStore(await server.createDatabase());
  await startOne(store);
  await server.freeze();
  try {
    await assertRejects(() => store.ping(), Error, "does not respond");
  } finally {
    await server.thaw();
  }
  await store.ping();
  for (const end of ["stop", "kill"] as const) {
    await server[end]();
    for (let call = 0; call < 3; call++) {
      const began = performance.now();
      const error = await assertRejects(() => store.get(`${keyOf(1)}-0`), Error);
      assert(error.message !== "" && performance.now() - began < 1_000, error.message);
    }
    await server.start();
    assertEquals((await startOne(store)).watch.state, "watching");
  }
});

Deno.test("the cron of deploy.md posts to the sweep of a Supabase function", async () => {
  await using opened = await openMany(1);
  const { sql } = opened;
  // with the signatures of the extensions pg_cron and pg_net
  await sql.unsafe(`
    create schema cron; create schema net; create table posts (url text, headers jsonb, ms int);
    create function cron.schedule(job_name text, schedule text, command text) returns bigint
      language plpgsql as 'begin execute command; return 1; end';
    create function net.http_post(url text, body jsonb default '{}', params jsonb default '{}',
      headers jsonb default '{}', timeout_milliseconds int default 5000) returns bigint
      language sql as 'insert into posts values (url, headers, timeout_milliseconds) returning 1';
  `);
  await sql.unsafe(blockOf(".github/docs/deploy.md", "sql"));
  const [post] = await sql`select * from posts`;
  assertEquals(post, {
    url: "https://your-project.supabase.co/functions/v1/resolve-task/watches/sweep",
    headers: { authorization: "Bearer your-api-key" },
    ms: 30_000,
  });
});
