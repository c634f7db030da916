// The command line in a pseudo-terminal of util-linux's `script`, read by a terminal emulator.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { HOSTILE, PLACE, platformWith, RESULT, RUN } from "../helpers/cli.ts";
import { openTerminal, type TerminalOptions } from "../helpers/terminal.ts";

/** The documented command. */
const TASK = ["task", "cli"];

/** Runs the command line in its own terminal. */
function open(
  { settings: connection }: ReturnType<typeof platformWith>,
  args: string[],
  { settings, command = RUN, ...size }: Omit<TerminalOptions, "command"> & {
    command?: readonly string[];
  } = {},
) {
  return openTerminal({
    ...size,
    command: [Deno.execPath(), ...command, ...args],
    settings: { ...connection, ...settings },
  });
}

Deno.test("a terminal shows a bar for each task and hides the cursor until the end", async () => {
  const running = { id: "t-1", name: "train 日本", status: "running" };
  const other = { id: "t-2", name: "export to warehouse", status: "pending", progress: null };
  await using server = platformWith({ ...running, progress: 20, subtask: "Reading" }, other);
  const tasks = [`${PLACE}/t-1`, `${PLACE}/t-2`];
  await using terminal = open(server, ["wait", ...tasks, "--interval=250ms"]);

  await terminal.saw(/20%.*Reading[^]*pending/);
  const before = await terminal.screen();
  assertMatch(before.lines[0] ?? "", /^train 日本 {11}█{4}░{16} {3}20% +\d+ s {2}Reading$/);
  assertMatch(before.lines[1] ?? "", /^export to warehouse {2}░{20} +\d+ s {2}pending$/);
  assertEquals([before.lines.length, before.hidden], [2, true]);

  server.platform.add({ ...running, progress: 85.7, subtask: "Fitting" });
  await terminal.saw(/85%[^]*pending/);
  const after = await terminal.screen();
  assertMatch(after.lines[0] ?? "", /^train 日本 {11}█{17}░{3} {3}85% +\d+ s {2}Fitting$/);
  assertEquals(after.lines.length, 2);

  server.platform.add({ ...running, ...RESULT });
  server.platform.add({
    ...other,
    status: "failed",
    error_code: "QUOTA",
    error_description: "Full",
  });
  assertEquals(await terminal.end(), 3);
  const { lines: [first, second, ...rest], hidden } = await terminal.screen();
  assertMatch(first ?? "", /^train 日本 {11}█{20} +\d+ s {2}source s-1$/);
  assertMatch(second ?? "", /^export to warehouse {2}░{20} +\d+ s {2}failed QUOTA: Full$/);
  assertMatch(rest.join("\n"), /^t-1 {2}source s-1 {2}http.*\nerror: TASK_QUOTA: .* Full$/);
  assertEquals(hidden, false);
});

Deno.test("the README shows the output on a terminal", async () => {
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const [, command = "", shown = ""] =
    /```console\n\$ deepint-task ([^\n]+)\n([^]*?)```/.exec(readme) ??
      [];
  const place = { organization: "o-1", workspace: "w-1" };
  const running = { id: "t-1", name: "train churn model", status: "running", progress: 20 };
  await using server = platformWith(
    { ...place, ...running, subtask: "reading source" },
    { ...place, id: "t-2", name: "import orders", ...RESULT, result: "s-2" },
  );
  await using terminal = open(server, command.split(" "));
  await terminal.saw(/20%[^]*source s-2/);
  const { lines } = await terminal.screen();
  // the elapsed time differs
  const still = (text: string) => text.replace(/ +\d+ s {2}/g, " … s  ");
  assertEquals(still(lines.join("\n")), still(shown.trimEnd()));
  assertEquals(await terminal.end("\x03"), 130);
});

