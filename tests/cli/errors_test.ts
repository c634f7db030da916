// Usage errors, failures and help.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { ended, PLACE, platformWith, RUN } from "../helpers/cli.ts";
import { type Process, start } from "../helpers/process.ts";

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
    [["completion", "tcsh"], /Allowed choices are bash, zsh, fish; see/],
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
    [5, /CREDENTIALS_NOT_FOUND: Cannot find a token: set .* DEEPINT_TOKEN, or set/, [], {
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

Deno.test("a missing permission for DEEPINT_TOKEN is not reported as a missing token", async () => {
  await using server = platformWith();
  const denied = RUN.map((arg) => arg.replace("--deny-env=", "--deny-env=DEEPINT_TOKEN,"));
  const process = start(Deno.execPath(), [...denied, "show", `${PLACE}/t-1`], server.settings);
  const remedy =
    /CREDENTIALS_NOT_FOUND: Cannot read .* DEEPINT_TOKEN: run Deno with --allow-env=[A-Z_,]+, or set/;
  await assertMistake(process, 5, remedy);
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
