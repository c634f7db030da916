import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  ConfigError,
  type Environment,
  readConfig,
  SETTING_NAMES,
} from "../../functions/config.ts";
import { checkProperty } from "../helpers/property.ts";

const KEY = "a-key-of-sixteen";
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ENOUGH = { DEEPINT_TOKEN: "a token", RESOLVE_API_KEYS: KEY };

/** A secret in the setting's form, of so many bytes. */
const secretOf = (bytes: number) => "whsec_" + btoa("\x07".repeat(bytes));

function refused(env: Environment, options?: { allowUnauthenticated?: boolean }): ConfigError {
  const error = assertThrows(() => readConfig({ ...ENOUGH, ...env }, options), ConfigError);
  assert(error.message.startsWith(`${error.variable}: `), error.message);
  assert(!/[\r\n]/.test(error.message), "one line");
  return error;
}

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

const GOOD: Record<string, string[]> = {
  DEEPINT_TOKEN: ["t", "a.b-c/d+e=", "two words", "!~"],
  DEEPINT_INSTANCE: [
    "app.deepint.net",
    "example.com:8443",
    "https://example.com",
    "http://[::1]:9",
  ],
  RESOLVE_API_KEYS: [KEY, `${KEY},${KEY}`, "!#$%&'()*+-./:;<=>?@[]^_`{|}~"],
  RESOLVE_WEBHOOK_SECRETS: [24, 25, 26, 63, 64].map(secretOf),
  RESOLVE_TIMEOUT_MS: ["100", "8000", "60000"],
  RESOLVE_PENDING: ["accepted", "retry"],
  RESOLVE_BASE_PATH: ["/", "/a", "/a/", "/a.b/~c/...", "/.well-known"],
  RESOLVE_PUBLIC_URL: ["https://a.example", "https://a.example:8443/a/b/", "http://[::1]:8000/a"],
  RESOLVE_CORS_ORIGINS: ["https://a.example", "http://127.0.0.1:8000"],
  RESOLVE_LINK_SECRETS: [24, 64].map(secretOf),
  RESOLVE_LINK_TTL_S: ["60", "86400", "2592000"],
  RESOLVE_ALLOW_UNAUTHENTICATED: ["0"],
  RESOLVE_DATABASE_URL: [
    "postgres://user:a%2Fpassword@db.example:5432/name?sslmode=require",
    "postgresql:///name?host=/run/postgresql",
  ],
  RESOLVE_KV_PATH: ["watches.kv", "/var/lib/a b/watches.kv", "C:\\watches.kv"],
  RESOLVE_SWEEP_MS: ["1000", "300000"],
  RESOLVE_MAX_WATCHES: ["1", "1000000"],
  HOST: ["", "::", "::1", "0.0.0.0", "localhost", "host-1.example"],
  PORT: ["0", "1", "65535"],
};

for (const [name, values] of Object.entries(GOOD)) {
  Deno.test(`readConfig() accepts a valid ${name}`, () => {
    for (const value of values) readConfig({ ...ENOUGH, [name]: value });
  });
}

const ids = ["a b", "ä", "a/b", "a.b", "x".repeat(129), "..", "a\n"];
const lists = [",", "a,", ",a", "a,,b", " "];
const integers = [
  "abc",
  "1e3",
  "0x1f40",
  "8000.5",
  "8000.0",
  " 8000",
  "08000",
  "+8000",
  "Infinity",
];

const badSecrets = [
  secretOf(23),
  secretOf(65),
  SECRET.slice(6), // no prefix
  SECRET.toUpperCase(),
  SECRET + "=",
  SECRET.slice(0, 20) + " " + SECRET.slice(20),
  secretOf(25).slice(0, -3) + "x==", // unused bits that are not zero
  `${SECRET},whsec_`,
  `${SECRET},`,
];

