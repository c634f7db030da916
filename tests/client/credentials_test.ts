import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  Credentials,
  DeepintBaseError,
  DeepintCredentialsError,
  Task,
  TaskInfo,
} from "../../mod.ts";
import { allRenderings, assertNoSecrets as assertNone } from "../helpers/client.ts";
import { environment } from "../helpers/environment.ts";
import { start } from "../helpers/process.ts";

const CANARY = "CANARY_0123456789_TOKEN";

/** Environment and files that a test of `Credentials.build` finds. */
interface Machine {
  env?: Record<string, string>;
  /** The text of `~/.deepint.ini`. */
  ini?: string;
}

/** Runs `work` on a machine of its own: a temporary home, and only the given variables. */
async function on<T>(machine: Machine, work: (home: string) => Promise<T>): Promise<T> {
  await using home = await homeWith(machine);
  using _set = environment({ HOME: home.path, ...machine.env });
  return await work(home.path);
}

/** A temporary home, with a settings file where there is one. */
async function homeWith({ ini }: Machine): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir();
  if (ini !== undefined) await Deno.writeTextFile(`${path}/.deepint.ini`, ini);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** The token that a request of these credentials carries; the only way to see it. */
async function tokenOf(credentials: Credentials): Promise<string | null> {
  let token: string | null = null;
  await taskOf(credentials, (_, { headers }) => {
    token = new Headers(headers).get("x-auth-token");
    return Promise.resolve(Response.json({ status: "running" }));
  }).load({ retries: 0 });
  return token;
}

function taskOf(
  credentials: Credentials,
  fetch: (url: string, init: RequestInit) => Promise<Response>,
): Task {
  return new Task({
    organizationId: "org-1",
    workspaceId: "ws-1",
    credentials,
    info: TaskInfo.fromDict({ id: "task-1" }),
    fetch,
  });
}

/** Token and instance of what `Credentials.build` finds on a machine. */
function found(machine: Machine, options?: Parameters<typeof Credentials.build>[0]) {
  return on(machine, async () => {
    const credentials = await Credentials.build(options);
    return [await tokenOf(credentials), credentials.instance];
  });
}

/** Checks that a machine has no token. */
async function assertNotFound(machine: Machine): Promise<void> {
  const error = await on(
    machine,
    () => assertRejects(() => Credentials.build(), DeepintCredentialsError),
  );
  assertEquals(error.code, "CREDENTIALS_NOT_FOUND");
}

/** Checks that the token is in no print of a value. */
const assertSilent = (value: unknown) => assertNone(value, "CANARY");

const INI = "[DEFAULT]\ntoken = file-token\ninstance = file.example\n";
const ENV = { DEEPINT_TOKEN: "env-token", DEEPINT_INSTANCE: "env.example" };

Deno.test("Credentials.build() takes the parameter before the environment and the file", async () => {
  const options = { token: "parameter-token", instance: "parameter.example" };
  assertEquals(await found({ env: ENV, ini: INI }, options), [
    "parameter-token",
    "parameter.example",
  ]);
});

Deno.test("Credentials.build() takes the environment before the file", async () => {
  assertEquals(await found({ env: ENV, ini: INI }), ["env-token", "env.example"]);
});

Deno.test("Credentials.build() takes the file without a parameter and an environment", async () => {
  assertEquals(await found({ ini: INI }), ["file-token", "file.example"]);
});

Deno.test("Credentials.build() finds token and instance each in the first place that has it", async () => {
  const { DEEPINT_TOKEN, DEEPINT_INSTANCE } = ENV;
  assertEquals(await found({ env: { DEEPINT_TOKEN }, ini: INI }), ["env-token", "file.example"]);
  assertEquals(await found({ env: { DEEPINT_INSTANCE }, ini: INI }), ["file-token", "env.example"]);
  assertEquals(await found({ env: ENV, ini: INI }, { token: "parameter-token" }), [
    "parameter-token",
    "env.example",
  ]);
  assertEquals(await found({ ini: INI }, { instance: "parameter.example" }), [
    "file-token",
    "parameter.example",
  ]);
});

Deno.test("Credentials.build() falls back to the instance app.deepint.net", async () => {
  const instance = "app.deepint.net";
  assertEquals(await found({}, { token: "parameter-token" }), ["parameter-token", instance]);
  assertEquals(await found({ env: { DEEPINT_TOKEN: "env-token" } }), ["env-token", instance]);
  assertEquals(await found({ ini: "[DEFAULT]\ntoken=file-token" }), ["file-token", instance]);
});

