// The command line as a process, against the stand-in over HTTP, and once in a real terminal.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Webhook } from "standardwebhooks";
import config from "../deno.json" with { type: "json" };
import { assertSilent, TOKEN } from "./client.ts";
import { listen } from "./listen.ts";
import { type Process, start } from "./process.ts";
import { createStandIn, type StandIn, type StandInTask } from "./stand_in.ts";

const CLI = [
  "run",
  "--quiet",
  "--frozen",
  "--allow-read",
  "--allow-net",
  "--allow-env",
  "src/cli.ts",
];
const WORKSPACE = "organization-1/workspace-1";
const RESULT = { status: "success", result: "s-1", result_type: "source" };
const EVIL = "\x1b[31mred\x07\u202eline\nend";

/** A stand-in that listens, and the settings that lead to it. */
function serve(...tasks: StandInTask[]) {
  const standIn: StandIn = createStandIn({ token: TOKEN });
  const server = listen(standIn.fetch);
  standIn.origin = server.origin;
  for (const task of tasks) standIn.add(task);
  const settings = { DEEPINT_TOKEN: TOKEN, DEEPINT_INSTANCE: standIn.origin };
  const run = (args: string[], more: Record<string, string> = {}, input = "") =>
    start(Deno.execPath(), [...CLI, ...args], { ...settings, ...more }, input);
  return { ...server, standIn, settings, run };
}

/** How a command ended; the token is in nothing that it wrote. */
async function ended(process: Process) {
  const { code } = await process.status;
  assertSilent([process.output], TOKEN);
  return { code, ...process.output };
}

Deno.test("show prints a task as a table, without a character that a terminal acts on", async () => {
  await using platform = serve({
    id: "t-1",
    ...RESULT,
    name: EVIL,
    subtask: EVIL,
    user_name: EVIL,
  });
  const { code, stdout, stderr } = await ended(platform.run(["show", `${WORKSPACE}/t-1`]));
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^task +t-1\nname +\[31mred {2}line end\n/m);
  assertMatch(stdout, /^result +source s-1\n/m);
  // deno-lint-ignore no-control-regex -- that is what must not be there
  assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/.test(stdout), JSON.stringify(stdout));
  assertEquals(platform.standIn.count(), 1);
});

Deno.test("show --json prints one document, of a task named by its web or its API URL", async () => {
  await using platform = serve();
  const task = platform.standIn.add({ id: "t-1", ...RESULT });
  const api = ["show", task.url, "--organization", "organization-1", "--json"];
  for (const args of [["show", task.webUrl, "--json"], api]) {
    const { code, stdout } = await ended(platform.run(args));
    const { info, result_url } = JSON.parse(stdout);
    assertEquals([code, info.id, info.status], [0, "t-1", "success"]);
    assertStringIncludes(result_url, "&s=source&i=s-1");
  }
});

Deno.test("wait waits for many, says each change, and prints the results", async () => {
  await using platform = serve({
    id: "t-1",
    steps: [{ status: "running", progress: 40, subtask: "Reading", polls: 2 }, RESULT],
  }, { id: "t-2", ...RESULT, result: "s-2" });
  const tasks = [`${WORKSPACE}/t-1`, `${WORKSPACE}/t-2`];
  const { code, stdout, stderr } = await ended(
    platform.run(["wait", ...tasks, "--interval=250ms"]),
  );
  assertEquals(code, 0);
  assertMatch(stdout, /^t-1 {2}source s-1 {2}http:.*&i=s-1\nt-2 {2}source s-2 {2}http:.*&i=s-2\n$/);
  assertStringIncludes(stderr, "t-1 running 40 % Reading\n");
  assertStringIncludes(stderr, "t-1 success 100 %\n");
  assertEquals(platform.standIn.count("/task/t-1"), 3);
});

