// Servers of several runtimes that share a database, are killed and lose the database.
import { assert, assertEquals } from "@std/assert";
import { type RestartableServer, startRestartable } from "../helpers/database_endpoint.ts";
import { objectOf, post } from "../helpers/endpoint.ts";
import { startPostgres } from "../helpers/postgres.ts";
import { root } from "../helpers/run_deno.ts";
import { bundleEntries, type ServerName } from "../helpers/servers.ts";
import { AUTHORIZED, serve, tasksIn } from "../helpers/watch_server.ts";
import { createReceiver } from "../helpers/watches.ts";

const BUNDLES = new URL("dist/slow_postgres/", root);
const WATCHES = 1_000;
const BURST = 100;
const DONE = { status: "success", result: "s-1", result_type: "source" } as const;
/** The shortest interval of the schedule, less what a request may be late. */
const MIN_INTERVAL_MS = 1_500;

/** Starts the watch of a new task; asks another server when one is killed meanwhile. */
async function begin(
  servers: readonly RestartableServer[],
  { platform, hook }: ReturnType<typeof serve>,
  n: number,
): Promise<{ id: string; task: string }> {
  const { id: task, organization, workspace } = platform.add({
    steps: [{ status: "running", ms: 1 + n % 5 * 3_000 }, DONE],
  });
  const ids = { organization_id: organization, workspace_id: workspace, task_id: task };
  const init = post({ ...ids, callback_url: hook }, { headers: AUTHORIZED });
  for (let tries = 0; tries < 200; tries++) {
    const { origin } = servers[(n + tries) % servers.length] ?? {};
    const response = await fetch(`${origin}/watches`, init).catch(() => undefined);
    if (response?.status === 202) {
      // a killed server may break off the body; the next request returns the same watch
      const body = await objectOf(response).catch(() => undefined);
      if (body) return { id: String(body.id), task };
    }
    await response?.body?.cancel().catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`no server accepts the watch of ${task}`);
}

async function killTest(names: readonly [ServerName, ServerName]): Promise<void> {
  await bundleEntries(BUNDLES, ["node", "bun"]);
  await using database = await startPostgres();
  // a tenth of the receivers fails at first
  const receiver = createReceiver((task, before) =>
    before === 0 && [...task].reduce((sum, it) => sum + it.charCodeAt(0), 0) % 10 === 0 ? 500 : 204
  );
  await using world = serve(receiver);
  const settings = { ...world.settings, RESOLVE_DATABASE_URL: await database.createDatabase() };
  // both start at once on an empty database
  const servers = await Promise.all(
    names.map((name) => startRestartable(name, { bundles: BUNDLES, settings })),
  );
  await using _servers = {
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
  const begun: { id: string; task: string }[] = [];
  for (let burst = 0; burst < WATCHES / BURST; burst++) {
    const numbers = Array.from({ length: BURST }, (_, n) => burst * BURST + n);
    const starting = Promise.all(numbers.map((n) => begin(servers, world, n)));
    if (burst === 3 || burst === 6) await servers[burst % 2]?.restart();
    begun.push(...await starting);
  }
  for (const [index, count] of [[0, 100], [1, 300]] as const) {
    await receiver.until(count);
    assert(receiver.taken().size < WATCHES, "some are left after each kill");
    await servers[index]?.restart();
  }
  await receiver.until(WATCHES);

  assertEquals(new Set(begun.map(({ id }) => id)).size, WATCHES);
  assertEquals(tasksIn(receiver), begun.map(({ task }) => task).toSorted());
  const ids = Map.groupBy(receiver.received, ({ task }) => task).values()
    .map((events) => new Set(events.map(({ id }) => id)).size);
  assertEquals(new Set(ids), new Set([1]), "each task has one event id");
  const polls = Map.groupBy(world.platform.requests, ({ path }) => path);
  for (const { task } of begun) {
    const [, times = []] = [...polls].find(([path]) => path.endsWith(`/${task}`)) ?? [];
    const gaps = times.slice(1).map(({ at }, index) => at - (times[index]?.at ?? 0));
    assert(Math.min(...gaps, Infinity) > MIN_INTERVAL_MS, `${task}: ${gaps} ms`);
  }
  const stopped = await Promise.all(servers.map(({ process }) => process.end("SIGTERM")));
  assertEquals(stopped, [0, 0]);
  const response = servers.map(({ process }) => process.output.stdout + process.output.stderr);
  assert(!/canary|whsec_/.test(response.join("")), response.join(""));
}

for (const names of [["deno", "node"], ["bun", "node"]] as const) {
  Deno.test(`${names.join(" and ")} share 1,000 watches and lose none when they are killed`, async () => {
    await killTest(names);
  });
}