Deno.test("Credentials.build() names all three places in CREDENTIALS_NOT_FOUND", async () => {
  const error = await on({}, () => assertRejects(() => Credentials.build()));
  assertInstanceOf(error, DeepintCredentialsError);
  assertEquals(error.code, "CREDENTIALS_NOT_FOUND");
  for (const place of ["parameter", "DEEPINT_TOKEN", ".deepint.ini"]) {
    assertStringIncludes(error.message, place);
  }
});

Deno.test("Credentials.build() rejects when only the instance is set", async () => {
  await assertNotFound({
    env: { DEEPINT_INSTANCE: "env.example" },
    ini: "[DEFAULT]\ninstance = file.example",
  });
});

Deno.test("Credentials.build() finds no file when the home directory is missing or unset", async () => {
  await assertNotFound({ env: { HOME: "/no/such/home" } });
  await on({ ini: INI }, async () => {
    Deno.env.delete("HOME");
    const error = await assertRejects(() => Credentials.build(), DeepintCredentialsError);
    assertEquals(error.code, "CREDENTIALS_NOT_FOUND");
  });
});

Deno.test("Credentials.build() ignores a settings file that is a folder", async () => {
  await on({}, async (home) => {
    await Deno.mkdir(`${home}/.deepint.ini`);
    const error = await assertRejects(() => Credentials.build(), DeepintCredentialsError);
    assertEquals(error.code, "CREDENTIALS_NOT_FOUND");
  });
});

Deno.test("Task.build() uses Credentials.build() by default", async () => {
  const requests = await on({ env: { DEEPINT_TOKEN: "env-token" }, ini: INI }, async () => {
    const requests: unknown[] = [];
    await Task.build({
      organizationId: "org-1",
      workspaceId: "ws-1",
      taskId: "task-1",
      fetch: (url, { headers }) => {
        requests.push([url, new Headers(headers).get("x-auth-token")]);
        return Promise.resolve(Response.json({ status: "running" }));
      },
    });
    return requests;
  });
  assertEquals(requests, [
    ["https://file.example/api/v1/workspace/ws-1/task/task-1", "env-token"],
  ]);
});

Deno.test("Task.build() makes no request when no credentials are found", async () => {
  await on({}, async () => {
    let requests = 0;
    const fetch = () => {
      requests++;
      return Promise.resolve(Response.json({ status: "running" }));
    };
    const ids = { organizationId: "org-1", workspaceId: "ws-1", taskId: "task-1" };
    const error = await assertRejects(() => Task.build({ ...ids, fetch }), DeepintCredentialsError);
    assertEquals([error.code, requests], ["CREDENTIALS_NOT_FOUND", 0]);
  });
});

Deno.test("the ini file may have comments, blank lines, spaces, colons and CRLF", async () => {
  const files = [
    "[DEFAULT]\ntoken=file-token\ninstance=file.example",
    "[DEFAULT]\ntoken: file-token\ninstance: file.example\n",
    "[DEFAULT]\r\ntoken = file-token\r\ninstance = file.example\r\n",
    "\n\n  [DEFAULT]  \n\n\ttoken\t=\tfile-token\t\n   instance   :   file.example   \n\n",
    "# token = wrong\n; token = wrong\n[DEFAULT]\n#token = wrong\n;token = wrong\n" +
    "token = file-token\n  # instance = wrong.example\ninstance = file.example\n",
    "[DEFAULT]\ninstance = file.example\nother = 1\ntoken = file-token\n",
    "[DEFAULT]\ntokens = wrong\nmy_token = wrong\ntoken = file-token\ninstance = file.example",
    "\ufeff[DEFAULT]\ntoken = file-token\ninstance = file.example\n",
    "not a line of an ini file\n[DEFAULT]\nnor this\ntoken = file-token\ninstance = file.example",
  ];
  for (const ini of files) {
    assertEquals(await found({ ini }), ["file-token", "file.example"], JSON.stringify(ini));
  }
});

Deno.test("values in the ini file may contain =, :, # and ;", async () => {
  const ini = "[DEFAULT]\ntoken = eyJ0.a=b:c==#d;e\ninstance: http://127.0.0.1:8000\n";
  assertEquals(await found({ ini }), ["eyJ0.a=b:c==#d;e", "http://127.0.0.1:8000"]);
});