Deno.test("bars fit a terminal that is narrow and has fewer lines than tasks", async () => {
  const ids = Array.from({ length: 8 }, (_, i) => `t-${i + 1}`);
  const running = { status: "running", progress: 5, subtask: "x".repeat(90) };
  const tasks = ids.map((id) => ({ id, ...running, name: `${id} 日本日本日本日本` }));
  await using server = platformWith(...tasks);
  const args = ["wait", ...ids.map((id) => `${PLACE}/${id}`), "--interval=250ms"];
  await using terminal = open(server, args, { cols: 40, rows: 6 });
  await terminal.saw(/t-4 [^\n]* 5%/);
  server.platform.add({ id: "t-1", ...RESULT });
  await terminal.saw(/t-5 [^\n]* 5%/); // a finished task makes room
  const { lines } = await terminal.screen();
  assertEquals(lines.length, 5);
  for (const [i, line] of lines.slice(0, 4).entries()) {
    assertMatch(line, /^t-\d 日本… {2}[█░]{8} +(5%)? +\d+ s/);
    assertEquals(line.slice(0, 3), `t-${i + 2}`);
  }
  assertEquals(lines[4], "… and 4 more");
  assertEquals(await terminal.end("\x03"), 130);
});

Deno.test("bars of a narrower terminal replace the bars of the wider one", async () => {
  const running = { status: "running", progress: 5, subtask: "日本語の長い説明".repeat(9) };
  const ids = ["t-1", "t-2", "t-3"];
  await using server = platformWith(...ids.map((id) => ({ id, ...running, name: `${id} 日本` })));
  const args = ["wait", ...ids.map((id) => `${PLACE}/${id}`)];
  await using terminal = open(server, args, { cols: 110 });
  /** Waits for a whole frame after the output so far. */
  const nextFrame = async () => {
    const { length } = terminal.output.stdout;
    while (!/t-3[^\n]* 5%[^\n]*\n/.test(terminal.output.stdout.slice(length))) {
      await terminal.grown();
    }
    const { lines } = await terminal.screen();
    assertEquals(lines.map((line) => line.slice(0, 3)), ids, lines.join("\n"));
  };
  await terminal.saw(/t-3 [^\n]* 5%[^\n]* 2 s /); // drawn by the timer alone
  for (const cols of [61, 30, 90]) {
    await terminal.resize(cols);
    await nextFrame();
    await nextFrame(); // the next one is a second later: no frame is on its way during a change
  }
  assertEquals(await terminal.end("\x03"), 130);
});

for (const stopping of [true, false]) {
  const what = stopping ? "stops every running task" : "names every running task";
  Deno.test(`one Ctrl-C under deno task ${what}`, async () => {
    const ids = ["t-1", "t-2", "t-3", "t-4"];
    await using server = platformWith();
    const args = ["wait", ...ids.map((id) => `${PLACE}/${id}`)];
    if (stopping) args.push("--delete-on-interrupt");
    for (let run = 0; run < 3; run++) {
      server.platform.reset();
      for (const id of ids) server.platform.add({ id, status: "running", progress: 5 });
      await using terminal = open(server, args, { command: TASK });
      await terminal.saw(/(5%[^]*){4}/);
      assertEquals(await terminal.end("\x03"), 130);
      const { output: { stdout } } = terminal;
      const message = stopping ? /t-\d was stopped: failed STOPPED/g : /t-\d is still running; /g;
      assertEquals(stdout.match(message)?.length, 4, stdout);
      const stopped = server.platform.count(({ method }) => method === "DELETE");
      assertEquals(stopped, stopping ? 4 : 0);
    }
  });
}

Deno.test("deno task cli prints its help on a terminal, in colour, without a prompt", async () => {
  await using server = platformWith();
  for (const args of [["help"], ["wait", "--help"]]) {
    await using terminal = open(server, args, { command: TASK });
    assertEquals(await terminal.end(), 0);
    assertMatch(terminal.output.stdout, /\nUsage: deepint-task /);
  }
});

Deno.test("Ctrl-C ends the bars, restores the cursor and names the running tasks", async () => {
  await using server = platformWith({ id: "t-1", status: "running", progress: 5, name: "Import" });
  await using terminal = open(server, ["wait", `${PLACE}/t-1`]);
  await terminal.saw(/5%/);
  assertEquals(await terminal.end("\x03"), 130);
  const { lines: [bar, ...rest], hidden } = await terminal.screen();
  assertMatch(bar ?? "", /^Import {2}█░{19} +5% +\d+ s/);
  // the terminal itself may echo the keys
  assertMatch(
    rest.join("\n"),
    /^(\^C)?t-1 is still running; to resume, run: .*\nerror: Interrupted$/,
  );
  assertEquals(hidden, false);
});

