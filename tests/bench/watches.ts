// Load of 50,000 open watches on one server: `deno run -A --unstable-kv tests/bench/watches.ts`, and
// with `50000 kv` in Deno KV instead of PostgreSQL.
// deno-lint-ignore-file no-console
import postgres from "postgres";
import { KvStore } from "../../functions/watches/kv_store.ts";
import { PostgresStore } from "../../functions/watches/postgres_store.ts";
import { newWatch } from "../../functions/watches/state.ts";
import type { WatchStore } from "../../functions/watches/store.ts";
import { KEY, TOKEN } from "../helpers/endpoint.ts";
import { listen } from "../helpers/listen.ts";
import { startPostgres } from "../helpers/postgres.ts";
import { serverArgs, start } from "../helpers/process.ts";
import { CALLBACK_SECRET } from "../helpers/watches.ts";

const WATCHES = Number(Deno.args[0] ?? 50_000);
/** Few watches of a workspace are due at once, so that most polls are single requests. */
const WORKSPACES = WATCHES / 10;
const AGE_MS = 7_200_000;
const DEADLINE_MS = 86_400_000;
/** Time until the first watch is due, and time over which the first polls are spread. */
const IDLE_MS = 25_000;
const SPREAD_MS = 108_000;
const ACTIVE_MS = 40_000;

/** A store, and a way to start a server on it. */
interface Target extends AsyncDisposable {
  readonly store: WatchStore;
  readonly settings: Record<string, string>;
  readonly file?: string;
  /** Closes the store, so that only the server uses it. */
  close(): Promise<void>;
  /** Describes the size of the store. */
  size(): Promise<string>;
  /** Returns the processes of the store. */
  processes(): Promise<number[]>;
  /** Makes every watch due. @default not measured */
  makeDue?(): Promise<unknown>;
}

