// `Credentials.build()`: the places in which it looks, and their order. `token_test.ts` tests the token.
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Credentials, DeepintCredentialsError, Task } from "../../mod.ts";
import { ENV, found, INI, type Machine, on } from "../helpers/credentials.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";

/** Checks that `work` rejects because no place has a token. */
async function assertNotFound(work: () => Promise<unknown>): Promise<void> {
  const error = await assertRejects(work, DeepintCredentialsError);
  assertEquals(error.code, "CREDENTIALS_NOT_FOUND");
  for (const place of ["parameter", "DEEPINT_TOKEN", ".deepint.ini"]) {
    assertStringIncludes(error.message, place);
  }
}

Deno.test("Credentials.build() finds token and instance each in the first place that has it", async () => {
  const [token, instance] = ["parameter-token", "parameter.example"];
  const { DEEPINT_TOKEN, DEEPINT_INSTANCE } = ENV;
  const cases: [Machine, { token?: string; instance?: string }, string[]][] = [
    [{ env: ENV, ini: INI }, { token, instance }, [token, instance]],
    [{ env: ENV, ini: INI }, { token }, [token, "env.example"]],
    [{ ini: INI }, { instance }, ["file-token", instance]],
    [{ env: ENV, ini: INI }, {}, ["env-token", "env.example"]],
    [{ env: { DEEPINT_TOKEN }, ini: INI }, {}, ["env-token", "file.example"]],
    [{ env: { DEEPINT_INSTANCE }, ini: INI }, {}, ["file-token", "env.example"]],
    [{ ini: INI }, {}, ["file-token", "file.example"]],
    [{}, { token }, [token, "app.deepint.net"]],
    [{ env: { DEEPINT_TOKEN } }, {}, ["env-token", "app.deepint.net"]],
    [{ ini: "[DEFAULT]\ntoken=file-token" }, {}, ["file-token", "app.deepint.net"]],
  ];
  for (const [machine, options, expected] of cases) {
    assertEquals(await found(machine, options), expected);
  }
});

Deno.test("Credentials.build() names all three places in CREDENTIALS_NOT_FOUND", async () => {
  const instances = {
    env: { DEEPINT_INSTANCE: "env.example" },
    ini: "[DEFAULT]\ninstance = file.example",
  };
  for (const machine of [{}, instances, { env: { HOME: "/no/such/home" } }]) {
    await on(machine, () => assertNotFound(() => Credentials.build()));
  }
});

Deno.test("Credentials.build() reads no file without HOME, or if the file is a folder", async () => {
  await on({ ini: INI }, async () => {
    Deno.env.delete("HOME");
    await assertNotFound(() => Credentials.build());
  });
  await on({}, async (home) => {
    await Deno.mkdir(`${home}/.deepint.ini`);
    await assertNotFound(() => Credentials.build());
  });
});

Deno.test("Task.build() uses Credentials.build() by default, and makes no request if it rejects", async () => {
  const platform = createFakePlatform({ token: "env-token" });
  const { organization: organizationId, workspace: workspaceId, id } = platform.add({});
  const options = { organizationId, workspaceId, taskId: id, fetch: platform.fetch };
  await on({}, () => assertNotFound(() => Task.build(options)));
  assertEquals(platform.count(), 0);
  await on({ env: { DEEPINT_TOKEN: "env-token" }, ini: INI }, () => Task.build(options));
  assertEquals(platform.requests.map(({ url }) => new URL(url).host), ["file.example"]);
});

Deno.test("the instance of credentials cannot be changed", () => {
  const options = { token: "a-token", instance: "file.example" };
  const credentials = new Credentials(options);
  options.instance = "evil.example";
  assertEquals(credentials.instance, "file.example");
});
