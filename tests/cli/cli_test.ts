// The command line as a process with the permissions of its task, against the fake platform over HTTP.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Webhook } from "standardwebhooks";
import config from "../../deno.json" with { type: "json" };
import { parseDuration } from "../../src/cli/arguments.ts";
import { formatDuration } from "../../src/internal/text.ts";
import { Credentials, Task } from "../../mod.ts";
import { assertNoSecrets, TOKEN } from "../helpers/client.ts";
import { HOSTILE, PLACE, platformWith, RESULT, RUN } from "../helpers/cli.ts";
import { type Process, start } from "../helpers/process.ts";

/** Waits for a command to end and checks that its output does not contain the token. */
async function ended(process: Process) {
  const { code } = await process.status;
  assertNoSecrets([process.output], TOKEN);
  return { code, ...process.output };
}

/** Parses lines of JSON. */
const documents = (text: string) => text.trimEnd().split("\n").map((line) => JSON.parse(line));

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
  assertMatch(stdout, /\nresult at {5}http:.*&s=source&i=s-1\n/);
});

Deno.test("a task argument is a web URL, an API URL with --organization, or three ids", async () => {
  await using server = platformWith();
  const task = server.platform.add({ id: "t-1", ...RESULT });
  const ways = [
    [task.webUrl],
    [task.url, "--organization", task.organization],
    [`${task.organization}/${task.workspace}/${task.id}`],
  ];
  const { host: instance } = new URL(server.platform.origin);
  const shown = await Promise.all(ways.map(async (words) => {
    const way = ["show", ...words, "--json", "--instance", `http://${instance}`];
    const { code, stdout } = await ended(server.run(way, { DEEPINT_INSTANCE: "app.deepint.net" }));
    assertEquals(code, 0);
    return stdout;
  }));
  assertEquals(new Set(shown).size, 1);
  const [{ result_url, ...dict }] = documents(shown[0] ?? "");
  assertMatch(result_url, /&s=source&i=s-1$/);
  const again = Task.fromDict(dict, { credentials: new Credentials({ token: TOKEN }) });
  assertEquals(again.toDict(), dict);
});

