// The commands `show`, `result` and `list`, and the documents of `--json`.
import { assertEquals, assertMatch } from "@std/assert";
import { Credentials, Task } from "../../mod.ts";
import { TOKEN } from "../helpers/client.ts";
import { documents, ended, PLACE, platformWith, RESULT } from "../helpers/cli.ts";

Deno.test("show prints a task as an aligned table, with one request", async () => {
  await using server = platformWith({
    id: "t-1",
    ...RESULT,
    name: "Import",
    user_name: "analyst",
    progress: null,
  });
  const { code, stdout, stderr } = await ended(server.run(["show", `${PLACE}/t-1`]));
  assertEquals([code, stderr, server.platform.count()], [0, "", 1]);
  assertMatch(stdout, /^task {10}t-1\nname {10}Import\nstatus {8}success\nresult {8}source s-1\n/);
  assertMatch(stdout, /\nresult URL {4}http:.*&s=source&i=s-1\n/);
});

Deno.test("result prints the result; exits with 1 for a running task, 3 for a failed one", async () => {
  await using server = platformWith(
    { id: "t-1", ...RESULT },
    { id: "t-2", ...RESULT, result_type: "export" },
    { id: "t-3", status: "running" },
    { id: "t-4", status: "failed" },
    { id: "t-5", status: "paused" },
    { id: "t-6", status: "success" },
  );
  const result = (id: string, ...flags: string[]) =>
    ended(server.run(["result", `${PLACE}/${id}`, ...flags]));
  const [source, other, runs, failed, json] = await Promise.all(
    [result("t-1"), result("t-2"), result("t-3"), result("t-4"), result("t-1", "--json")],
  );
  assertMatch(source?.stdout ?? "", /^source s-1 {2}http:.*\/o\/organization-1\/.*&i=s-1\n$/);
  assertEquals(other?.stdout, "export s-1\n");
  assertEquals([runs?.code, runs?.stdout, failed?.code, failed?.stdout], [1, "", 3, ""]);
  const command = `deepint-task wait ${PLACE}/t-3`;
  assertMatch(runs?.stderr ?? "", new RegExp(`TASK_NOT_FINISHED.*; .*, run: ${command}\n$`));
  assertEquals(documents(json?.stdout ?? "")[0].info.result, "s-1");
  const { code, stderr } = await result("t-5");
  assertEquals(code, 1);
  assertMatch(stderr, /its status is unknown; open the task in Deep Intelligence\n$/, "not: wait");
  const nothing = await result("t-6");
  assertEquals([nothing.code, nothing.stdout, nothing.stderr], [0, "", "t-6 has no result\n"]);
});

Deno.test("the URL of a file is printed once and whole", async () => {
  const result = `https://files.example.com/w-1.zip?signature=${"f".repeat(3_000)}`;
  await using server = platformWith({ id: "t-1", status: "success", result, result_type: "file" });
  const task = `${PLACE}/t-1`;
  const outputs = await Promise.all(
    [["result", task], ["wait", task], ["show", task]].map((args) => ended(server.run(args))),
  );
  const [printed, waited, shown] = outputs.map(({ stdout }) => stdout);
  assertEquals([printed, waited], [`file ${result}\n`, `file ${result}\n`]);
  assertEquals(shown?.split(result).length, 2);
});

Deno.test("list filters by its options and prints a table or lines of JSON", async () => {
  await using server = platformWith(
    { id: "t-1", status: "running", name: "インポート Import" },
    { id: "t-2", status: "failed", name: "Import" },
    { id: "t-3", status: "success", name: "Export" },
  );
  const table = await ended(server.run(["list", PLACE, "--name=import"]));
  assertMatch(
    table.stdout,
    /^TASK +STATUS +CREATED .*\nt-1 +running .* インポート Import\nt-2 +failed .* Import\n$/,
  );
  const json = ["list", PLACE, "--status=failed,success", "--limit=1", "--json"];
  assertEquals(documents((await ended(server.run(json))).stdout).map(({ info }) => info.id), [
    "t-2",
  ]);
  const none = await ended(server.run(["list", PLACE, "--status=pending"]));
  assertEquals(none, { code: 0, stdout: "", stderr: "No tasks found\n" });
});

/** Returns the names of the members of a document. */
function shapeOf({ info, ...members }: Record<string, unknown>) {
  const names = (value: unknown) => Object.keys(value ?? {}).toSorted();
  return { info: names(info), members: names(members) };
}

Deno.test("--json prints the documents of the documentation", async () => {
  const page = await Deno.readTextFile(
    new URL("../../.github/docs/command_line.md", import.meta.url),
  );
  const documented = JSON.parse(/^```json\n([^]*?)^```$/m.exec(page)?.[1] ?? "");
  Task.fromDict(documented, { credentials: new Credentials({ token: TOKEN }) });
  const { info, members } = shapeOf(documented);
  const withMembers = (...names: string[]) => ({
    info,
    members: [members, names].flat().toSorted(),
  });
  await using server = platformWith(
    { id: "t-1", ...RESULT },
    { id: "t-2", status: "failed", error_code: "QUOTA" },
    { id: "t-3", status: "running" },
  );
  const shapes = async (...args: string[]) => {
    const { stdout } = await ended(server.run([...args, "--json"]));
    return documents(stdout).map(shapeOf);
  };
  assertEquals(await shapes("show", `${PLACE}/t-1`), [withMembers()]);
  assertEquals(await shapes("result", `${PLACE}/t-1`), [withMembers()]);
  assertEquals(await shapes("list", PLACE), Array(3).fill(withMembers()));
  assertEquals(await shapes("wait", `${PLACE}/t-1`), [withMembers()]);
  const { stdout } = await ended(server.run(["wait", `${PLACE}/t-2`, "--json"]));
  const [failed] = documents(stdout);
  assertEquals(shapeOf(failed), withMembers("error"));
  assertEquals([failed.error.code, typeof failed.error.message], ["TASK_QUOTA", "string"]);
  assertEquals(await shapes("delete", `${PLACE}/t-3`, "--yes"), [withMembers("stopped")]);
});
