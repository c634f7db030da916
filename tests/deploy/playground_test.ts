// The commands that `deno task playground` prints, whenever they are run.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createFakePlatform } from "../helpers/fake_platform.ts";
import { type Process, start } from "../helpers/process.ts";
import { addRestartingTasks } from "../tools/playground_tasks.ts";

/** Runs commands in a shell, which becomes the last one. */
function shell(script: string): Process {
  const deno = `"${Deno.execPath()}" `;
  const lines = script.split("\n");
  const last = lines.findLastIndex((line) => line.startsWith("deno "));
  const commands = lines.map((line, i) =>
    line.replace(/^deno /, i === last ? `exec ${deno}` : deno)
  ).join("\n");
  return start("bash", ["-euo", "pipefail", "-c", commands], {});
}

/** Returns the printed commands by the words before them. */
function printedCommands(output: string): Map<string, string> {
  const sections = output.split(/^# /m).slice(1).map((section): [string, string] => {
    const end = section.indexOf("\n");
    return [section.slice(0, end).replace(/,.*/, ""), section.slice(end + 1).trim()];
  });
  return new Map(sections);
}

Deno.test("the commands that the playground prints work as printed", async () => {
  await using playground = start(Deno.execPath(), ["task", "playground"], {});
  await playground.waitForOutput(/fetchResult\(\)\);\n/);
  const { stdout } = playground.output;
  const lines = stdout.split("\n").filter((line) => !line.startsWith("http"));
  assert(lines.every((line) => line.length <= 80), stdout);
  const commands = printedCommands(stdout);
  const command = (name: string) => commands.get(name) ?? "";

  const requested = shell(command("the endpoint"));
  await requested.status;
  assertMatch(requested.output.stdout, /^HTTP\/1.1 202 [^]*"status":"(pending|running)"/);

  const shown = await fetch(command("the status page"));
  assertEquals(shown.status, 200);
  assertMatch(await shown.text(), /<h1[^>]*>train price model</);

  await using waiting = shell(command("the command line"));
  await waiting.waitForOutput(/t-3 import orders: running, \d0%, copying/);

  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/scratch.ts`, command("scratch.ts"));
    await using client = shell(`cd '${folder}'\n${command("the client")}`);
    await client.waitForOutput(/running \d0\n/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  // `wait` ends and the commands after it run
  assertEquals((await waiting.status).code, 0, waiting.output.stderr);
  assertMatch(
    waiting.output.stdout,
    /^t-3 {2}source orders .*\nt-4 {2}model stock-model .*\nTASK /,
  );
  assertStringIncludes(waiting.output.stdout, "QUOTA: The quota is used up");
  await using again = shell(command("the command line").replace(/\ndeno task cli list[^]*/, ""));
  await again.waitForOutput(/t-3 import orders: running, 10%, copying/);
});

Deno.test("a task of the playground runs whenever it is requested, and ends", async () => {
  let time = 0;
  const platform = createFakePlatform({ token: "token", now: () => time });
  const [task] = addRestartingTasks(
    platform,
    [{
      id: "t-1",
      running: [{ status: "running", ms: 20_000 }],
      end: { status: "success" },
    }],
    () => time,
  );
  assert(task);
  const headers = { "x-auth-token": "token", "x-deepint-organization": task.organization };
  const ask = async (method = "GET") =>
    (await (await platform.fetch(task.url, { method, headers })).json()).status;
  /** Polls every 3 s until the end. Returns the time that it took. */
  const waitForEnd = async () => {
    const startedAt = time;
    while (await ask() === "running") time += 3_000;
    return time - startedAt;
  };
  for (const pause of [0, 1_000, 9_000, 15_000, 3_600_000]) {
    time += pause;
    assertEquals(await ask(), "running", `${pause} ms after the last request`);
    const waited = await waitForEnd();
    assert(waited <= 30_000, `${waited} ms`);
  }
  time += 1_000;
  assertEquals(await ask(), "running"); // restarts, and nobody sees its end
  time += 60_000;
  assertEquals(await ask(), "running");
  assertEquals(await ask("DELETE"), undefined);
  assertEquals([await ask(), await ask()], ["failed", "running"]);
});
