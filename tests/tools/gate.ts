// The gate behind `deno task ok`: every check that a change must pass, each a test. Arguments are the
// names of the steps to run.
// deno-lint-ignore-file no-console
import { AUDIT, UNREACHED } from "./audit.ts";
import { deno, root } from "../helpers/run_deno.ts";
import { readProse, reportProse } from "./prose.ts";
import { runTests } from "./test_runner.ts";
import { stdAssert } from "./std_assert.ts";
import config from "../../deno.json" with { type: "json" };

const COVERAGE = "dist/coverage";
/** Only `deno task slow` runs these: they need a PostgreSQL server. */
const NEEDS_DATABASE = "functions/watches/postgres_(client|store)\\.ts$";
const DOCUMENTED = ["mod.ts", "src", "functions/app.ts"];
const EXAMPLES = [
  "--no-prompt",
  "--allow-env=DEEPINT_TOKEN,DEEPINT_INSTANCE",
  "--preload=tests/helpers/example_platform.ts",
];
const CHECKED = ["mod.ts", "src", "functions", "tests"];

const assert = await stdAssert();
const inCi = !["", "0", "false"].includes(Deno.env.get("CI") ?? "");

const steps: Record<string, () => Promise<boolean>> = {
  fmt: () => succeeds(["fmt", "--check"]),
  lint: () => succeeds(["lint"]),
  check: () => succeeds(["check", ...assert.args, ...CHECKED]),
  doc: () => succeeds(["doc", "--lint", "--frozen", ...Object.values(config.exports)]),
  // runs the examples in docstrings, which read their token from the environment
  examples: () => succeeds(["test", "--doc", ...assert.args, ...EXAMPLES, ...DOCUMENTED]),
  async test() {
    const coverage = [`--coverage=${COVERAGE}`, "--clean", "--coverage-raw-data-only"];
    return (await runTests(coverage, assert)).failed === 0;
  },
  async coverage() {
    // `deno coverage` fails below the thresholds in deno.json
    const include = `--include=^${RegExp.escape(root.href)}(src|functions)/`;
    const met = await succeeds(["coverage", COVERAGE, include, `--exclude=${NEEDS_DATABASE}`]);
    await noteUnloaded(include);
    return met;
  },
  sizes: () => succeeds(["task", "sizes"]),
  prose: async () => reportProse(await readProse(root)),
  async audit() {
    const { code, output } = await deno(AUDIT);
    if (UNREACHED.test(output)) console.log("the registry did not respond: nothing was audited");
    return code === 0;
  },
  async publish() {
    const args = ["publish", "--dry-run", "--frozen"];
    // the tests must leave a fresh clone clean; a working copy may have changes
    const { code, output } = await deno(inCi ? args : [...args, "--allow-dirty"]);
    return code === 0 && !/^\s*warning\b/im.test(output);
  },
};

async function succeeds(args: string[]): Promise<boolean> {
  return (await deno(args)).code === 0;
}

/** Prints the modules that no test loads: the coverage report leaves them out. */
async function noteUnloaded(include: string): Promise<void> {
  const { output } = await deno(["coverage", COVERAGE, include, "--lcov"], { quiet: true });
  const unloaded: string[] = [];
  for (const folder of ["src/", "functions/"]) {
    for await (const file of modules(new URL(folder, root))) {
      const reported = output.includes(`SF:${decodeURIComponent(file.pathname)}\n`);
      if (!reported) unloaded.push(file.href.slice(root.href.length));
    }
  }
  for (const path of unloaded.sort()) console.log(`not loaded by any test: ${path}`);
}

async function* modules(folder: URL): AsyncGenerator<URL> {
  for await (const entry of Deno.readDir(folder)) {
    if (entry.isDirectory) yield* modules(new URL(`${entry.name}/`, folder));
    else if (entry.name.endsWith(".ts")) yield new URL(entry.name, folder);
  }
}

console.log(`@std/assert is ${assert.source}`);
const wanted = Deno.args.length > 0 ? Deno.args : Object.keys(steps);
for (const name of wanted) {
  Deno.test(name, async () => {
    const step = steps[name];
    if (!step) throw new RangeError(`step must be one of ${Object.keys(steps).join(", ")}`);
    if (!await step()) throw new Error(`${name} failed: see its output above`);
  });
}
