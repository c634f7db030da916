// Servers that keep their watches in a KV file, and are killed, full or misconfigured.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { objectOf, outcomeOf, post } from "../helpers/endpoint.ts";
import { freshClone } from "../helpers/fresh_clone.ts";
import { listen } from "../helpers/listen.ts";
import { serverArgs, start } from "../helpers/process.ts";
import {
  AUTHORIZED,
  beginMany,
  folder,
  originOf,
  serve,
  server,
  tasksIn,
} from "../helpers/watch_server.ts";
import { keysIn, openIn } from "../helpers/kv_watches.ts";
import { createReceiver } from "../helpers/watches.ts";

const DONE = { status: "success", result: "s-1", result_type: "source" } as const;

/** Starts a server whose clock is a minute ahead, after the leases of the one before. */
const A_MINUTE_LATER = `
  const { now } = Date;
  Date.now = () => now() + 60_000;
  await import("./functions/start.ts");
`;

/** Starts `functions/main.ts` with a cron that runs every 50 ms, and without a loop. */
const BY_CRON = `
  const cron = (_name, schedule, sweep) => schedule === "* * * * *" && setInterval(sweep, 50);
  Object.defineProperty(Deno, "cron", { value: cron });
  const { default: main } = await import("./functions/main.ts");
  const onListen = ({ port }) => console.log(\`"listening":"http://localhost:\${port}/"\`);
  Deno.serve({ port: 0, onListen }, main.fetch);
  Deno.addSignalListener("SIGTERM", () => Deno.exit(0));
`;

Deno.test("a server that is killed and restarted loses no watch", async () => {
  await using place = await folder();
  // one of two is told before the end, and the last of those kills it
  const killed = Promise.withResolvers<void>();
  const receiver = createReceiver((_id, before) => {
    if (receiver.received.length === 50) killed.resolve();
    return before === 0 && receiver.received.length < 5 ? 500 : 204;
  });
  await using world = serve(receiver);
  const first = server(place.file, world.settings);
  const tasks = Array.from({ length: 120 }, (_, index) => ({
    steps: [...index % 2 ? [] : [{ status: "running", ms: 1_000 }], DONE],
  }));
  const ids = await beginMany(await originOf(first), world, tasks);
  await killed.promise;
  await first.end("SIGKILL");
  assert(receiver.taken().size < 120, "some are left");
  await using second = server(place.file, world.settings, A_MINUTE_LATER);
  const origin = await originOf(second);
  await receiver.until(120);
  assertEquals(tasksIn(receiver), ids.map(({ task }) => task).toSorted());
  for (const { id } of ids.slice(0, 3)) {
    const response = await fetch(`${origin}/watches/${id}`, { headers: AUTHORIZED });
    assertMatch(String((await objectOf(response)).state), /^(delivered|watching)$/);
  }
  assertEquals(await second.end("SIGTERM"), 0);
  const written = second.output.stdout + second.output.stderr;
  assert(!/canary|whsec_|hooks/.test(written), written);
});

Deno.test("two processes on one file poll no watch more often than one does", async () => {
  await using place = await folder();
  const receiver = createReceiver();
  await using world = serve(receiver);
  await using first = server(place.file, world.settings);
  const origin = await originOf(first);
  await using second = server(place.file, world.settings);
  const other = await originOf(second);
  const tasks = Array.from(
    { length: 100 },
    () => ({ steps: [{ status: "running", ms: 3_000 }, DONE] }),
  );
  const ids = [
    ...await beginMany(origin, world, tasks.slice(0, 50)),
    ...await beginMany(other, world, tasks.slice(50)),
  ];
  await receiver.until(100);
  assertEquals(tasksIn(receiver), ids.map(({ task }) => task).toSorted());
  assertEquals(receiver.received.length, 100, "each is told once");
  const times = new Map<string, number[]>();
  for (const { path, at } of world.platform.requests) {
    times.set(path, [...times.get(path) ?? [], at]);
  }
  assertEquals(times.size, 100);
  for (const [path, polls] of times) {
    assert(polls.length >= 2 && polls.length <= 3, `${path}: ${polls.length} polls`);
    const gaps = polls.slice(1).map((at, index) => at - (polls[index] ?? 0));
    // a poll is timed where it arrives: two may be as much closer as the first was late
    assert(Math.min(...gaps) > 1_500, `${path}: ${gaps} ms`);
  }
  assertEquals([await first.end("SIGTERM"), await second.end("SIGTERM")], [0, 0]);
});

Deno.test("a cron sweeps on a platform without timers", async () => {
  await using place = await folder();
  const receiver = createReceiver();
  await using world = serve(receiver);
  await using process = server(place.file, world.settings, BY_CRON);
  const ids = await beginMany(await originOf(process), world, [DONE, DONE]);
  await receiver.until(2);
  assertEquals(tasksIn(receiver), ids.map(({ task }) => task).toSorted());
  assertEquals(await process.end("SIGTERM"), 0);
});