Deno.test("only the section [DEFAULT] of the ini file counts", async () => {
  const files = [
    "token = wrong",
    "[default]\ntoken = wrong",
    "[OTHER]\ntoken = wrong",
    "[DEFAULT]\n[OTHER]\ntoken = wrong",
    "[DEFAULT2]\ntoken = wrong",
    "[DEFAULT]\ntoken =\n",
    "[DEFAULT]\ntoken\n",
    "[DEFAULT]\n# token = wrong\n",
    "",
  ];
  for (const ini of files) await assertNotFound({ ini });
  const ini =
    "token = wrong\n[A]\ntoken = wrong\n[DEFAULT]\ntoken = file-token\n[B]\ntoken = wrong";
  assertEquals(await found({ ini }), ["file-token", "app.deepint.net"]);
});

/** Returns the output of `Credentials.build` in a child with these permissions; never a prompt. */
async function childSays(
  permissions: string[],
  machine: Machine,
  { withMessage = false } = {},
): Promise<string> {
  const script = `
    import { Credentials } from ${JSON.stringify(import.meta.resolve("../../mod.ts"))};
    try {
      const { instance } = await Credentials.build();
      console.log("found", instance);
    } catch (error) {
      console.log(error.name, error.code);
      if (${withMessage}) console.log(error.message, error.cause?.name);
    }`;
  await using home = await homeWith(machine);
  const args = ["run", "--no-prompt", "--no-config", "--no-lock", "--quiet", ...permissions, "-"];
  await using child = start(Deno.execPath(), args, { HOME: home.path, ...machine.env }, script);
  await child.status;
  return child.output.stdout.trim() || child.output.stderr;
}

const NOT_FOUND = "DeepintCredentialsError CREDENTIALS_NOT_FOUND";

Deno.test("without any permission, Credentials.build() counts every place as absent", async () => {
  assertEquals(await childSays([], { env: ENV, ini: INI }), NOT_FOUND);
});

Deno.test("a missing permission for DEEPINT_TOKEN is not reported as a missing token", async () => {
  const says = (permissions: string[], machine: Machine) =>
    childSays(permissions, machine, { withMessage: true });
  for (const permissions of [[], ["--allow-read"], ["--allow-env=DEEPINT_INSTANCE,HOME"]]) {
    const output = await says(permissions, { env: ENV });
    assertMatch(output, /Cannot read the environment variable DEEPINT_TOKEN/);
    assertMatch(output, /--allow-env=DEEPINT_TOKEN,DEEPINT_INSTANCE, .* NotCapable$/);
    assertMatch(output, /parameter token, .* \[DEFAULT\] in ~\/\.deepint\.ini/);
  }
  assertMatch(await says(["--allow-env"], {}), /Cannot find a token: .* undefined$/);
});

Deno.test("a denied environment counts as absent, also for the file's home", async () => {
  assertEquals(await childSays(["--allow-read"], { env: ENV, ini: INI }), NOT_FOUND);
});

Deno.test("a denied file counts as absent", async () => {
  assertEquals(await childSays(["--allow-env"], { ini: INI }), NOT_FOUND);
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
  assertEquals(await childSays(["--allow-env=DEEPINT_INSTANCE"], { env: ENV }), NOT_FOUND);
});

const BAD_TOKENS = [
  `${CANARY}\n`,
  `${CANARY}\r\nx-other: 1`,
  `\u0000${CANARY}`,
  `${CANARY}\u007f`,
  `${CANARY}\u001b[31m`,
  `${CANARY}\u2028`,
  `${CANARY}任务`,
  `${CANARY}😀`,
  `${CANARY}\ud800`,
];

Deno.test("a token that no header can carry is refused without being echoed", async () => {
  for (const token of BAD_TOKENS) {
    const made = assertThrows(() => new Credentials({ token }), DeepintCredentialsError);
    const built = await assertRejects(() => Credentials.build({ token }), DeepintCredentialsError);
    for (const error of [made, built]) {
      assertSilent(error);
    }
  }
});

Deno.test("a token of the environment or the file is refused without being echoed", async () => {
  const env = { DEEPINT_TOKEN: `${CANARY}任务` };
  const ini = `[DEFAULT]\ntoken = ${CANARY}任务`;
  for (const machine of [{ env }, { ini }]) {
    const error = await on(
      machine,
      () => assertRejects(() => Credentials.build(), DeepintCredentialsError),
    );
    assertSilent(error);
  }
});

