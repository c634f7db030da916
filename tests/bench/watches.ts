// Load of open watches in PostgreSQL on one server:
// `deno run -A --frozen tests/bench/watches.ts [number of watches] [number of workspaces]`
// deno-lint-ignore-file no-console
import postgres from "postgres";
import { PostgresStore } from "../../functions/watches/postgres_store.ts";
import { newWatch } from "../../functions/watches/state.ts";
import { KEY, TOKEN } from "../helpers/endpoint.ts";
import { listen } from "../helpers/listen.ts";
import { startPostgres } from "../helpers/postgres.ts";
import { serverArgs, start } from "../helpers/process.ts";
import { CALLBACK_SECRET } from "../helpers/watches.ts";

const WATCHES = Number(Deno.args[0] ?? 50_000);
const WORKSPACES = Number(Deno.args[1] ?? 50);
const PAGE = 500;
const AGE_MS = 7_200_000;
const DEADLINE_MS = 86_400_000;
/** Time until the first watch is due, and time over which the first polls are spread. */
const IDLE_MS = 25_000;
const SPREAD_MS = 108_000;
const ACTIVE_MS = 40_000;

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

/** Answers that every task runs, and measures how late its first poll is. */
async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const id = pathname.split("/").at(-1) ?? "";
  await request.body?.cancel();
  const created = new Date(Date.now() - AGE_MS).toISOString();
  if (!id.startsWith("t-")) {
    lists++;
    const workspace = Number(/w-(\d+)/.exec(pathname)?.[1]);
    const perWorkspace = Math.ceil(WATCHES / WORKSPACES);
    const first = Number(new URL(request.url).searchParams.get("page")) * PAGE;
    const length = Math.max(0, Math.min(PAGE, perWorkspace - first));
    const items = Array.from({ length }, (_, n) => ({
      id: `t-${workspace + (first + n) * WORKSPACES}`,
      status: "running",
      created,
    }));
    return Response.json({ items, pages_count: Math.ceil(perWorkspace / PAGE) });
  }
  polls++;
  const due = dueAt[Number(id.slice(2))];
  if (due !== undefined) {
    lateness.push(Date.now() - due);
    delete dueAt[Number(id.slice(2))];
  }
  return Response.json({ id, status: "running", created });
}

await using server = await startPostgres();
await using platform = listen(answer);
const url = await server.createDatabase();
const sql = postgres(url, { max: 1 });
await using store = new PostgresStore(url, { maxWatches: WATCHES });
await store.ping();
let began = performance.now();
const firstAt = store.now() + IDLE_MS + WATCHES / 4;
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
const size = async () => {
  const [row] =
    await sql`select pg_total_relation_size('deepint_watches')::float8 / 1048576 as size,
    pg_relation_size('deepint_watches_due')::float8 / 1048576 as due`;
  return `table with indexes ${Math.round(row?.size)} MiB, index of due ${
    Math.round(row?.due)
  } MiB`;
};
console.log(await size());

await using endpoint = start(
  Deno.execPath(),
  serverArgs(),
  {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: platform.origin,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_CALLBACK_HOSTS: `hooks.example.com=${CALLBACK_SECRET}`,
    RESOLVE_DATABASE_URL: url,
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
  const backends = await sql`select pid from pg_stat_activity where datname = current_database()
    and pid <> pg_backend_pid()`;
  const pids = backends.map(({ pid }) => Number(pid));
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
  const late = lateness.length === 0
    ? "none"
    : `p50 ${quantile(lateness, 0.5)} ms, p99 ${quantile(lateness, 0.99)} ms`;
  const perSecond = (count: number) => Math.round(count / seconds);
  console.log(
    [
      `${name}: endpoint ${share(after.cpu - before.cpu)} of a core, ${
        Math.round(after.memory)
      } MiB`,
      `database ${share(afterDatabase.cpu - beforeDatabase.cpu)} of a core`,
      `${perSecond(polls - pollsBefore)} polls/s, ${perSecond(lists - listsBefore)} lists/s`,
      `lateness ${late}`,
    ].join("; "),
  );
}

await measure("idle", Math.max(1_000, Math.min(15_000, firstAt - store.now() - 1_000)));
await pause(Math.max(0, firstAt - store.now() + 2_000));
await measure("due over 108 s", ACTIVE_MS);
console.log(await size());
await sql`update deepint_watches set claimable_at = claimable_at - 600000,
  watch = jsonb_set(watch::jsonb, '{dueAt}', to_jsonb(claimable_at - 600000))::text where queue = ''`;
for (let part = 0; part < 2; part++) await measure("all due at once", 15_000);
await sql.end();
await endpoint.end("SIGKILL");