Deno.test("a full store responds 503, stores no partial watch and logs the cause", async () => {
  await using place = await folder();
  await using world = serve(createReceiver());
  // no file of over 64 kB, so none of coverage either; the signal that would say so is ignored, as by
  // a full disk
  const script = `trap '' XFSZ; unset DENO_COVERAGE_DIR; ulimit -f 64; exec "$0" "$@"`;
  const command = ["-c", script, Deno.execPath(), ...serverArgs(place.file)];
  const settings = { ...world.settings, RESOLVE_KV_PATH: place.file };
  await using full = start("bash", command, settings);
  const origin = await originOf(full);
  let refused: Response | undefined;
  let task = 0;
  while (!refused && task < 500) {
    const { id, organization, workspace } = world.platform.add({
      id: `t-${task++}`,
      status: "running",
    });
    const ids = { organization_id: organization, workspace_id: workspace, task_id: id };
    const body = { ...ids, callback_url: world.hook };
    const response = await fetch(`${origin}/watches`, post(body, { headers: AUTHORIZED }));
    if (response.status === 202) await response.body?.cancel();
    else refused = response;
  }
  assert(refused);
  assertEquals(refused.headers.get("retry-after"), "60");
  assertEquals(await outcomeOf(refused), [503, "watches-unavailable"]);
  await full.waitForOutput(/"hint":"watches: /);
  assertEquals((await fetch(`${origin}/health`).then(objectOf)).status, "ok");
  await full.end("SIGTERM");

  const kv = await Deno.openKv(place.file);
  const kinds = Map.groupBy(await keysIn(kv), ([kind]) => kind);
  const counts = ["head", "watch", "due"].map((kind) => kinds.get(kind)?.length);
  assertEquals(new Set(counts).size, 1, "each watch has all of its entries");
  assertEquals(await openIn(kv), BigInt(counts[0] ?? 0));
  kv.close();
});

Deno.test("a server whose store cannot be opened exits with one line", async () => {
  await using place = await folder();
  await Deno.writeTextFile(place.file, "this is no store ".repeat(100));
  await using world = serve(createReceiver());
  await using refused = server(place.file, world.settings);
  const { code } = await refused.status;
  assertEquals([code, refused.output.stdout], [1, ""]);
  assertMatch(refused.output.stderr, /^RESOLVE_KV_PATH: cannot open .+\n$/);
});

Deno.test("only the owner may read the store's files, also existing ones", async () => {
  await using place = await folder();
  await using world = serve(createReceiver());
  const files = [place.file, `${place.file}-wal`, `${place.file}-shm`];
  for (const file of files) await Deno.writeFile(file, new Uint8Array(), { mode: 0o644 });
  await using process = server(place.file, world.settings);
  await beginMany(await originOf(process), world, [{ status: "running" }]);
  for (const file of files) {
    assertEquals(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600, file);
  }
  await process.end("SIGTERM");
});

Deno.test("/ready is 503 once the file of the store is deleted", async () => {
  await using place = await folder();
  await using world = serve(createReceiver());
  await using process = server(place.file, world.settings);
  const origin = await originOf(process);
  assertEquals((await fetch(`${origin}/ready`).then(objectOf)).status, "ok");
  await Deno.remove(place.file);
  assertEquals(await outcomeOf(await fetch(`${origin}/ready`)), [503, "watches-unavailable"]);
  await process.end("SIGTERM");
});

Deno.test("a KV service gets the access token, and its refusal ends the server", async () => {
  await using world = serve(createReceiver());
  const tokens: unknown[] = [];
  await using service = listen((request) => {
    tokens.push(request.headers.get("authorization"));
    return new Response("unknown token", { status: 401 });
  });
  await using refused = server(service.origin, {
    ...world.settings,
    DENO_KV_ACCESS_TOKEN: "canary-token",
  });
  assertEquals((await refused.status).code, 1);
  assertEquals(tokens, ["Bearer canary-token"]);
  const { stdout, stderr } = refused.output;
  assertMatch(stderr, /^RESOLVE_KV_PATH: cannot open the store of the watches: .*401/);
  assert(!(stdout + stderr).includes("canary"), stderr);
});

Deno.test("deno task start keeps watches in a file of the project that git ignores", async () => {
  await using clone = await freshClone();
  await using world = serve(createReceiver(() => 204));
  const command = ["-c", clone.inside("exec deno task start")];
  await using running = start("bash", command, world.settings);
  await beginMany(await originOf(running), world, [{ steps: [{ status: "running" }] }]);
  assert((await Deno.stat(`${clone.folder}/dist/watches.kv`)).isFile);
  await clone.assertClean();
});
