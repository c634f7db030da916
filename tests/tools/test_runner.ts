// The runner behind `deno task test`; its arguments are those of `deno test`.
// deno-lint-ignore-file no-console
import { tmpdir } from "node:os";
import { deno } from "../helpers/run_deno.ts";
import { type StdAssert, stdAssert } from "./std_assert.ts";

/** How many tests passed and failed, and the exit code that says so. */
export interface Tally {
  passed: number;
  failed: number;
  code: number;
}

/** The only network is loopback: a test that reaches further fails. */
const PERMISSIONS = [
  "--no-prompt",
  "--allow-env",
  "--allow-read",
  "--allow-run",
  "--allow-sys",
  "--allow-net=127.0.0.1,localhost,[::1]",
  `--allow-write=dist,${tmpdir()}`,
];

/** `ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)`, as `deno test` ends. */
const SUMMARY = /^(?:ok|FAILED) \| (\d+) passed[^|]*\| (\d+) failed/gm;

/** `deno test` goes on, and may succeed, without the tests of a file that exits while it loads. */
const EXITED = /called `Deno\.exit\(-?\d+\)` from outside any test/;

/** Runs the tests with the type check on and with Deno's sanitizers, which are off by default. */
export async function runTests(args: string[], { args: common }: StdAssert): Promise<Tally> {
  // Whoever runs the tests may have a real token at hand; it is none of theirs.
  for (const name of Object.keys(Deno.env.toObject())) {
    if (/^(DEEPINT|RESOLVE)_/.test(name)) Deno.env.delete(name);
  }
  const sanitizers = ["--sanitize-ops", "--sanitize-resources"];
  // many tests wait for a process, so that files side by side take little more than half the time
  const fixed = ["--parallel", ...common, ...PERMISSIONS, ...sanitizers];
  const { code, output } = await deno(["test", ...fixed, ...args]);
  const [, passed, failed] = [...output.matchAll(SUMMARY)].at(-1) ?? [];
  const fine = code === 0 && !EXITED.test(output);
  return {
    passed: Number(passed ?? 0),
    // A type error or a crash leaves no summary, or one that does not count it.
    failed: Math.max(Number(failed ?? 0), fine ? 0 : 1),
    code: fine ? 0 : code || 1,
  };
}

/** The last line of every command that counts. */
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
