// Completion in a real zsh and fish. tests/cli/ has bash.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { start } from "../helpers/process.ts";
import { COMPLETED, completeLines, installCompletion } from "../helpers/shells.ts";
import { findSystemCommand } from "../helpers/system_command.ts";

/** Finds a shell or says why its tests are ignored. */
async function hasShell(name: string): Promise<boolean> {
  try {
    return Boolean(await findSystemCommand(name));
  } catch (error) {
    // deno-lint-ignore no-console -- the reason
    console.log(`ignored: ${error instanceof Error ? error.message : error}`);
    return false;
  }
}

Deno.test({
  name: "zsh completes commands, options, values and files",
  ignore: !await hasShell("zsh"),
  async fn() {
    await using home = await installCompletion("zsh");
    await completeLines({
      command: ["zsh", "-f", "-i"],
      settings: home.settings,
      setUp: "fpath=(~ $fpath); autoload -Uz compinit; compinit -D -u; ",
    });
  },
});

/** Asks fish for the completions of a line. */
async function askFish(settings: Record<string, string>, line: string): Promise<string> {
  const asked = start("fish", ["-c", `complete -C 'deepint-task ${line}'`], settings);
  assertEquals((await asked.status).code, 0, asked.output.stderr);
  return asked.output.stdout.trimEnd();
}

Deno.test({
  name: "fish completes commands, options, values and files",
  ignore: !await hasShell("fish"),
  async fn() {
    await using home = await installCompletion("fish");
    for (const [typed, shown] of COMPLETED) {
      const [completion = ""] = (await askFish(home.settings, typed)).split(/[\t\n]/);
      const [word = ""] = /\S+$/.exec(shown) ?? [];
      if (typed === shown) assertEquals(completion, "", typed);
      else assertStringIncludes(completion, word);
    }
    assertMatch(await askFish(home.settings, ""), /^show\tShow a task \(one request\)\.$/m);
  },
});
