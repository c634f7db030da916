// Runs the commands that `deno task playground` prints.
import { assertEquals, assertMatch } from "@std/assert";
import { type Process, start } from "../helpers/process.ts";

/** Runs a command in a shell. */
function shell(script: string): Process {
  const deno = `"${Deno.execPath()}"`;
  return start("bash", ["-euo", "pipefail", "-c", script.replace(/^deno /m, `exec ${deno} `)], {});
}

Deno.test("the commands that the playground prints work as printed", async () => {
  await using playground = start(Deno.execPath(), ["task", "playground"], {});
  await playground.waitForOutput(/fetchResult\(\)\);\n/);
  const [, curl = "", page = "", cli = "", client = ""] = playground.output.stdout.split(
    /^# .*\n/m,
  );

  const asked = shell(curl);
  await asked.status;
  assertMatch(asked.output.stdout, /^HTTP\/1.1 202 [^]*"status":"(pending|running)"/);

  const shown = await fetch(page.trim());
  assertEquals(shown.status, 200);
  assertMatch(await shown.text(), /<h1[^>]*>train churn model</);

  await using waiting = shell(cli);
  await waiting.waitForOutput(/t-2 import orders: running, \d0%, copying/);

  const file = await Deno.makeTempFile({ prefix: "scratch-", suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, client);
    const flags = ["--quiet", "--check", "--no-prompt", "--allow-import", "--allow-net=127.0.0.1"];
    await using scratch = start(Deno.execPath(), ["run", ...flags, file], {});
    await scratch.waitForOutput(/running \d0 copying/);
  } finally {
    await Deno.remove(file);
  }
});
