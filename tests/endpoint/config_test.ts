// Settings together, and what a refusal says.
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfigError, readConfig, SETTING_NAMES } from "../../functions/config.ts";
import { checkProperty } from "../helpers/property.ts";
import { ENOUGH, KEY, refused, SECRET, secretOf } from "../helpers/settings.ts";

Deno.test("readConfig() requires a token and a key; other settings have defaults", () => {
  const config = {
    token: "a token",
    instance: "app.deepint.net",
    apiKeys: [KEY],
    webhookSecrets: [],
    allowedOrganizations: [],
    allowedWorkspaces: [],
    timeout: 8000,
    basePath: "",
    corsOrigins: [],
    allowUnauthenticated: false,
    port: 8000,
  };
  assertEquals(readConfig(ENOUGH), config);
  const empty = Object.fromEntries(SETTING_NAMES.map((name) => [name, ""]));
  assertEquals(readConfig({ ...empty, ...ENOUGH }), config, "an empty variable is an unset one");
});

Deno.test("readConfig() reads every setting and trims white space around commas", () => {
  assertEquals(
    readConfig({
      DEEPINT_TOKEN: "t",
      DEEPINT_INSTANCE: "http://127.0.0.1:8123",
      DEEPINT_ORGANIZATION: "00000181d3c6b79d-ebbd4d36-3f01b009-dddd65d2",
      RESOLVE_API_KEYS: ` ${KEY} ,\tanother-key-of-more\n`,
      RESOLVE_WEBHOOK_SECRETS: `${SECRET} , ${secretOf(64)}`,
      RESOLVE_ALLOWED_ORGANIZATIONS: "o-1, o_2",
      RESOLVE_ALLOWED_WORKSPACES: "w".repeat(128),
      RESOLVE_TIMEOUT_MS: "100",
      RESOLVE_PENDING: "retry",
      RESOLVE_BASE_PATH: "/a/resolve-task/",
      RESOLVE_PUBLIC_URL: "https://API.example.com/prod/",
      RESOLVE_CORS_ORIGINS: "https://app.example.com, http://localhost:5173",
      RESOLVE_LINK_SECRETS: `${secretOf(32)}, ${SECRET}`,
      RESOLVE_LINK_TTL_S: "3600",
      RESOLVE_ALLOW_UNAUTHENTICATED: "0",
      PORT: "0",
      UNRELATED: {},
    }),
    {
      token: "t",
      instance: "http://127.0.0.1:8123",
      organization: "00000181d3c6b79d-ebbd4d36-3f01b009-dddd65d2",
      apiKeys: [KEY, "another-key-of-more"],
      webhookSecrets: [SECRET, secretOf(64)],
      allowedOrganizations: ["o-1", "o_2"],
      allowedWorkspaces: ["w".repeat(128)],
      timeout: 100,
      pending: "retry",
      basePath: "/a/resolve-task",
      publicUrl: "https://api.example.com/prod",
      corsOrigins: ["https://app.example.com", "http://localhost:5173"],
      linkSecrets: [secretOf(32), SECRET],
      linkTtl: 3_600_000,
      allowUnauthenticated: false,
      port: 0,
    },
  );
});

Deno.test("SETTING_NAMES lists the documented settings in order", () => {
  assertEquals(SETTING_NAMES, [
    "DEEPINT_TOKEN",
    "DEEPINT_INSTANCE",
    "DEEPINT_ORGANIZATION",
    "RESOLVE_API_KEYS",
    "RESOLVE_WEBHOOK_SECRETS",
    "RESOLVE_ALLOWED_ORGANIZATIONS",
    "RESOLVE_ALLOWED_WORKSPACES",
    "RESOLVE_TIMEOUT_MS",
    "RESOLVE_PENDING",
    "RESOLVE_BASE_PATH",
    "RESOLVE_PUBLIC_URL",
    "RESOLVE_CORS_ORIGINS",
    "RESOLVE_LINK_SECRETS",
    "RESOLVE_LINK_TTL_S",
    "RESOLVE_ALLOW_UNAUTHENTICATED",
    "RESOLVE_CALLBACK_HOSTS",
    "RESOLVE_DATABASE_URL",
    "RESOLVE_KV_PATH",
    "RESOLVE_SWEEP_MS",
    "RESOLVE_MAX_WATCHES",
    "HOST",
    "PORT",
  ]);
});

Deno.test("readConfig() names the mistake and quotes values that are not secret", () => {
  const messages: [string, string, string][] = [
    ["DEEPINT_TOKEN", "", "DEEPINT_TOKEN: must be set"],
    ["RESOLVE_API_KEYS", "short", "RESOLVE_API_KEYS: each key must have at least 16 characters"],
    ["RESOLVE_API_KEYS", `${KEY},`, "RESOLVE_API_KEYS: must not have an empty entry"],
    ["RESOLVE_LINK_SECRETS", ",", "RESOLVE_LINK_SECRETS: must not have an empty entry"],
    ["PORT", "abc", 'PORT: must be a whole number from 0 to 65535, not "abc"'],
    [
      "RESOLVE_ALLOWED_WORKSPACES",
      "a,b c",
      'RESOLVE_ALLOWED_WORKSPACES: must be an id: 1 to 128 characters of A-Z a-z 0-9 _ -, not "b c"',
    ],
    ["RESOLVE_PENDING", 'a"\n\x1b[1mé', 'not "a"  [1mé"'],
    ["RESOLVE_CORS_ORIGINS", "*", "RESOLVE_CORS_ORIGINS: * is refused; list each origin"],
    ["DEEPINT_INSTANCE", "http://example.com", '(http for loopback only), not "http://exa'],
    ["RESOLVE_ALLOW_UNAUTHENTICATED", "1", "only functions/main.ts and deno task start accept it"],
  ];
  for (const [name, value, message] of messages) {
    assertStringIncludes(refused({ [name]: value }).message, message);
  }
  const long = refused({ RESOLVE_BASE_PATH: "/" + "x ".repeat(5000) }).message;
  assertStringIncludes(long, `not "/${"x ".repeat(99)}x"`);
});

