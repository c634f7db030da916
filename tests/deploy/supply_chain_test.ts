// What runs with which permissions, and that nothing runs but what deno.lock pins.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { SETTING_NAMES } from "../../functions/app.ts";
import config from "../../deno.json" with { type: "json" };
import { AUDIT, UNREACHED } from "../tools/audit.ts";
import { root } from "../helpers/run_deno.ts";
import { listen } from "../helpers/listen.ts";
import { start } from "../helpers/process.ts";

type Limits = string[] | undefined;
type PermissionSet = Record<string, boolean | string[]>;

const SETS: Record<string, PermissionSet> = config.permissions;

/** The limits of each permission of a command; `undefined` for a permission without limits. */
function permissionsOf(command: string): Map<string, Limits> {
  const permissions = new Map<string, Limits>();
  for (const [flag = "", value] of command.split(" ").map((word) => word.split("="))) {
    if (flag === "-P") {
      for (const [name, limits] of Object.entries(SETS[value ?? ""] ?? {})) {
        permissions.set(name, Array.isArray(limits) ? limits : undefined);
      }
    } else if (flag.startsWith("--allow-")) {
      permissions.set(flag.slice("--allow-".length), value?.split(","));
    }
  }
  return permissions;
}

/** The permissions without limits of each task, with the reason. */
const UNLIMITED: Record<string, string[]> = {
  start: ["net"], // the address to listen on and the platform are settings
  cli: ["net", "read"], // the platform and the file of a body are arguments
  demo: ["run"], // one server is a process, so that the demo can kill it
  // they start Deno and other programs, which need the environment, and read the project
  test: ["read", "run", "env"],
  ok: ["read", "run", "env"],
  page: ["all"], // Playwright inspects the machine on which it starts a browser
  runtimes: ["read", "run", "env"],
  slow: ["read", "run", "env"],
  soak: ["read", "run", "env"],
  // esbuild is a program too and gets the whole environment
  build: ["read", "run", "env"],
  sizes: ["read", "run", "env"],
  bench: ["read", "run", "env"],
};

for (const [name, { command }] of Object.entries(config.tasks)) {
  Deno.test(`deno task ${name} has only the permissions it needs`, () => {
    const permissions = permissionsOf(command);
    const unlimited = [...permissions].filter(([, limits]) => !limits).map(([name]) => name);
    assertEquals(unlimited, UNLIMITED[name] ?? []);
    for (const host of permissions.get("net") ?? []) {
      assertMatch(host, /^(127\.0\.0\.1|localhost|\[::1\])$/, "loopback");
    }
    if (name === "start") return; // writes the file of a setting, checked below
    for (const path of permissions.get("write") ?? []) {
      assertMatch(path, /^(dist|functions\/openapi\.json|\.github\/FAULTS\.md)$/, "generated");
    }
  });
}

Deno.test("every task has a description", () => {
  for (const [name, { description }] of Object.entries(config.tasks)) {
    assertMatch(description, /^[A-Z].{10,80}$/, name);
  }
});

Deno.test("deno task start may read the settings and use the file of RESOLVE_KV_PATH", () => {
  const files = ' "--allow-read=$KV" "--allow-write=$KV,$KV-wal,$KV-shm" functions/start.ts "$KV"';
  assertEquals(config.tasks.start.command.split(files).length, 2);
  // Deno reads the token of a KV service, npm postgres the variables of libpq
  const env = [...SETTING_NAMES, "DENO_KV_ACCESS_TOKEN", "PG*"];
  assertEquals(config.permissions.start, { net: true, env });
});

/** A file of the project. */
const read = (path: string) => Deno.readTextFile(new URL(path, root));

interface Lock {
  specifiers: Record<string, string>;
  npm: Record<string, { integrity: string }>;
}

Deno.test("deno.lock pins every package with its hash", async () => {
  const lock: Lock = JSON.parse(await read("deno.lock"));
  // @std/assert comes from a file where JSR is out of reach; see CONTRIBUTING.md
  const names = Object.keys(config.imports).filter((name) => name !== "@std/assert");
  const pinned = Object.entries(lock.specifiers);
  for (const name of names) {
    const [, version = "none"] = pinned.find(([key]) => key.startsWith(`npm:${name}@`)) ?? [];
    assertMatch(version, /^\d+\.\d+\.\d+/, name);
  }
  for (const [name, { integrity }] of Object.entries(lock.npm)) {
    assertMatch(integrity, /^sha512-/, name);
  }
});

Deno.test(".ci/run first checks the committed lock", async () => {
  const commands = (await read(".ci/run")).match(/^task .*$/gm) ?? [];
  assertEquals(commands[0], "task --frozen ok check");
});

/** Runs the audit of the gate with this registry. */
async function audit(registry: string): Promise<{ code: number; said: string }> {
  await using child = start(Deno.execPath(), AUDIT, { NPM_CONFIG_REGISTRY: registry });
  const { code } = await child.status;
  return { code, said: child.output.stdout + child.output.stderr };
}

Deno.test("the audit fails only on a finding and reports an unreachable registry", async () => {
  const advisory = { id: 1, url: "https://advisory.example/1", title: "a defect" };
  const finding = { ...advisory, severity: "high", vulnerable_versions: "*", cwe: [] };
  const asked: string[][] = [];
  let findings = {};
  await using server = listen(async (request) => {
    asked.push(Object.keys(await request.json()));
    return Response.json(findings);
  });
  const registry = server.origin;
  assertEquals((await audit(registry)).code, 0);
  findings = { hono: [finding] };
  const found = await audit(registry);
  assertEquals(found.code, 1);
  assertMatch(found.said, /a defect/);
  for (const names of asked) {
    assert(names.includes("hono") && names.includes("valibot"), `${names}`);
  }
  await server[Symbol.asyncDispose]();
  const unreached = await audit(registry);
  assertEquals(unreached.code, 0);
  assertMatch(unreached.said, UNREACHED);
});
