// The command line as a user installs it.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { ended, PLACE, platformWith, RESULT } from "../helpers/cli.ts";
import { start } from "../helpers/process.ts";

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
    assertStringIncludes(documented.replace(/\\\n \* /g, ""), `${permissions.join(" ")} `);
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