Deno.test("HOST without authentication must be loopback", () => {
  const env = { DEEPINT_TOKEN: "t", RESOLVE_ALLOW_UNAUTHENTICATED: "1" };
  const options = { allowUnauthenticated: true };
  for (const HOST of ["127.0.0.1", "::1", "localhost", "127.8.9.1"]) {
    assertEquals(readConfig({ ...env, HOST }, options).host, HOST);
  }
  for (const HOST of ["::", "0.0.0.0", "10.0.0.1", "example.com", "localhost.example"]) {
    const error = assertThrows(() => readConfig({ ...env, HOST }, options), ConfigError);
    assertEquals(error.variable, "HOST");
    assertEquals(readConfig({ ...ENOUGH, HOST }).host, HOST);
  }
});

Deno.test("the watches have one store", () => {
  const RESOLVE_DATABASE_URL = "postgres://user:c4nary@db.example/name";
  const error = refused({ RESOLVE_DATABASE_URL, RESOLVE_KV_PATH: "watches.kv" });
  assertEquals(
    error.message,
    "RESOLVE_DATABASE_URL: set either this or RESOLVE_KV_PATH, not both",
  );
  const env = { ...ENOUGH, RESOLVE_DATABASE_URL, RESOLVE_CALLBACK_HOSTS: `a.example=${SECRET}` };
  const { databaseUrl, sweepTimeout, kvPath } = readConfig(env, { parseCallbackHosts: () => [] });
  assertEquals([databaseUrl, sweepTimeout, kvPath], [RESOLVE_DATABASE_URL, 25_000, undefined]);
});

Deno.test("readConfig() refuses a configuration without keys and secrets", () => {
  const error = refused({ RESOLVE_API_KEYS: "" });
  assertEquals(error.variable, "RESOLVE_API_KEYS");
  assertStringIncludes(error.message, "RESOLVE_WEBHOOK_SECRETS");
  readConfig({ DEEPINT_TOKEN: "t", RESOLVE_WEBHOOK_SECRETS: SECRET });
});

Deno.test("RESOLVE_ALLOW_UNAUTHENTICATED=1 is accepted only by entries that allow it", () => {
  const env = { DEEPINT_TOKEN: "t", RESOLVE_ALLOW_UNAUTHENTICATED: "1" };
  assertEquals(readConfig(env, { allowUnauthenticated: true }).allowUnauthenticated, true);
  assertThrows(
    () => readConfig(env),
    ConfigError,
    "RESOLVE_ALLOW_UNAUTHENTICATED: only functions/main.ts and deno task start accept it",
  );
  assertThrows(
    () => readConfig(env, { allowUnauthenticated: false }),
    ConfigError,
    "RESOLVE_ALLOW_UNAUTHENTICATED: ",
  );
  refused({ RESOLVE_API_KEYS: "", RESOLVE_ALLOW_UNAUTHENTICATED: "0" }, {
    allowUnauthenticated: true,
  });
  refused({ RESOLVE_API_KEYS: "" }, { allowUnauthenticated: true });
});

Deno.test("a ConfigError has its name when printed", () => {
  const error = refused({ PORT: "abc" });
  assertEquals(error.name, "ConfigError");
  assertStringIncludes(String(error), "ConfigError: PORT: must be");
});

Deno.test("no ConfigError contains a secret, however it is malformed", async (t) => {
  const canary = "c4narySecret";
  const character = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
  const around = fc.string({ unit: character, maxLength: 40 });
  const secretive = fc.constantFrom(
    "DEEPINT_TOKEN",
    "RESOLVE_API_KEYS",
    "RESOLVE_WEBHOOK_SECRETS",
    "RESOLVE_LINK_SECRETS",
    "RESOLVE_DATABASE_URL",
  );
  const prefix = fc.constantFrom("", "whsec_", "Bearer ", `${KEY},`, `${SECRET},`);
  let seen = 0;
  await checkProperty(
    t,
    fc.property(secretive, prefix, around, around, (name, prefix, before, after) => {
      const env = { ...ENOUGH, [name]: prefix + before + canary + after, PORT: "abc" };
      const error = assertThrows(() => readConfig(env), ConfigError);
      const told = [
        error.message,
        error.stack,
        String(error),
        JSON.stringify(error),
        Deno.inspect(error, { depth: 20 }),
      ].join("\n");
      assert(!told.includes(canary), told);
      if (error.variable === name) seen++;
    }),
  );
  assert(seen > 2_000, `only ${seen} of the secrets were malformed`);
});

Deno.test("a credential in the wrong setting is not quoted", () => {
  for (
    const env of [
      { DEEPINT_INSTANCE: "https://user:c4nary@example.com" },
      { RESOLVE_CORS_ORIGINS: "https://user:c4nary@example.com" },
      { DEEPINT_ORGANIZATION: "whsec_c4nary+" },
    ]
  ) {
    assert(!Deno.inspect(refused(env)).includes("c4nary"));
  }
});