Deno.test("wait --json --quiet prints a line a task, and exits with 3 when one failed", async () => {
  await using platform = serve(
    { id: "t-1", ...RESULT },
    { id: "t-2", status: "failed", error_code: "BAD_CSV", error_description: "line 3 has no end" },
  );
  const tasks = [`${WORKSPACE}/t-1`, `${WORKSPACE}/t-2`];
  const { code, stdout, stderr } = await ended(
    platform.run(["wait", ...tasks, "--json", "--quiet"]),
  );
  assertEquals(code, 3);
  const lines = stdout.trim().split("\n").map((line) => JSON.parse(line));
  lines.sort((a, b) => a.info.id < b.info.id ? -1 : 1);
  assertEquals(lines.map(({ info, error }) => [info.id, error?.code]), [["t-1", undefined], [
    "t-2",
    "TASK_BAD_CSV",
  ]]);
  assertMatch(stderr, /^error: Task \(t-2\).* failed with description: line 3 has no end\n$/);
});

Deno.test("a wait that lasts too long exits with 4, and says that the task goes on", async () => {
  await using platform = serve({ id: "t-1", status: "running" });
  const { code, stderr } = await ended(
    platform.run(["wait", `${WORKSPACE}/t-1`, "--timeout=300ms", "--quiet"]),
  );
  assertEquals(code, 4);
  assertMatch(stderr, /^error: Task \(t-1\) .*it goes on.*\n$/);
});

Deno.test("an interrupted wait exits with 130, and deletes the task only where that was asked for", async () => {
  await using platform = serve({ id: "t-1", status: "running" });
  for (const asked of [false, true]) {
    const options = asked ? ["--delete-on-interrupt"] : [];
    const process = platform.run(["wait", `${WORKSPACE}/t-1`, ...options]);
    await process.saw(/t-1 running/);
    assertEquals(await process.end("SIGINT"), 130);
    assertStringIncludes(process.output.stderr, asked ? "deleted t-1" : "t-1 goes on");
    assertEquals(platform.standIn.count(({ method }) => method === "DELETE"), asked ? 1 : 0);
  }
});

Deno.test("result prints kind and id with the address; a task that goes on has none, and exits with 1", async () => {
  await using platform = serve({ id: "t-1", ...RESULT }, { id: "t-2", status: "running" }, {
    id: "t-3",
    status: "failed",
  });
  const { stdout } = await ended(platform.run(["result", `${WORKSPACE}/t-1`]));
  assertMatch(stdout, /^source s-1 {2}http:\/\/127\.0\.0\.1:\d+\/o\/organization-1\/.*&i=s-1\n$/);
  assertEquals((await ended(platform.run(["result", `${WORKSPACE}/t-2`]))).code, 1);
  assertEquals((await ended(platform.run(["result", `${WORKSPACE}/t-3`]))).code, 3);
});

Deno.test("list keeps what its options say, as a table and as lines of JSON", async () => {
  await using platform = serve(
    { id: "t-1", status: "running", name: "Import" },
    { id: "t-2", status: "failed", name: "Import" },
    { id: "t-3", status: "success", name: "Export" },
  );
  const all = await ended(platform.run(["list", WORKSPACE, "--name=import"]));
  assertMatch(all.stdout, /^TASK +STATUS +CREATED .*\nt-1 +running .* Import\nt-2 +failed .*\n$/);
  const args = ["list", WORKSPACE, "--status=failed,success", "--limit=1", "--json"];
  const { stdout } = await ended(platform.run(args));
  assertEquals(stdout.trim().split("\n").map((line) => JSON.parse(line).id), ["t-2"]);
});

Deno.test("delete asks nobody where there is nobody: it needs --yes", async () => {
  await using platform = serve({ id: "t-1", status: "running" });
  assertEquals((await ended(platform.run(["delete", `${WORKSPACE}/t-1`]))).code, 2);
  assertEquals(platform.standIn.count(), 0);
  const { code, stderr } = await ended(platform.run(["delete", `${WORKSPACE}/t-1`, "--yes"]));
  assertEquals([code, stderr, platform.standIn.count()], [0, "deleted t-1\n", 1]);
});

