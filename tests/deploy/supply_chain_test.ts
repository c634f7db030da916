// What runs with which permissions, and that nothing runs but what deno.lock pins.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { SETTING_NAMES } from "../../functions/app.ts";
import config from "../../deno.json" with { type: "json" };
import { AUDIT, UNREACHED } from "../tools/audit.ts";
import { root } from "../helpers/run_deno.ts";
import { listen } from "../helpers/listen.ts";
import { start } from "../helpers/process.ts";

const TASKS: [name: string, command: string][] = Object.entries(config.tasks);

/** The permissions of a command: what each is limited to, or nothing when it is not. */
function permissionsOf(command: string): Map<string, string[] | undefined> {
  const flags = command.split(" ").filter((word) => /^(-[A-Z]|--allow-)/.test(word));
  return new Map(flags.map((flag) => {
    const [name = "", limits] = flag.split("=");
    return [name, limits?.split(",")];
  }));
}

/** The permissions without limits that a task has, each for a reason. */
const UNLIMITED: Record<string, string[]> = {
  start: ["--allow-net"], // who listens, and the platform, are settings
  cli: ["--allow-net", "--allow-read"], // the platform, and the file of a body, are arguments
  demo: ["--allow-run"], // one server is a process, to be killed
  playground: [],
  // they start Deno and other programs, which find their way by the environment, and read the project
  test: ["--allow-read", "--allow-run", "--allow-env"],
  ok: ["--allow-read", "--allow-run", "--allow-env"],
  page: ["--allow-all"], // Playwright looks at all of the machine that it starts a browser on
  runtimes: ["--allow-read", "--allow-run", "--allow-env"],
  soak: ["--allow-read", "--allow-run", "--allow-env"],
  docs: [],
  // esbuild is a program too, and hands the whole environment to it
  build: ["--allow-read", "--allow-run", "--allow-env"],
  sizes: ["--allow-read", "--allow-run", "--allow-env"],
  openapi: [],
  faults: [],
  simulate: ["--allow-read"],
  bench: ["--allow-read", "--allow-run", "--allow-env"],
};

for (const [name, command] of TASKS) {
  Deno.test(`deno task ${name} has the permissions that it needs, and no other`, () => {
    const permissions = permissionsOf(command);
    const unlimited = [...permissions].filter(([, limits]) => !limits).map(([name]) => name);
    assertEquals(unlimited, UNLIMITED[name] ?? []);
    for (const host of permissions.get("--allow-net") ?? []) {
      assertMatch(host, /^(127\.0\.0\.1|localhost|\[::1\])$/, "loopback");
    }
    for (const path of permissions.get("--allow-write") ?? []) {
      assertMatch(
        path,
        /^(dist|functions\/openapi\.json|\.github\/(FAULTS\.md|polls\.svg))$/,
        "made by it",
      );
    }
  });
}

Deno.test("deno task start may read the settings, and use the file that one of them names", () => {
  const file = `$(deno eval -p "Deno.env.get('RESOLVE_KV_PATH')||'dist/watches.kv'")`;
  const files = ` "--allow-read=${file}" "--allow-write=${file}" `;
  assertEquals(config.tasks.start.split(files).length, 2);
  const permissions = permissionsOf(config.tasks.start.replace(files, " "));
  assertEquals([...permissions.keys()], ["--allow-net", "--allow-env"]);
  assertEquals(permissions.get("--allow-env"), [...SETTING_NAMES]);
});

/** A file of the project. */
const read = (path: string) => Deno.readTextFile(new URL(path, root));

interface Lock {
  specifiers: Record<string, string>;
  npm: Record<string, { integrity: string }>;
}

Deno.test("every package is pinned by deno.lock, with its hash", async () => {
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

Deno.test("CI runs .ci/run, which checks with the committed lock before anything may change it", async () => {
  const workflow = await read(".github/workflows/ci.yml");
  assertMatch(workflow, /^permissions:\n {2}contents: read\n\n/m);
  assertMatch(workflow, /^ +- run: \.ci\/run$/m);
  const commands = (await read(".ci/run")).match(/^task .*$/gm) ?? [];
  assertEquals(commands[0], "task --frozen ok check");
});

/** What the audit of the gate says with this registry. */
async function audit(registry: string): Promise<{ code: number; said: string }> {
  await using child = start(Deno.execPath(), AUDIT, { NPM_CONFIG_REGISTRY: registry });
  const { code } = await child.status;
  return { code, said: child.output.stdout + child.output.stderr };
}

Deno.test("the audit fails on a finding, passes without one, and says when nobody answers", async () => {
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