Deno.test("a token that is not text is refused without being echoed", () => {
  for (const token of [undefined, null, 5, {}, [CANARY], { token: CANARY }, new String(CANARY)]) {
    const make = () => new Credentials({ token: token as unknown as string });
    const error = assertThrows(make, DeepintCredentialsError);
    assertSilent(error);
  }
});

Deno.test("a token may contain every printable ASCII character", async () => {
  const token = String.fromCharCode(...Array(94).keys().map((i) => 0x21 + i));
  assertEquals(await tokenOf(new Credentials({ token })), token);
});

Deno.test("the token may come from a function, sync or async", async () => {
  for (const token of [() => CANARY, () => Promise.resolve(CANARY)]) {
    assertEquals(await tokenOf(new Credentials({ token })), CANARY);
    assertEquals(await found({}, { token }), [CANARY, "app.deepint.net"]);
  }
});

Deno.test("the token function is called for each request, and only for requests", async () => {
  let calls = 0;
  const token = () => `token-${++calls}`;
  const credentials = await Credentials.build({ token, instance: "app.deepint.net" });
  allRenderings(credentials);
  assertEquals(calls, 0);
  assertEquals(await tokenOf(credentials), "token-1");
  assertEquals(await tokenOf(credentials), "token-2");
});

Deno.test("an unusable token from a function makes no request and is not echoed", async () => {
  const nonsense = [...BAD_TOKENS, undefined, null, 5, {}, [CANARY], { token: CANARY }];
  for (const value of nonsense) {
    for (const token of [() => value as string, () => Promise.resolve(value as string)]) {
      let requests = 0;
      const task = taskOf(new Credentials({ token }), () => {
        requests++;
        return Promise.resolve(Response.json({ status: "running" }));
      });
      const error = await assertRejects(() => task.load({ retries: 0 }), DeepintCredentialsError);
      assertEquals(requests, 0);
      assertSilent(error);
    }
  }
});

Deno.test("a failing token function rejects with CREDENTIALS_INVALID, without a request", async () => {
  const failing = [
    () => {
      throw new Error("the vault is sealed");
    },
    () => Promise.reject(new Error("the vault is sealed")),
    () => Promise.reject("the vault is sealed"),
    () => Promise.reject(undefined),
  ];
  for (const token of failing) {
    let requests = 0;
    const task = taskOf(new Credentials({ token }), () => {
      requests++;
      return Promise.resolve(Response.json({ status: "running" }));
    });
    const error = await assertRejects(() => task.load(), DeepintBaseError);
    assertInstanceOf(error, DeepintCredentialsError);
    assertEquals(requests, 0);
  }
});

Deno.test("the error of a token function is dropped if it contains the previous token", async () => {
  // as when a refresh fails with "cannot exchange <old token>"
  let calls = 0;
  const token = () => {
    if (++calls === 1) return CANARY;
    throw new Error(`cannot exchange ${CANARY}`);
  };
  const task = taskOf(
    new Credentials({ token }),
    () => Promise.resolve(Response.json({ status: "running" })),
  );
  await task.load();
  const error = await assertRejects(() => task.load({ retries: 0 }), DeepintCredentialsError);
  assertEquals(calls, 2);
  assertSilent(error);
});

Deno.test("credentials print and serialise without the token", async () => {
  const tokens = [CANARY, () => CANARY, () => Promise.resolve(CANARY)];
  const all = tokens.map((token) => new Credentials({ token, instance: "file.example" }));
  for (const credentials of [...all, await Credentials.build({ token: CANARY })]) {
    assertSilent(credentials);
    assertEquals(JSON.parse(JSON.stringify(credentials)), { instance: credentials.instance });
    assertEquals<unknown>(structuredClone(credentials), { instance: credentials.instance });
    assertEquals(Object.keys(credentials), ["instance"]);
    assertStringIncludes(Deno.inspect(credentials), credentials.instance);
  }
});

Deno.test("an object with credentials prints and serialises without the token", () => {
  for (const token of [CANARY, () => CANARY]) {
    const task = taskOf(
      new Credentials({ token }),
      () => Promise.resolve(Response.json({ status: "running" })),
    );
    for (const holder of [task, [task], { credentials: task.credentials }]) {
      assertSilent(holder);
    }
    assert(!JSON.stringify(task).includes("instance"), "toJSON() is for storing, without them");
  }
});

Deno.test("the instance of credentials cannot be changed", () => {
  const options = { token: CANARY, instance: "file.example" };
  const credentials = new Credentials(options);
  options.instance = "evil.example";
  assertEquals(credentials.instance, "file.example");
});
