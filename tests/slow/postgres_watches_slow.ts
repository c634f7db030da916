// Servers and functions of several runtimes that share a database, are killed and lose the database.
import { assert, assertEquals } from "@std/assert";
import { type RestartableServer, startRestartable } from "../helpers/database_endpoint.ts";
import { KEY, objectOf, outcomeOf, post } from "../helpers/endpoint.ts";
import { blockOf } from "../helpers/pages.ts";
import { startPostgres } from "../helpers/postgres.ts";
import { serverArgs, start } from "../helpers/process.ts";
import { root } from "../helpers/run_deno.ts";
import { bundleEntries, type ServerName } from "../helpers/servers.ts";
import { AUTHORIZED, beginMany, serve, tasksIn } from "../helpers/watch_server.ts";
import { createReceiver } from "../helpers/watches.ts";

const BUNDLES = new URL("dist/slow_postgres/", root);
const WATCHES = 1_000;
const BURST = 100;
const DONE = { status: "success", result: "s-1", result_type: "source" } as const;
/** The shortest interval of the schedule, less what a request may be late. */
const MIN_INTERVAL_MS = 1_500;
const PATIENCE_MS = 180_000;

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
  for (const { process } of servers) {
    const written = process.output.stdout + process.output.stderr;
    assert(/"state":"delivered"/.test(written), "each server delivers");
    assert(!/canary|whsec_/.test(written), written);
  }
}

for (const names of [["deno", "node"], ["bun", "node"]] as const) {
  Deno.test(`${names.join(" and ")} share 1,000 watches and lose none when they are killed`, async () => {
    await killTest(names);
  });
}