Deno.test("wait prints each change once, then the result", async () => {
  const steps = [{ status: "running", progress: 40, subtask: "Reading", polls: 2 }, RESULT];
  await using server = platformWith({ id: "t-1", name: "Import", steps });
  const wait = ["wait", `${PLACE}/t-1`, "--interval=250ms"];
  const { code, stdout, stderr } = await ended(server.run(wait));
  assertEquals(code, 0);
  assertMatch(stdout, /^source s-1 {2}http:.*&i=s-1\n$/);
  assertMatch(
    stderr,
    /^t-1 Import: running, 40 %, Reading, \d s\nt-1 Import: success, source s-1, \d s\n$/,
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
  assertMatch(runs?.stderr ?? "", /TASK_NOT_FINISHED.*; to wait for it, run: deepint-task wait\n$/);
  assertEquals(documents(json?.stdout ?? "")[0].info.result, "s-1");
  const { code, stderr } = await result("t-5");
  assertEquals(code, 1);
  assertMatch(stderr, /its status is unknown; open the task in Deep Intelligence\n$/, "not: wait");
  const nothing = await result("t-6");
  assertEquals([nothing.code, nothing.stdout, nothing.stderr], [0, "", "t-6 has no result\n"]);
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

Deno.test("delete requires --yes without a terminal", async () => {
  await using server = platformWith({ id: "t-1", status: "running" });
  const { code, stderr } = await ended(server.run(["delete", `${PLACE}/t-1`]));
  assertEquals({ code, requests: server.platform.count() }, { code: 2, requests: 0 });
  assertMatch(stderr, /^error: Cannot ask for confirmation .*: pass --yes to stop the task\n$/);
});

Deno.test("delete prints the state that the platform shows after the DELETE", async () => {
  const failed = { status: "failed", error_code: "QUOTA" };
  await using server = platformWith(
    { id: "t-1", status: "running" },
    { id: "t-2", ...RESULT },
    { id: "t-3", ...failed },
  );
  const stop = (id: string, ...flags: string[]) =>
    ended(server.run(["delete", `${PLACE}/${id}`, "--yes", ...flags]));
  const messages = {
    "t-1": "t-1 was stopped: failed STOPPED\n",
    "t-2": "t-2 had already finished: success source s-1\n",
    "t-3": "t-3 had already finished: failed QUOTA\n",
  };
  for (const [id, stderr] of Object.entries(messages)) {
    assertEquals(await stop(id), { code: 0, stdout: "", stderr });
  }
  assertEquals(
    server.platform.requests.map(({ method }) => method),
    Object.keys(messages).flatMap(() => ["DELETE", "GET"]),
  );
  server.platform.add({ id: "t-1", status: "running" });
  const shown = await Promise.all([stop("t-1", "--json"), stop("t-2", "--json")]);
  assertEquals(shown.map(({ stdout }) => documents(stdout)[0].stopped), [true, false]);
  assertEquals(documents(shown[0]?.stdout ?? "")[0].info.error_code, "STOPPED");
  assertEquals(await stop("t-1", "--quiet"), { code: 0, stdout: "", stderr: "" });
});

Deno.test("delete succeeds when the platform no longer has the task afterwards", async () => {
  await using server = platformWith({ id: "t-1", status: "running" });
  server.platform.inject(() => Response.json({ result: "success" }));
  server.platform.inject(() => Response.json({ code: "NOT_FOUND" }, { status: 404 }));
  const { code, stderr } = await ended(server.run(["delete", `${PLACE}/t-1`, "--yes"]));
  assertEquals({ code, stderr }, { code: 0, stderr: "t-1 was stopped: it no longer exists\n" });
});

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

Deno.test("sign prints headers that verify the exact body, and not the secret", async () => {
  const settings = { RESOLVE_WEBHOOK_SECRETS: ` ${SECRET} ,whsec_${btoa("x".repeat(24))}` };
  await using server = platformWith();
  await Promise.all(['{"é": 1}\n', "", "\ufeff{}"].map(async (body) => {
    const { code, stdout, stderr } = await ended(server.run(["sign"], settings, body));
    assertEquals([code, stderr], [0, ""]);
    const lines = [...stdout.matchAll(/^-H '([a-z-]+): (.+)'$/gm)].map(([, ...line]) => line);
    assertEquals(lines.length, 3);
    new Webhook(SECRET).verify(body, Object.fromEntries(lines), { jsonParse: false });
    assertNoSecrets([stdout], SECRET.slice(6));
  }));
});

Deno.test("sign --body signs a file and rejects one that is missing or not UTF-8", async () => {
  await using server = platformWith();
  const settings = { RESOLVE_WEBHOOK_SECRETS: SECRET };
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/body.json`, "{}\n");
    const signed = ["sign", "--json", "--body", `${folder}/body.json`];
    const { stdout } = await ended(server.run(signed, settings));
    new Webhook(SECRET).verify("{}\n", documents(stdout)[0]);
    await Deno.writeFile(`${folder}/image`, Uint8Array.of(0xff, 0xd8));
    for (const [name, why] of [["image", /not UTF-8/], ["none", /Cannot read/]] as const) {
      const unsigned = await ended(server.run(["sign", "--body", `${folder}/${name}`], settings));
      assertEquals([unsigned.code, unsigned.stdout], [1, ""]);
      assertMatch(unsigned.stderr, why);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const secrets = ["", "canary-secret", "canarysecret", "whsec_canary*", `whsec_${btoa("canary")}`];
  for (const secret of secrets) {
    const refused = await ended(server.run(["sign"], { RESOLVE_WEBHOOK_SECRETS: secret }, "{}"));
    assertEquals([refused.code, refused.stdout], [5, ""]);
    assertMatch(refused.stderr, /^error: (?!.*canary).*RESOLVE_WEBHOOK_SECRETS.*\n$/);
  }
});

/** Checks that a command writes one line of error and nothing else. */
async function assertMistake(process: Process, expected: number, message: RegExp): Promise<void> {
  const { code, stdout, stderr } = await ended(process);
  assertEquals([code, stdout], [expected, ""], stderr);
  assertMatch(stderr, /^error: \P{C}+\n$/u);
  assertMatch(stderr, message);
}

Deno.test("a usage error is one line with a remedy, exit code 2, without a request", async () => {
  await using server = platformWith();
  const task = `${PLACE}/t-1`;
  const api = `${server.platform.origin}/api/v1/workspace/w-1/task/t-1`;
  const cases: [args: string[], message: RegExp][] = [
    [["show", "nonsense"], /"nonsense": pass its web URL/],
    [
      ["show", "https://other.test/o/o-1/workspace?ws=w-1&s=task&i=t-1"],
      /pass --instance https:\/\/other\.test\n/,
    ],
    [["show", api], /names no organization; pass --organization\n/],
    [["show", task, "--organization=o-2"], /names "organization-1"; leave the option out/],
    [["show", "o 1/w-1/t-1"], /organization_id/],
    [["show", task, "--instance=http://deepint.example"], /loopback/],
    [["wait"], /missing required argument 'task'; see "deepint-task help wait"\n/],
    [["sign", "body"], /Expected 0 arguments but got 1: body; see "deepint-task help sign"\n/],
    [["wait", task, "--timeout=10"], /a duration such as/],
    [["wait", task, "--interval=10ms"], /duration from 250ms to 1d/],
    [["list", "w-1"], /organization\/workspace/],
    [["list", PLACE, "--status=gone"], /one of pending, running/],
    [["list", PLACE, "--limit=0"], /whole number, 1 or more/],
    [["list", PLACE, "--\x1b[2J\u009b\u202e"], /unknown option/],
    [["frobnicate"], /unknown command 'frobnicate'; see "deepint-task help"\n/],
  ];
  await Promise.all(
    cases.map(([args, message]) => assertMistake(server.run(args), 2, message)),
  );
  assertEquals(server.platform.count(), 0);
});

Deno.test("a failure is one line with a remedy, exit code 1, 4 or 5", async () => {
  await using server = platformWith();
  const show = ["show", `${PLACE}/t-1`];
  const cases: [number, RegExp, args?: string[], settings?: Record<string, string>][] = [
    [1, /TASK_NOT_FOUND.*; check the ids/],
    [1, /NETWORK_ERROR.*; check the /, [], { DEEPINT_INSTANCE: "http://127.0.0.1:1" }],
    [4, /TIMEOUT.*; allow more time with --timeout/, ["--timeout=1ms"]],
    [5, /CREDENTIALS_NOT_FOUND: Cannot find a token: set DEEPINT_TOKEN, or/, [], {
      DEEPINT_TOKEN: "",
    }],
    [5, /UNAUTHORIZED.*; check the token/, [], { DEEPINT_TOKEN: "another-token" }],
  ];
  await Promise.all(
    cases.map(([code, message, args = [], settings]) =>
      assertMistake(server.run([...show, ...args], settings), code, message)
    ),
  );
});

Deno.test("the help of each command has examples and options", async () => {
  await using server = platformWith();
  const commands = ["show", "wait", "result", "list", "delete", "sign"];
  await Promise.all(commands.map(async (command) => {
    const { code, stdout, stderr } = await ended(server.run([command, "--help"]));
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, new RegExp(`\nExamples:\n {2}deepint-task ${command} `));
    for (const option of ["--json", "--quiet"]) assertStringIncludes(stdout, option);
    assert(stdout.split("\n").every((line) => line.length <= 100), stdout);
  }));
  assertEquals((await ended(server.run(["--version"]))).stdout, `${config.version}\n`);
  const help = await ended(server.run([]));
  assertEquals([help.code, help.stdout], [2, ""]);
  assertMatch(help.stderr, /Exit codes: 0 .*130\s+interrupted/s);
});

Deno.test("no command writes control characters of a task", async () => {
  const { status: _, ...hostile } = HOSTILE;
  await using server = platformWith(
    { id: "t-1", ...HOSTILE },
    { id: "t-2", ...hostile, status: "success" },
    { id: "t-3", ...hostile, status: "\x1b]0;title\x07" },
  );
  const [failed, made, odd] = ["t-1", "t-2", "t-3"].map((id) => `${PLACE}/${id}`);
  const commands = [
    ["wait", failed, made, odd],
    ["wait", failed, made, odd, "--json"],
    ["show", failed],
    ["show", odd],
    ["show", made, "--json"],
    ["result", made],
    ["result", failed],
    ["list", PLACE],
    ["list", PLACE, "--json"],
  ];
  await Promise.all(commands.map(async (command) => {
    const { stdout, stderr } = await ended(server.run(command.map(String)));
    assert((stdout + stderr).length > 20);
    assertMatch(stdout + stderr, /^[\P{C}\n]*$/u, command.join(" "));
    assert(!/[\u2028\u2029]/.test(stdout + stderr), command.join(" "));
    if (command.includes("--json")) {
      assertEquals(documents(stdout).every(({ info }) => info.name === HOSTILE.name), true);
    }
  }));
});

Deno.test("a command ends without an error when its reader closes the pipe", async () => {
  await using server = platformWith(
    ...Array.from({ length: 600 }, () => ({ name: "x".repeat(200) })),
  );
  const words = [Deno.execPath(), ...RUN, "list", PLACE, "--json"].map((word) => `'${word}'`);
  const script = `set -o pipefail; ${words.join(" ")} | head -n 1`;
  const { code, stdout, stderr } = await ended(start("bash", ["-c", script], server.settings));
  assertEquals([code, documents(stdout).length, stderr], [0, 1, ""]);
});

Deno.test("an installed command works in any folder", async () => {
  await using server = platformWith({ id: "t-1", ...RESULT });
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/package.json`, '{ "type": "module" }');
    const permissions = [
      "--allow-net",
      "--allow-read",
      `--allow-env=${config.permissions.cli.env}`,
    ];
    const documented = await Deno.readTextFile(new URL("../../src/cli.ts", import.meta.url));
    assertStringIncludes(documented.replace(/\\\n \* /g, ""), permissions.join(" "));
    const install = ["install", "--global", ...permissions, "--name=deepint-task", "src/cli.ts"];
    const settings = { ...server.settings, DENO_INSTALL_ROOT: folder };
    const installed = start(Deno.execPath(), install, settings);
    assertEquals((await installed.status).code, 0, installed.output.stderr);
    const deno = Deno.execPath().replace(/[^/]*$/, "");
    const script = `PATH="${deno}:$PATH"; cd '${folder}' && bin/deepint-task result ${PLACE}/t-1`;
    const { code, stdout, stderr } = await ended(start("bash", ["-c", script], settings));
    assertEquals(code, 0, stderr);
    assertMatch(stdout, /^source s-1 {2}http/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("importing the command line has no effect", async () => {
  const program = 'console.log(Object.keys(await import("./src/cli.ts")))';
  const { code, stdout, stderr } = await ended(start(Deno.execPath(), ["eval", program], {}));
  assertEquals([code, stdout, stderr], [0, "[]\n", ""]);
});

Deno.test("a duration has units and is positive", () => {
  const read = (text: string) => {
    try {
      return parseDuration(text);
    } catch {
      return "refused";
    }
  };
  const texts = ["250ms", "3s", "10m", "1.5h", "2d", "1h30m"];
  assertEquals(texts.map(read), [250, 3_000, 600_000, 5_400_000, 172_800_000, 5_400_000]);
  for (const text of ["", "10", "m", "-3s", "1.h", "0s", "3 s", "1e3s", "10M", "1w", "3s,"]) {
    assertEquals(read(text), "refused", text);
  }
  assertEquals(read(`${"9".repeat(400)}d`), "refused");
  const shown = [-1, 999, 59_999, 185_000, 7_620_000, 97_200_000].map(formatDuration);
  assertEquals(shown, ["0 s", "0 s", "59 s", "3 min 05 s", "2 h 07 min", "1 d 03 h"]);
});
