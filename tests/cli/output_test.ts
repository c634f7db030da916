// Output that cannot control a terminal, and closed pipes.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { documents, ended, HOSTILE, PLACE, platformWith, RUN } from "../helpers/cli.ts";
import { start } from "../helpers/process.ts";

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