Deno.test("the texts of a task cannot control the terminal", async () => {
  await using server = platformWith({ id: "t-1", ...HOSTILE }, { id: "t-2" });
  for (const args of [["wait", `${PLACE}/t-1`], ["show", `${PLACE}/t-1`], ["list", PLACE]]) {
    await using terminal = open(server, args);
    await terminal.end();
    const { lines, effects } = await terminal.screen();
    assert(lines.some((line) => line.includes("]0;t  31m evil")), lines.join("\n"));
    assertEquals(effects, 0);
  }
});

Deno.test("NO_COLOR turns off colours, TERM=dumb every escape sequence", async () => {
  await using server = platformWith({ id: "t-1", ...RESULT });
  const wait = ["wait", `${PLACE}/t-1`];
  await using plain = open(server, wait, { settings: { NO_COLOR: "1" } });
  await plain.end();
  assertMatch(plain.output.stdout, /█{20}/);
  // deno-lint-ignore no-control-regex -- colours
  assert(!/\x1b\[[\d;]*m/.test(plain.output.stdout), plain.output.stdout);
  await using coloured = open(server, wait);
  await coloured.end();
  // deno-lint-ignore no-control-regex -- green
  assertMatch(coloured.output.stdout, /\x1b\[32m█{20}/);
  await using dumb = open(server, wait, { settings: { TERM: "dumb" } });
  await dumb.end();
  assertMatch(
    dumb.output.stdout,
    /t-1 task: success, source s-1, 0 s\r\nsource s-1 {2}http.*\r\n$/,
  );
});

for (
  const settings of [
    { CI: "true" },
    { TERM_PROGRAM: "iTerm.app", TERM_PROGRAM_VERSION: "3.5" },
    { TF_BUILD: "True", AGENT_NAME: "agent" },
    { FORCE_COLOR: "1", CLICOLOR_FORCE: "1" },
    { COLORTERM: "truecolor" },
  ]
) {
  const names = Object.keys(settings).join(" and ");
  Deno.test(`the command line needs no access to ${names} on a terminal`, async () => {
    await using server = platformWith({ id: "t-1", ...RESULT });
    for (
      const [args, code, shown] of [
        [["help", "wait"], 0, "Usage: deepint-task wait"],
        [["wait", "--help"], 0, "Usage: deepint-task wait"],
        [["nonsense"], 2, "error: unknown command 'nonsense'"],
        [["wait", `${PLACE}/t-1`], 0, "source s-1"],
        [["list", PLACE], 0, "TASK"],
      ] as const
    ) {
      await using terminal = open(server, [...args], { settings });
      assertEquals(await terminal.end(), code, terminal.output.stdout);
      assertStringIncludes(terminal.output.stdout, shown);
    }
  });
}

for (
  const [keys, name, expected, deleted] of [
    ["y\r", "yes", 0, 1],
    ["\r", "nothing", 1, 0],
    ["\x04", "the end of the input", 1, 0],
    ["\x03", "Ctrl-C", 130, 0],
  ] as const
) {
  Deno.test(`delete asks for confirmation on a terminal: ${name}`, async () => {
    await using server = platformWith({ id: "t-1", name: "Import", status: "running" });
    await using terminal = open(server, ["delete", `${PLACE}/t-1`]);
    await terminal.saw(/\[y\/N\] /);
    await terminal.type(keys);
    // the end of the input must not arrive before the interrupt
    if (expected === 130) await terminal.saw(/Interrupted/);
    assertEquals(await terminal.end(), expected);
    const { lines: [question] } = await terminal.screen();
    assertMatch(question ?? "", /^Stop the task t-1 "Import" \(running\)\? \[y\/N\] /);
    assertEquals(server.platform.count(({ method }) => method === "DELETE"), deleted);
  });
}