/** Returns the CPU time of a process in seconds. */
async function cpuTime(pid: number): Promise<number> {
  // Deno needs all permissions for /proc
  await using cat = start("cat", [`/proc/${pid}/stat`], {});
  await cat.status;
  const fields = cat.output.stdout.replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function isUnready(origin: string): Promise<boolean> {
  const response = await fetch(`${origin}/ready`);
  await response.body?.cancel();
  return response.status !== 200;
}

for (const name of ["deno", "node", "bun"] as const) {
  Deno.test(`${name} answers 503 without its database, hardly works and recovers`, async () => {
    await bundleEntries(BUNDLES, ["node", "bun"]);
    await using database = await startPostgres();
    const receiver = createReceiver();
    await using world = serve(receiver);
    const settings = { ...world.settings, RESOLVE_DATABASE_URL: await database.createDatabase() };
    await database.stop();
    // it starts without its database
    await using server = await startRestartable(name, { bundles: BUNDLES, settings });
    const { origin, process } = server;
    const unready = await outcomeOf(await fetch(`${origin}/ready`));
    assertEquals(unready, [503, "watches-unavailable"]);
    await database.start();
    while (await isUnready(origin)) await new Promise((resolve) => setTimeout(resolve, 50));
    const tasks = Array.from({ length: 20 }, () => ({
      steps: [{ status: "running", ms: 3_000 }, DONE],
    }));
    const begun = await beginMany(origin, world, tasks);
    await database.stop();
    const lines = () => process.output.stdout.split("\n").filter((line) => /"watches: /.test(line));
    const before = { cpu: await cpuTime(process.pid), lines: lines().length };
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    const cpu = await cpuTime(process.pid) - before.cpu;
    const logged = lines().length - before.lines;
    assert(cpu < 0.5, `${cpu} s of CPU time in 10 s`);
    assert(logged >= 1 && logged <= 10, `${logged} lines in 10 s`);
    const body = { ...world.platform.add({}), callback_url: world.hook };
    const ids = { organization_id: body.organization, workspace_id: body.workspace };
    const order = post({ ...ids, task_id: body.id, callback_url: world.hook }, {
      headers: AUTHORIZED,
    });
    const refused = await fetch(`${origin}/watches`, order);
    assertEquals(refused.headers.get("retry-after"), "60");
    assertEquals(await outcomeOf(refused), [503, "watches-unavailable"]);
    assertEquals((await fetch(`${origin}/health`).then(objectOf)).status, "ok");
    await database.start();
    await receiver.until(20);
    assertEquals(tasksIn(receiver), begun.map(({ task }) => task).toSorted());
    assertEquals(await process.end("SIGTERM"), 0);
  });
}

Deno.test("servers whose clocks are an hour ahead and behind neither stall nor expire a watch", async () => {
  await using database = await startPostgres();
  const receiver = createReceiver(); // it checks the timestamps of the signatures
  await using world = serve(receiver);
  const settings = { ...world.settings, RESOLVE_DATABASE_URL: await database.createDatabase() };
  const serverAt = (hours: number) => {
    const script = `
      const { now } = Date;
      Date.now = () => now() + ${hours * 3_600_000};
      await import("./functions/start.ts");
    `;
    return start(Deno.execPath(), serverArgs(undefined, "-"), settings, script, PATIENCE_MS);
  };
  await using ahead = serverAt(1);
  await using behind = serverAt(-1);
  const tasks = Array.from({ length: 30 }, () => ({
    steps: [{ status: "running", ms: 4_000 }, DONE],
  }));
  const begun: string[] = [];
  for (const process of [ahead, behind]) {
    const port = await process.waitForOutput(/"listening":"http:\/\/[^/]+:(\d+)/);
    const origin = `http://127.0.0.1:${port}`;
    begun.push(...(await beginMany(origin, world, tasks)).map(({ task }) => task));
    const { id, organization, workspace } = world.platform.add({ status: "running" });
    const ids = { organization_id: organization, workspace_id: workspace, task_id: id };
    const body = { ...ids, callback_url: world.hook, deadline: 10 };
    const response = await fetch(`${origin}/watches`, post(body, { headers: AUTHORIZED }));
    await response.body?.cancel();
    assertEquals(response.status, 202);
  }
  const startedAt = Date.now();
  await receiver.until(62);
  const expired = receiver.received.filter(({ event }) => event.type === "task.expired");
  assertEquals(expired.length, 2);
  for (const { at } of expired) {
    assert(at - startedAt > 8_000 && at - startedAt < 20_000, `${at - startedAt} ms`);
  }
  const ended = receiver.received.filter(({ event }) => event.type === "task.success");
  assertEquals(ended.map(({ task }) => task).toSorted(), begun.toSorted());
  for (const { at } of ended) assert(at - startedAt < 20_000, `${at - startedAt} ms`);
  assertEquals([await ahead.end("SIGTERM"), await behind.end("SIGTERM")], [0, 0]);
});

/** Calls a function with each of the requests and prints the responses. */
const CALL = `
  const [module, requests] = JSON.parse(await new Response(stdin).text());
  const { default: entry, handler } = await import(module);
  for (const { path, method, headers, body } of requests) {
    const url = "https://endpoint.example" + path;
    const response = handler
      ? await handler({ httpMethod: method, path, headers: { host: "sweep", ...headers }, body })
      : await entry.fetch(new Request(url, { method, headers, body }));
    const text = handler ? response.body : await response.text();
    console.log(JSON.stringify({ status: handler ? response.statusCode : response.status, text }));
  }
`;
const CALL_IN_NODE =
  `import process from "node:process"; const stdin = process.stdin; ${CALL} process.exit();`;
const CALL_IN_DENO = `const stdin = Deno.stdin.readable; ${CALL} Deno.exit();`;

/** Returns the request that the cron of deploy.md sends. */
function sweepOf(name: "vercel" | "aws_lambda" | "supabase/index") {
  const page = ".github/docs/deploy.md";
  const headers = { authorization: `Bearer ${KEY}` };
  if (name === "vercel") {
    const [, crons = ""] = /"crons": (\[.*\])}'/.exec(blockOf(page, "sh", /"crons"/)) ?? [];
    return { ...JSON.parse(crons)[0], method: "GET", headers };
  }
  if (name === "aws_lambda") {
    const targets = blockOf(page, "jsonc", /sweep/).replace(/^\/\/.*/, "");
    const { path, httpMethod: method } = JSON.parse(JSON.parse(targets)[0].Input);
    return { path, method, headers };
  }
  const [, path = ""] = /resolve-task(\/[\w/]+)'/.exec(blockOf(page, "sql")) ?? [];
  return { path, method: "POST", headers };
}

for (const name of ["vercel", "aws_lambda", "supabase/index"] as const) {
  Deno.test(`${name}.ts keeps a watch that a cron sweeps`, async () => {
    await bundleEntries(BUNDLES, ["vercel", "aws_lambda"]);
    await using database = await startPostgres();
    const receiver = createReceiver();
    await using world = serve(receiver);
    const settings = { ...world.settings, RESOLVE_DATABASE_URL: await database.createDatabase() };
    const { id, organization, workspace } = world.platform.add(DONE);
    const ids = { organization_id: organization, workspace_id: workspace, task_id: id };
    const headers = { authorization: `Bearer ${KEY}` };
    const body = JSON.stringify({ ...ids, callback_url: world.hook });
    const create = {
      path: "/watches",
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body,
    };
    const sweep = sweepOf(name);
    const isDeno = name.startsWith("supabase");
    const module = isDeno ? new URL(`functions/${name}.ts`, root) : new URL(`${name}.js`, BUNDLES);
    const responses: { status: number; text: string }[] = [];
    // each request has a process of its own
    for (const request of [create, sweep, sweep]) {
      const input = JSON.stringify([module.href, [request]]);
      const args = isDeno ? ["eval", CALL_IN_DENO] : ["--input-type=module", "-e", CALL_IN_NODE];
      await using child = start(isDeno ? Deno.execPath() : "node", args, settings, input);
      const { code } = await child.status;
      assertEquals([code, child.output.stderr], [0, ""]);
      const line = child.output.stdout.trim().split("\n").at(-1) ?? "";
      responses.push(JSON.parse(line));
    }
    const [created, swept, idle] = responses;
    assertEquals([created?.status, receiver.received.length], [202, 1], created?.text);
    assertEquals(JSON.parse(swept?.text ?? ""), { polled: 1, delivered: 1, remaining: 0 });
    assertEquals(JSON.parse(idle?.text ?? ""), { polled: 0, delivered: 0, remaining: 0 });
  });
}