async function openPostgres(): Promise<Target> {
  const server = await startPostgres();
  const url = await server.createDatabase();
  const sql = postgres(url, { max: 1 });
  const store = new PostgresStore(url, { maxWatches: WATCHES });
  return {
    store,
    settings: { RESOLVE_DATABASE_URL: url },
    close: () => store[Symbol.asyncDispose](),
    async size() {
      const [row] =
        await sql`select pg_total_relation_size('deepint_watches')::float8 / 1048576 as size,
        pg_relation_size('deepint_watches_due')::float8 / 1048576 as due`;
      const [size, due] = [Math.round(row?.size), Math.round(row?.due)];
      return `table with indexes ${size} MiB, index of due ${due} MiB`;
    },
    async processes() {
      const rows = await sql`select pid from pg_stat_activity where datname = current_database()
        and pid <> pg_backend_pid()`;
      return rows.map(({ pid }) => Number(pid));
    },
    makeDue: () =>
      sql`update deepint_watches set claimable_at = claimable_at - 600000, watch =
        jsonb_set(watch::jsonb, '{dueAt}', to_jsonb(claimable_at - 600000))::text where queue = ''`,
    async [Symbol.asyncDispose]() {
      await sql.end();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function openKv(): Promise<Target> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/watches.kv`;
  const kv = await Deno.openKv(file);
  return {
    store: new KvStore(kv, { maxWatches: WATCHES }),
    settings: { RESOLVE_KV_PATH: file },
    file,
    close: () => Promise.resolve(kv.close()),
    async size() {
      const sizes = await Promise.all(["", "-wal"].map((end) => Deno.stat(file + end)));
      return `files ${sizes.map(({ size }) => Math.round(size / 1_048_576)).join(" + ")} MiB`;
    },
    processes: () => Promise.resolve([]),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Returns the CPU time in seconds and the resident memory in MiB of processes. */
async function usage(...pids: number[]): Promise<{ cpu: number; memory: number }> {
  let [cpu, memory] = [0, 0];
  for (const pid of pids) {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
    const fields = stat.replace(/^.*\) /, "").split(" ");
    cpu += (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
    memory += Number(fields[21] ?? 0) / 256;
  }
  return { cpu, memory };
}

function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((one, other) => one - other);
  return Math.round(sorted[Math.floor(sorted.length * share)] ?? NaN);
}

const dueAt: number[] = [];
const lateness: number[] = [];
let [polls, lists] = [0, 0];

/** Records how late the first poll of a task is; a list may poll it before it is due. */
function recordPoll(task: number): void {
  const late = Date.now() - (dueAt[task] ?? Infinity);
  if (late >= 0) lateness.push(late);
  delete dueAt[task];
}

/** Answers that every task runs, and measures how late its first poll is. */
async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const id = pathname.split("/").at(-1) ?? "";
  await request.body?.cancel();
  const created = new Date(Date.now() - AGE_MS).toISOString();
  if (!id.startsWith("t-")) {
    lists++;
    const workspace = Number(/w-(\d+)/.exec(pathname)?.[1]);
    const items = Array.from({ length: 10 }, (_, n) => ({
      id: `t-${workspace + n * WORKSPACES}`,
      status: "running",
      created,
    }));
    for (const { id } of items) recordPoll(Number(id.slice(2)));
    return Response.json({ items, pages_count: 1 });
  }
  polls++;
  recordPoll(Number(id.slice(2)));
  return Response.json({ id, status: "running", created });
}

await using platform = listen(answer);
const isKv = Deno.args[1] === "kv";
await using target = await (isKv ? openKv() : openPostgres());
const { store } = target;
await store.ping();
let began = performance.now();
const firstAt = store.now() + IDLE_MS + WATCHES * (isKv ? 2 : 0.25);
await Promise.all(Array.from({ length: WATCHES }, (_, n) => {
  const ids = { organizationId: "o-1", workspaceId: `w-${n % WORKSPACES}`, taskId: `t-${n}` };
  const callbackUrl = "https://hooks.example.com/end";
  const fields = { instance: platform.origin, ids, callbackUrl, deadline: DEADLINE_MS };
  const due = firstAt + Math.random() * SPREAD_MS;
  dueAt[n] = due;
  return store.start(n.toString(16).padStart(64, "0"), (id) => ({
    ...newWatch({ id, ...fields }, store.now() - AGE_MS),
    dueAt: due,
  }));
}));
const startMs = performance.now() - began;
console.log(`${WATCHES} watches started at ${Math.round(WATCHES / startMs * 1_000)}/s`);
console.log(await target.size());
await target.close();

await using endpoint = start(
  Deno.execPath(),
  serverArgs(target.file),
  {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: platform.origin,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_CALLBACK_HOSTS: `hooks.example.com=${CALLBACK_SECRET}`,
    ...target.settings,
    RESOLVE_MAX_WATCHES: String(WATCHES),
    PORT: "0",
  },
  "",
  600_000,
);
await endpoint.waitForOutput(/listening/);
await pause(2_000);

/** Measures a period. */
async function measure(name: string, ms: number): Promise<void> {
  const pids = await target.processes();
  const before = await usage(endpoint.pid);
  const beforeDatabase = await usage(...pids);
  const [pollsBefore, listsBefore] = [polls, lists];
  lateness.length = 0;
  began = performance.now();
  await pause(ms);
  const seconds = (performance.now() - began) / 1_000;
  const after = await usage(endpoint.pid);
  const afterDatabase = await usage(...pids);
  const share = (cpu: number) => `${(100 * cpu / seconds).toFixed(1)} %`;
  console.log(
    `${name}: endpoint ${share(after.cpu - before.cpu)} of a core, ${
      Math.round(after.memory)
    } MiB; database ${share(afterDatabase.cpu - beforeDatabase.cpu)}; ${
      ((polls - pollsBefore) / seconds).toFixed(0)
    } polls/s, ${
      ((lists - listsBefore) / seconds).toFixed(0)
    } lists/s; lateness of ${lateness.length}: p50 ${quantile(lateness, 0.5)} ms, p99 ${
      quantile(lateness, 0.99)
    } ms`,
  );
}

await measure("idle", Math.max(1_000, Math.min(15_000, firstAt - store.now() - 1_000)));
await pause(Math.max(0, firstAt - store.now() + 2_000));
await measure("due over 108 s", ACTIVE_MS);
console.log(await target.size());
if (target.makeDue) {
  await target.makeDue();
  await measure("all due at once", 15_000);
}
await endpoint.end("SIGKILL");
