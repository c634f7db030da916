// The runner behind `deno task test`; its arguments are those of `deno test`.
// deno-lint-ignore-file no-console
import { tmpdir } from "node:os";
import { deno } from "../helpers/run_deno.ts";
import { type StdAssert, stdAssert } from "./std_assert.ts";

/** Number of passed and failed tests, and the exit code. */
export interface Tally {
  passed: number;
  failed: number;
  code: number;
}

/** Permissions of the tests. The only network is loopback. */
const PERMISSIONS = [
  "--no-prompt",
  "--allow-env",
  "--allow-read",
  "--allow-run",
  "--allow-sys",
  "--allow-net=127.0.0.1,localhost,[::1]",
  `--allow-write=dist,${tmpdir()}`,
];

/** Summary of `deno test`: `ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)`. */
const SUMMARY = /^(?:ok|FAILED) \| (\d+) passed[^|]*\| (\d+) failed/gm;

/** `deno test` skips the tests of a file that exits while loading, and may still succeed. */
const EXITED = /called `Deno\.exit\(-?\d+\)` from outside any test/;

/** Runs the tests with type checks and with sanitizers, which are off by default. */
export async function runTests(args: string[], { args: common }: StdAssert): Promise<Tally> {
  // the tests must not see a developer's real token
  for (const name of Object.keys(Deno.env.toObject())) {
    if (/^(DEEPINT|RESOLVE)_/.test(name)) Deno.env.delete(name);
  }
  const sanitizers = ["--sanitize-ops", "--sanitize-resources"];
  // many tests wait for a process: running files in parallel takes about half the time
  const fixed = ["--parallel", ...common, ...PERMISSIONS, ...sanitizers];
  const { code, output } = await deno(["test", ...fixed, ...args]);
  const [, passed, failed] = [...output.matchAll(SUMMARY)].at(-1) ?? [];
  const fine = code === 0 && !EXITED.test(output);
  return {
    passed: Number(passed ?? 0),
    // a type error or a crash is missing from the summary
    failed: Math.max(Number(failed ?? 0), fine ? 0 : 1),
    code: fine ? 0 : code || 1,
  };
}

/** Formats the last line of a command that counts tests. */
export function closingLine({ passed, failed }: Pick<Tally, "passed" | "failed">): string {
  return `${passed} passed, ${failed} failed`;
}

if (import.meta.main) {
  const assert = await stdAssert();
  console.log(`@std/assert is ${assert.source}`);
  const args = Deno.args.map((arg) => arg === "--coverage" ? "--coverage=dist/coverage" : arg);
  const tally = await runTests(args, assert);
  console.log(closingLine(tally));
  Deno.exit(tally.code);
}
