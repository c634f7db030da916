// The command `wait` for few tasks, without a terminal.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { documents, ended, PLACE, platformWith, RESULT } from "../helpers/cli.ts";

Deno.test("wait prints each change once, then the result", async () => {
  const steps = [{ status: "running", progress: 40, subtask: "Reading", polls: 2 }, RESULT];
  await using server = platformWith({ id: "t-1", name: "Import", steps });
  const wait = ["wait", `${PLACE}/t-1`, "--interval=250ms"];
  const { code, stdout, stderr } = await ended(server.run(wait));
  assertEquals(code, 0);
  assertMatch(stdout, /^source s-1 {2}http:.*&i=s-1\n$/);
  assertMatch(
    stderr,
    /^t-1 Import: running, 40%, Reading, \d s\nt-1 Import: success, source s-1, \d s\n$/,
  );
  assertEquals(server.platform.count(), 3);
});

Deno.test("wait for several tasks polls each once and names each result", async () => {
  await using server = platformWith({ id: "t-1", ...RESULT }, { id: "t-2", status: "success" });
  const tasks = ["t-1", "t-2", "t-1"].map((id) => `${PLACE}/${id}`);
  const { code, stdout, stderr } = await ended(server.run(["wait", ...tasks, "--quiet"]));
  assertEquals([code, stderr, server.platform.count()], [0, "", 2]);
  assertMatch(stdout, /^t-1 {2}source s-1 {2}http:.*\n$/);
});

Deno.test("wait --json prints a line as each task ends, with its error if it failed", async () => {
  const failed = { status: "failed", error_code: "BAD_CSV", error_description: "line 3: no end" };
  await using server = platformWith({ id: "t-1", ...RESULT }, { id: "t-2", ...failed });
  const tasks = [`${PLACE}/t-1`, `${PLACE}/t-2`, `${PLACE}/t-none`];
  const { code, stdout, stderr } = await ended(server.run(["wait", ...tasks, "--json", "--quiet"]));
  assertEquals(code, 1);
  const codes = documents(stdout).map(({ info, error }) => [info.id, error?.code]);
  assertEquals(codes.toSorted(), [
    ["t-1", undefined],
    ["t-2", "TASK_BAD_CSV"],
    ["t-none", "TASK_NOT_FOUND"],
  ]);
  assertMatch(
    stderr,
    /^error: TASK_BAD_CSV: Task \(t-2\).* line 3: no end\nerror: TASK_NOT_FOUND: .*\n$/,
  );
});

Deno.test("wait exits with the first of 5, 1, 4, 3 that applies to a task", async () => {
  await using server = platformWith(
    { id: "failed", status: "failed" },
    { id: "runs", status: "running" },
    { id: "odd", status: "asleep" },
  );
  const cases: [ids: string[], expected: number][] = [
    [["failed"], 3],
    [["odd"], 1],
    [["none"], 1],
    [["failed", "none"], 1],
    [["failed", "runs"], 4],
  ];
  await Promise.all(cases.map(async ([ids, expected]) => {
    const tasks = ids.map((id) => `${PLACE}/${id}`);
    const timeout = ids.includes("runs") ? ["--timeout=3s"] : [];
    const { code, stderr } = await ended(server.run(["wait", ...tasks, ...timeout]));
    assertEquals(code, expected, `${ids}: ${stderr}`);
    if (expected === 4) assertMatch(stderr, /^error: TIMEOUT: .*is still running.*$/m);
  }));
});

for (const [signal, expected] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  for (const asked of [false, true]) {
    const what = asked ? "stops the running tasks" : "names the running tasks";
    Deno.test(`wait ${what} on ${signal} and exits with ${expected}`, async () => {
      await using server = platformWith({ id: "t-1", status: "running" }, { id: "t-2", ...RESULT });
      const tasks = [`${PLACE}/t-1`, `${PLACE}/t-2`];
      await using process = server.run(
        ["wait", ...tasks, ...asked ? ["--delete-on-interrupt"] : []],
      );
      await process.waitForOutput(/t-1 task: running/);
      await process.waitForOutput(/t-2 task: success/);
      assertEquals(await process.end(signal), expected);
      const { stdout, stderr } = process.output;
      assertEquals(stdout, "");
      const message = asked ? "t-1 was stopped: failed STOPPED" : "t-1 is still running; .*t-1";
      assertMatch(stderr, new RegExp(`^${message}\nerror: Interrupted\n$`, "m"));
      const deleted = server.platform.requests.filter(({ method }) => method === "DELETE");
      assertEquals(deleted.map(({ path }) => path.slice(-3)), asked ? ["t-1"] : []);
    });
  }
}

Deno.test("an interrupt does not stop a task that finished since the last poll", async () => {
  await using server = platformWith({ id: "t-1", steps: [{ status: "running" }, RESULT] });
  await using process = server.run([
    "wait",
    `${PLACE}/t-1`,
    "--interval=1d",
    "--delete-on-interrupt",
  ]);
  await process.waitForOutput(/t-1 task: running/);
  assertEquals(await process.end("SIGINT"), 130);
  assertStringIncludes(process.output.stderr, "t-1 had already finished: success source s-1\n");
  assertEquals(server.platform.count(({ method }) => method === "DELETE"), 0);
});

Deno.test("a second interrupt a second later ends a command that is stopping tasks", async () => {
  await using server = platformWith({ id: "t-1", status: "running" });
  const task = `${PLACE}/t-1`;
  await using process = server.run(["wait", task, "--interval=1d", "--delete-on-interrupt"]);
  await process.waitForOutput(/t-1 task: running/);
  const asked = Promise.withResolvers<void>();
  server.platform.inject(() => {
    asked.resolve();
    return new Promise(() => {}); // never responds
  });
  Deno.kill(process.pid, "SIGINT");
  await asked.promise;
  Deno.kill(process.pid, "SIGINT"); // a repetition by `deno task`
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  assertMatch(process.output.stderr, /running.*\n$/);
  assertEquals(await process.end("SIGINT"), 130);
  assertMatch(process.output.stderr, /running.*\nerror: Interrupted\n$/);
});
