/**
 * Tests of behaviour that can differ between runtimes. They use web standards only and no test framework:
 * the stub of a runtime calls `runSuite` and returns its results.
 *
 * @module
 */
import {
  same,
  stateOf,
  suite,
  type Test,
  test,
  type TestContext,
  type TestResult,
} from "./harness.ts";
import "./suite_requests.ts";
import "./suite_client.ts";
import "./suite_endpoint.ts";

// The last test checks all requests before it.

test("no token has reached the other server", async (context) => {
  same((await stateOf(context)).tokens, 0, "requests with a token");
});

/** Time limit of a test in ms. */
const DEADLINE = 8_000;

/** Runs the tests in order, without those that need an endpoint if there is none. */
export async function runSuite(context: TestContext): Promise<TestResult[]> {
  const results: TestResult[] = [];
  for (const { name, run } of testsFor(context.endpoint !== undefined)) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${DEADLINE} ms`)), DEADLINE);
    });
    try {
      await Promise.race([run(context), late]);
      results.push({ name });
    } catch (error) {
      results.push({ name, error: error instanceof Error ? error.stack ?? "" : String(error) });
    } finally {
      clearTimeout(timer);
    }
  }
  return results;
}

/** Returns the tests of a runtime in order. */
export function testsFor(endpoint: boolean): Test[] {
  return suite.filter(({ needs }) => needs === undefined || endpoint);
}