const BAD: Record<string, string[]> = {
  DEEPINT_TOKEN: ["", " ", " t", "t ", "t\n", "a\tb", "a\rb", "tökén", "a\0b", "\u2028"],
  DEEPINT_INSTANCE: [
    " ",
    "http://example.com",
    "http://127.0.0.1.example.com",
    "ftp://example.com",
    "https://example.com/api",
    "example.com?x",
    "https://user:pass@example.com",
    "example.com:99999",
    "a b",
  ],
  DEEPINT_ORGANIZATION: [...ids, "a,b"],
  RESOLVE_API_KEYS: [
    "a-key-of-fifteen".slice(1),
    `${KEY},short`,
    `${KEY} with space`,
    `${KEY}ü`,
    `${KEY}\x7f`,
    `${KEY},`,
    `,${KEY}`,
    " ",
  ],
  RESOLVE_WEBHOOK_SECRETS: badSecrets,
  RESOLVE_ALLOWED_ORGANIZATIONS: [...ids.slice(0, -1), ...lists],
  RESOLVE_ALLOWED_WORKSPACES: [...ids.slice(0, -1), ...lists],
  RESOLVE_TIMEOUT_MS: [...integers, "99", "60001", "0", "-100"],
  RESOLVE_PENDING: ["Retry", " retry", "202", "accepted,retry"],
  RESOLVE_BASE_PATH: [
    "a",
    "//",
    "/a//b",
    "/a//",
    "/.",
    "/a/..",
    "/a/../b",
    "/a?b",
    "/ä",
    "/a%2f",
    " /a",
  ],
  RESOLVE_PUBLIC_URL: [
    "/prod",
    "//a.example",
    "a.example/prod",
    "http://a.example",
    "ftp://a.example",
    "https://",
    "https://a.example?x",
    "https://a.example/#x",
    "https://user:pass@a.example",
    " https://a.example",
    "https://a.example/a b",
    "https://a.example:99999",
  ],
  RESOLVE_CORS_ORIGINS: [
    ...lists,
    "*",
    "null",
    "https://a.example/",
    "https://a.example:443",
    "https://A.example",
    "https://*.example",
    "https://u:p@a.example",
    "a.example",
    "file:///x",
    "ws://a.example",
    "https://a.example,*",
  ],
  RESOLVE_LINK_SECRETS: badSecrets,
  RESOLVE_LINK_TTL_S: [...integers, "59", "2592001", "0", "-60"],
  RESOLVE_ALLOW_UNAUTHENTICATED: ["true", "yes", "2", " 1", "1"],
  RESOLVE_CALLBACK_HOSTS: [
    `hooks.example=${SECRET}`, // where nothing keeps watches
    ...lists,
    "hooks.example",
    SECRET,
    `=${SECRET}`,
    `hooks.example=${secretOf(23)}`,
    `hooks.example=${SECRET},`,
  ],
  RESOLVE_DATABASE_URL: [
    "db.example",
    "mysql://db.example/name",
    "postgres:name",
    "postgres://a b/c",
  ],
  RESOLVE_KV_PATH: [":memory:", "https://kv.example", "http://127.0.0.1:4512", "a,/etc/b.kv"],
  RESOLVE_SWEEP_MS: [...integers, "999", "300001", "0"],
  RESOLVE_MAX_WATCHES: [...integers, "0", "1000001"],
  HOST: ["http://0.0.0.0", "[::1]", "a b", "/tmp/socket", "a,b"],
  PORT: [...integers, "65536", "-1"],
};

for (const [name, values] of Object.entries(BAD)) {
  Deno.test(`readConfig() refuses an invalid ${name} and names it`, () => {
    for (const value of values) {
      assertEquals(refused({ [name]: value }).variable, name, JSON.stringify(value));
    }
  });

  Deno.test(`readConfig() refuses a ${name} that is not text`, () => {
    for (const value of [8000, true, null, {}, ["a"], () => "a"]) {
      assertEquals(refused({ [name]: value }).message, `${name}: must be text`);
    }
  });
}

Deno.test("readConfig() reports the first problem in the order of SETTING_NAMES", () => {
  const env: Record<string, unknown> = {};
  for (const name of SETTING_NAMES) env[name] = BAD[name]?.at(-1);
  for (const name of SETTING_NAMES) {
    assertEquals(refused(env).variable, name);
    env[name] = ENOUGH[name as keyof typeof ENOUGH] ?? "";
  }
  readConfig(env);
});

Deno.test("readConfig() names the mistake and quotes values that are not secret", () => {
  const messages: [string, string, string][] = [
    ["DEEPINT_TOKEN", "", "DEEPINT_TOKEN: must be set"],
    ["RESOLVE_API_KEYS", "short", "RESOLVE_API_KEYS: each key must have at least 16 characters"],
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

for (const name of SETTING_NAMES) {
  Deno.test(`readConfig() refuses a ${name} in quotes and names --env-file`, () => {
    for (const quote of ['"', "'"]) {
      const value = GOOD[name]?.find((it) => it !== "") ?? "canary-value";
      const error = refused({ [name]: quote + value + quote });
      assertEquals(error.variable, name);
      assertMatch(error.message, /in quotes.*--env-file/);
      assert(!error.message.includes(value) || value.length < 3, error.message);
    }
  });
}

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