Deno.test("sign prints headers that verify the body, with the first secret, and no secret", async () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const settings = { RESOLVE_WEBHOOK_SECRETS: `${secret},whsec_${btoa("x".repeat(24))}` };
  await using platform = serve();
  const body = '{"é": 1}\n';
  const { code, stdout, stderr } = await ended(platform.run(["sign"], settings, body));
  assertEquals([code, stderr], [0, ""]);
  const headers = Object.fromEntries(
    [...stdout.matchAll(/^-H '([a-z-]+): (.+)'$/gm)].map(([, ...it]) => it),
  );
  new Webhook(secret).verify(body, headers);
  assert(!stdout.includes(secret.slice(6)));
  assertEquals((await ended(platform.run(["sign"]))).code, 5);
});

Deno.test("a mistake is one line that says what to do, and exits with its own code", async () => {
  await using platform = serve();
  const cases: [string[], Record<string, string>, number, RegExp][] = [
    [["show", "nonsense"], {}, 2, /"nonsense" is not a web URL/],
    [
      ["show", "https://elsewhere.test/o/o-1/workspace?ws=w-1&s=task&i=t-1"],
      {},
      2,
      /pass --instance/,
    ],
    [["show", `${platform.standIn.origin}/api/v1/workspace/w-1/task/t-1`], {}, 2, /organizationId/],
    [["wait", `${WORKSPACE}/t-1`, "--timeout=10"], {}, 2, /a number and a unit/],
    [["list", WORKSPACE, "--status=gone"], {}, 2, /the statuses are/],
    [["frobnicate"], {}, 2, /unknown command/],
    [["show", `${WORKSPACE}/t-9`], {}, 1, /Error on HTTP GET/],
    [["show", `${WORKSPACE}/t-1`], { DEEPINT_TOKEN: "" }, 5, /DEEPINT_TOKEN/],
    [["show", `${WORKSPACE}/t-1`], { DEEPINT_TOKEN: "another-token" }, 5, /Error on HTTP GET/],
  ];
  await Promise.all(cases.map(async ([args, settings, expected, message]) => {
    const { code, stdout, stderr } = await ended(platform.run(args, settings));
    assertEquals([code, stdout], [expected, ""], `${args}: ${stderr}`);
    assertMatch(stderr, message);
    assertMatch(stderr, /^error: .+\n(\(--help tells more\)\n)?$/);
  }));
});

Deno.test("--version and the help of each command exit with 0", async () => {
  await using platform = serve();
  const { stdout } = await ended(platform.run(["--version"]));
  assertEquals(stdout, `${config.version}\n`);
  for (const command of ["show", "wait", "sign"]) {
    const help = await ended(platform.run([command, "--help"]));
    assertEquals(help.code, 0);
    assertMatch(help.stdout, /Examples:\n {2}deepint-task /);
  }
});

Deno.test("on a terminal a bar moves for each task, and the cursor comes back", async () => {
  const steps = [20, 60, 90].map((progress) => ({ status: "running", progress, polls: 2 }));
  await using platform = serve({ id: "t-1", name: EVIL, steps: [...steps, RESULT] });
  const command = ["deno", ...CLI, "wait", `${WORKSPACE}/t-1`, "--interval=300ms"].join(" ");
  // `script` gives it a terminal of its own
  const args = ["-qec", `stty cols 100 rows 20; ${command.replace("deno", Deno.execPath())}`];
  const settings = { ...platform.settings, NO_COLOR: "", TERM: "xterm-256color" };
  await using process = start("script", [...args, "/dev/null"], settings);
  const { code } = await process.status;
  const screen = process.output.stdout;
  assertEquals(code, 0, screen);
  for (const percent of ["20 %", "60 %", "100 %"]) assertStringIncludes(screen, percent);
  // deno-lint-ignore no-control-regex -- the color of the status
  assertMatch(screen, /█████░{19} {3}20 % {2}\x1b\[36mrunning\x1b\[39m/);
  assertStringIncludes(screen, "[31mred  line end");
  assert(!screen.includes("\x1b[31mred") && !screen.includes("\x07"));
  assert(screen.lastIndexOf("\x1b[?25h") > screen.lastIndexOf("\x1b[?25l"), "the cursor is hidden");
  assertMatch(screen, /source s-1 {2}http:/);
});
