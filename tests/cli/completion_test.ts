// Completion in a real bash. tests/slow/ has zsh and fish.
import { completeLines, installCompletion } from "../helpers/shells.ts";

Deno.test("bash completes commands, options, values and files", async () => {
  await using home = await installCompletion("bash");
  await completeLines({ command: ["bash", "--noprofile", "-i"], settings: home.settings });
});
