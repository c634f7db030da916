// The gate behind `deno task ok`: every check that a change must pass. Names of steps as arguments
// run only those.
// deno-lint-ignore-file no-console
import { AUDIT, UNREACHED } from "./audit.ts";
import { deno, root } from "../helpers/run_deno.ts";
import { readProse, reportProse } from "./prose.ts";
import { closingLine, runTests } from "./test_runner.ts";
import { stdAssert } from "./std_assert.ts";
import config from "../../deno.json" with { type: "json" };

const COVERAGE = "dist/coverage";
const DOCUMENTED = ["mod.ts", "src", "functions/app.ts"];
const CHECKED = ["mod.ts", "src", "functions", "tests"];

/** Steps that run only by name. */
const ON_REQUEST = ["prose"];

const assert = await stdAssert();
const tests = { passed: 0, failed: 0 };
const inCi = !["", "0", "false"].includes(Deno.env.get("CI") ?? "");

const steps: Record<string, () => Promise<boolean>> = {
  fmt: () => succeeds(["fmt", "--check"]),
  lint: () => succeeds(["lint"]),
  check: () => succeeds(["check", ...assert.args, ...CHECKED]),
  doc: () => succeeds(["doc", "--lint", "--frozen", ...Object.values(config.exports)]),
  // the examples in the docs are run: what a user copies must work
  examples: () => succeeds(["test", "--doc", ...assert.args, "--no-prompt", ...DOCUMENTED]),
  async test() {
    const coverage = [`--coverage=${COVERAGE}`, "--clean", "--coverage-raw-data-only"];
    const tally = await runTests(coverage, assert);
    Object.assign(tests, { passed: tally.passed, failed: tally.failed });
    return tally.failed === 0;
  },
  async coverage() {
    // The thresholds are in deno.json; `deno coverage` fails below them.
    const include = `--include=^${RegExp.escape(root.href)}(src|functions)/`;
    const met = await succeeds(["coverage", COVERAGE, include]);
    await noteUnloaded(include);
    return met;
  },
  sizes: () => succeeds(["task", "sizes"]),
  prose: async () => reportProse(await readProse(root)),
  async audit() {
    const { code, output } = await deno(AUDIT);
    if (UNREACHED.test(output)) console.log("the registry does not tell: nothing was audited");
    return code === 0;
  },
  async publish() {
    const args = ["publish", "--dry-run", "--frozen"];
    // A fresh clone must be clean after the tests; a working copy need not be.
    const { code, output } = await deno(inCi ? args : [...args, "--allow-dirty"]);
    return code === 0 && !/^\s*warning\b/im.test(output);
  },
};

async function succeeds(args: string[]): Promise<boolean> {
  return (await deno(args)).code === 0;
}

/** A module that no test loads is in no report, so its absence must be said. */
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
const wanted = Deno.args.length > 0
  ? Deno.args
  : Object.keys(steps).filter((name) => !ON_REQUEST.includes(name));
const report: string[] = [];
let failedSteps = 0;
for (const name of wanted) {
  console.log(`\n== ${name}`);
  const start = performance.now();
  const passed = await steps[name]?.() ?? false;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (!passed && name !== "test") failedSteps++;
  report.push(`${name.padEnd(10)}${passed ? "ok    " : "FAILED"}${`${seconds} s`.padStart(10)}`);
  console.log(`== ${report.at(-1)}`);
}

console.log(`\n${report.join("\n")}\n`);
const total = { passed: tests.passed, failed: tests.failed + failedSteps };
console.log(closingLine(total));
Deno.exit(total.failed === 0 ? 0 : 1);
