// Tokens that no header can carry, and credentials that print without their token.
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { Credentials, DeepintCredentialsError } from "../../mod.ts";
import { allRenderings, assertNoSecrets, taskWith } from "../helpers/client.ts";
import { found, on, tokenOf } from "../helpers/credentials.ts";

const CANARY = "CANARY_0123456789_TOKEN";

/** Checks that no print of a value contains the token. */
const assertSilent = (value: unknown) => assertNoSecrets(value, "CANARY");

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
    assertSilent(assertThrows(() => new Credentials({ token }), DeepintCredentialsError));
    const build = () => Credentials.build({ token });
    assertSilent(await assertRejects(build, DeepintCredentialsError));
  }
  const token = `${CANARY}任务`;
  for (
    const machine of [{ env: { DEEPINT_TOKEN: token } }, { ini: `[DEFAULT]\ntoken = ${token}` }]
  ) {
    const build = () => assertRejects(() => Credentials.build(), DeepintCredentialsError);
    assertSilent(await on(machine, build));
  }
});

Deno.test("a token that is not text is refused without being echoed", () => {
  for (const token of [undefined, null, 5, {}, [CANARY], { token: CANARY }, new String(CANARY)]) {
    const make = () => new Credentials({ token: token as unknown as string });
    assertSilent(assertThrows(make, DeepintCredentialsError));
  }
});

Deno.test("a token may contain every printable ASCII character", async () => {
  const token = String.fromCharCode(...Array(94).keys().map((i) => 0x21 + i));
  assertEquals(await tokenOf(new Credentials({ token })), token);
});

Deno.test("the token may come from a function, sync or async", async () => {
  for (const token of [() => CANARY, () => Promise.resolve(CANARY)]) {
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
      const { task, platform } = taskWith({ token });
      assertSilent(await assertRejects(() => task.load(), DeepintCredentialsError));
      assertEquals(platform.count(), 0);
    }
  }
});

Deno.test("a token function that fails rejects with CREDENTIALS_INVALID and is not repeated", async () => {
  const failing = [
    () => {
      throw new Error("the vault is sealed");
    },
    () => Promise.reject(new Error("the vault is sealed")),
    () => Promise.reject("the vault is sealed"),
    () => Promise.reject(undefined),
  ];
  for (const fail of failing) {
    let calls = 0;
    const { task, platform } = taskWith({ token: () => (calls++, fail()) });
    const error = await assertRejects(() => task.load(), DeepintCredentialsError);
    assertEquals([error.code, calls, platform.count()], ["CREDENTIALS_INVALID", 1, 0]);
  }
});

Deno.test("the error of a token function is dropped if it contains the previous token", async () => {
  // as when a refresh fails with "cannot exchange <old token>"
  let calls = 0;
  const token = () => {
    if (++calls === 1) return CANARY;
    throw new Error(`cannot exchange ${CANARY}`);
  };
  const { task } = taskWith({
    token,
    fetch: () => Promise.resolve(Response.json({ status: "running" })),
  });
  await task.load();
  assertSilent(await assertRejects(() => task.load(), DeepintCredentialsError));
  assertEquals(calls, 2);
});

Deno.test("credentials print, serialise and clone without the token", async () => {
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

Deno.test("a task prints and serialises without its token, also after a request", async () => {
  for (const token of [CANARY, () => CANARY]) {
    const { task } = taskWith({
      token,
      fetch: () => Promise.resolve(Response.json({ status: "running" })),
    });
    await task.load();
    for (const holder of [task, [task], { credentials: task.credentials }]) assertSilent(holder);
    assert(!JSON.stringify(task).includes("instance"), "toJSON() is for storing, without them");
  }
});
