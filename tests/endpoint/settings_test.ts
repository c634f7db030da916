// Valid and invalid values of each setting.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { readConfig, SETTING_NAMES } from "../../functions/config.ts";
import { ENOUGH, KEY, refused, SECRET, secretOf } from "../helpers/settings.ts";

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
  RESOLVE_KV_PATH: [
    "watches.kv",
    "/var/lib/a b/watches.kv",
    "C:\\watches.kv",
    "https://kv.example.com",
    "https://kv.example.com:8443/databases/1",
    "http://127.0.0.1:4512",
  ],
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
  RESOLVE_KV_PATH: [
    ":memory:",
    "a,/etc/b.kv",
    "http://kv.example.com",
    "https://user:secret@kv.example.com",
    "https://kv.example.com/a,b",
    "HTTPS://kv.example.com",
    "https:kv.example.com",
  ],
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
