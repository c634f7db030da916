// `Credentials.build()` in a process that lacks Deno's permissions.
import { assertEquals, assertMatch } from "@std/assert";
import { ENV, homeWith, INI, type Machine } from "../helpers/credentials.ts";
import { start } from "../helpers/process.ts";

/** Returns the output of `Credentials.build()` in a child with these permissions; never a prompt. */
async function childSays(permissions: string[], machine: Machine): Promise<string> {
  const script = `
    import { Credentials } from ${JSON.stringify(import.meta.resolve("../../mod.ts"))};
    try {
      const { instance } = await Credentials.build();
      console.log("found", instance);
    } catch (error) {
      console.log(error.name, error.code, error.message, error.cause?.name);
    }`;
  await using home = await homeWith(machine);
  const args = ["run", "--no-prompt", "--no-config", "--no-lock", "--quiet", ...permissions, "-"];
  await using child = start(Deno.execPath(), args, { HOME: home.path, ...machine.env }, script);
  await child.status;
  return child.output.stdout.trim() || child.output.stderr;
}

Deno.test("a missing permission for DEEPINT_TOKEN is not reported as a missing token", async () => {
  for (const permissions of [[], ["--allow-read"], ["--allow-env=DEEPINT_INSTANCE,HOME"]]) {
    const output = await childSays(permissions, { env: ENV, ini: INI });
    assertMatch(output, /^DeepintCredentialsError CREDENTIALS_NOT_FOUND /);
    assertMatch(output, /Cannot read the environment variable DEEPINT_TOKEN/);
    assertMatch(output, /--allow-env=DEEPINT_TOKEN,DEEPINT_INSTANCE, .* NotCapable$/);
    assertMatch(output, /parameter token, .* \[DEFAULT\] in ~\/\.deepint\.ini/);
  }
});

Deno.test("a file without read permission counts as absent", async () => {
  const output = await childSays(["--allow-env"], { ini: INI });
  assertMatch(output, /CREDENTIALS_NOT_FOUND Cannot find a token: .* undefined$/);
  assertEquals(
    await childSays(["--allow-env", "--allow-read"], { ini: INI }),
    "found file.example",
  );
});

Deno.test("permission for one variable is enough for it", async () => {
  const token = ["--allow-env=DEEPINT_TOKEN"];
  assertEquals(await childSays(token, { env: ENV, ini: INI }), "found app.deepint.net");
  const both = ["--allow-env=DEEPINT_TOKEN,DEEPINT_INSTANCE"];
  assertEquals(await childSays(both, { env: ENV, ini: INI }), "found env.example");
});
