// `wait` for more tasks than are polled one by one.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Credentials, resolveAll, Task } from "../../mod.ts";
import { PLACE, platformWith, RESULT, RUN } from "../helpers/cli.ts";
import { TOKEN } from "../helpers/client.ts";
import { listen } from "../helpers/listen.ts";
import { start } from "../helpers/process.ts";

const IDS = Array.from({ length: 300 }, (_, i) => `t-${i + 1}`);

/** Serves 300 tasks that run for 1.5 s from the first request; a response takes 50 ms. */
function slowPlatform() {
  let open = 0;
  const counts = { requests: 0, atOnce: 0 };
  let startedAt = 0;
  const server = listen(async ({ url }) => {
    startedAt ||= Date.now();
    counts.requests++;
    counts.atOnce = Math.max(counts.atOnce, ++open);
    await new Promise((resolve) => setTimeout(resolve, 50));
    open--;
    const status = Date.now() - startedAt < 1_500 ? "running" : "success";
    const id = new URL(url).pathname.split("/").at(-1);
    if (id !== "tasks") return Response.json({ id, status });
    return Response.json({ items: IDS.map((id) => ({ id, status })), pages_count: 1 });
  });
  return Object.assign(server, { counts });
}

Deno.test("wait polls 300 tasks with the requests of resolveAll, at most 8 at once", async () => {
  await using platform = slowPlatform();
  await using reference = slowPlatform();
  const settings = { DEEPINT_TOKEN: TOKEN, DEEPINT_INSTANCE: platform.origin };
  const args = ["wait", "--quiet", "--interval=500ms", ...IDS.map((id) => `${PLACE}/${id}`)];
  const { code } = await start(Deno.execPath(), [...RUN, ...args], settings).status;

  const [organization_id, workspace_id] = PLACE.split("/");
  const credentials = new Credentials({ token: TOKEN, instance: reference.origin });
  const tasks = IDS.map((task_id) =>
    Task.fromDict({ organization_id, workspace_id, task_id }, { credentials })
  );
  for await (const _settled of resolveAll(tasks, { pollInterval: 500 })) { /* wait for all */ }

  assertEquals(code, 0);
  assert(platform.counts.atOnce <= 8, JSON.stringify(platform.counts));
  assert(
    platform.counts.requests <= 1.1 * reference.counts.requests,
    JSON.stringify([platform.counts, reference.counts]),
  );
});

/** Nine tasks, one of which fails, and one that does not exist. */
const TEN = [...IDS.slice(0, 9), "t-none"].map((id) => `${PLACE}/${id}`);
const FAILED = {
  status: "failed",
  progress: null,
  error_code: "QUOTA",
  error_description: "Full",
};

function nineTasks() {
  return platformWith(
    ...IDS.slice(0, 9).map((id, i) => i === 4 ? { id, ...FAILED } : { id, ...RESULT }),
  );
}

Deno.test("wait for 10 tasks prints results in the order of its arguments", async () => {
  await using server = nineTasks();
  const process = server.run(["wait", ...TEN]);
  assertEquals((await process.status).code, 1);
  const { stdout, stderr } = process.output;
  const printed = stdout.trimEnd().split("\n").map((line) => line.split(" ")[0]);
  assertEquals(printed, IDS.slice(0, 9).filter((id) => id !== "t-5"));
  assertMatch(stderr, /^t-5 task: failed QUOTA: Full, \d s$/m);
  assertMatch(stderr, /^t-9 task: success, source s-1, \d s$/m);
  assertMatch(stderr, /\nerror: TASK_QUOTA: .*\nerror: TASK_NOT_FOUND: .*\n$/);
});

Deno.test("wait --json for 10 tasks prints a line for each with its error", async () => {
  await using server = nineTasks();
  const process = server.run(["wait", ...TEN, "--json", "--quiet"]);
  assertEquals((await process.status).code, 1);
  const lines = process.output.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const codes = Object.fromEntries(lines.map(({ info, error }) => [info.id, error?.code]));
  assertEquals(codes, {
    ...Object.fromEntries(IDS.slice(0, 9).map((id) => [id, undefined])),
    "t-5": "TASK_QUOTA",
    "t-none": "TASK_NOT_FOUND",
  });
});

Deno.test("wait for 10 tasks names each one that is still running after --timeout", async () => {
  const ids = IDS.slice(0, 10);
  await using server = platformWith(...ids.map((id) => ({ id, status: "running" })));
  const args = ["wait", ...ids.map((id) => `${PLACE}/${id}`), "--timeout=2s", "--quiet"];
  const process = server.run(args);
  assertEquals((await process.status).code, 4);
  const named = process.output.stderr.matchAll(
    /^error: TIMEOUT: Task \((t-\d+)\).* is still running after \d+ ms; allow more time with --t/gm,
  );
  assertEquals([...named].map(([, id]) => id), ids);
});

Deno.test("an interrupted wait for 10 tasks stops those that are running", async () => {
  const ids = IDS.slice(0, 10);
  await using server = platformWith(
    ...ids.map((id, i) => i === 0 ? { id, ...RESULT } : { id, status: "running" }),
  );
  const args = ["wait", ...ids.map((id) => `${PLACE}/${id}`), "--delete-on-interrupt"];
  await using process = server.run(args);
  await process.waitForOutput(/t-1 task: success/);
  assertEquals(await process.end("SIGINT"), 130);
  const stopped = server.platform.requests.filter(({ method }) => method === "DELETE");
  assertEquals(stopped.length, 9);
  const messages = process.output.stderr.match(/^t-\d+ was stopped: failed STOPPED$/gm);
  assertEquals(messages?.length, 9, process.output.stderr);
});
