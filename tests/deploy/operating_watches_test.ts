// Runs the commands of operating_watches.md against an endpoint with watches in a file.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { KvStore } from "../../functions/watches/kv_store.ts";
import { KEY } from "../helpers/endpoint.ts";
import { BLOCKS, withThisDeno } from "../helpers/pages.ts";
import { start } from "../helpers/process.ts";
import { beginMany, folder, originOf, serve, server } from "../helpers/watch_server.ts";
import { createReceiver } from "../helpers/watches.ts";

const PAGE = ".github/docs/operating_watches.md";
const DONE = { status: "success", result: "s-1", result_type: "source" } as const;

Deno.test("operating_watches.md: every command works on a running endpoint", async () => {
  await using place = await folder();
  let status = 410;
  const receiver = createReceiver(() => status);
  await using world = serve(receiver);
  await using endpoint = server(place.file, world.settings);
  const origin = await originOf(endpoint);
  const [watch] = await beginMany(origin, world, [DONE, { status: "running" }]);
  await endpoint.waitForOutput(/"state":"failed"/);
  status = 204;

  const [settings, ...commands] = BLOCKS.filter(({ page }) => page === PAGE);
  assert(settings);
  const exports = settings.code.replace("http://localhost:8000", origin)
    .replace(/"a-key.*"/, `"${KEY}"`);
  const run = async (script: string) => {
    const copy = `${place.file}-backup`;
    const here = withThisDeno(script).replace("watches-backup.kv", copy);
    const env = { ID: watch?.id ?? "", RESOLVE_KV_PATH: place.file };
    await using shell = start("bash", ["-euc", `${exports}\n${here}`], env);
    assertEquals((await shell.status).code, 0, shell.output.stdout + shell.output.stderr);
    return shell.output.stdout;
  };
  const outputs: string[] = [];
  for (const { language, code } of commands) {
    assertEquals(language, "sh");
    outputs.push(await run(code));
  }
  const [list = "", stats = "", metrics = "", redelivered = "", sweep = "", backup] = outputs;
  assertEquals(JSON.parse(list).watches.map(({ id }: { id: string }) => id), [watch?.id]);
  assertEquals([JSON.parse(stats).open, JSON.parse(stats).failed], [1, 1]);
  assertMatch(metrics, /^deepint_watches_failed_total 1$/m);
  assertEquals(JSON.parse(redelivered).state, "watching");
  assertMatch(sweep, /^\{"polled":\d+,"delivered":\d+,"remaining":\d+\}$/);
  assertEquals([backup, outputs.length], ["", 6]);
  await receiver.until(1);

  const kv = await Deno.openKv(`${place.file}-backup`);
  assertEquals((await new KvStore(kv).list({ limit: 9 })).length, 2);
  kv.close();
  assertEquals(((await Deno.stat(`${place.file}-backup`)).mode ?? 0) & 0o077, 0);
  assertEquals(await endpoint.end("SIGTERM"), 0);
});
