// Replaces `@std/assert` where JSR is not reachable, with `node:assert/strict`. It has the names that the
// tests use, with the same parameters; add a name here when a test needs it.
import node, { AssertionError } from "node:assert/strict";
import { inspect } from "node:util";

type Same = <T>(actual: T, expected: T, msg?: string) => void;
// `never[]` accepts every constructor.
type Class<T> = abstract new (...args: never[]) => T;
type Wanted<T> = [ErrorClass?: Class<T>, msgIncludes?: string, msg?: string];

/** Creates an assertion whose error has `msg` in front of Node's message. */
function assertion<A, E>(check: (actual: A, expected: E) => void) {
  return (actual: A, expected: E, msg?: string): void => {
    try {
      check(actual, expected);
    } catch (error) {
      if (!msg || !(error instanceof AssertionError)) throw error;
      throw new AssertionError({ message: `${msg}: ${error.message}` });
    }
  };
}

/** Creates an assertion of a condition for which Node has no function. */
function condition<A, E>(wish: string, holds: (actual: A, expected: E) => boolean) {
  return assertion((actual: A, expected: E) => {
    if (holds(actual, expected)) return;
    node.fail(`Expected ${inspect(actual)} ${wish} ${inspect(expected)}`);
  });
}

export const assertEquals: Same = assertion(node.deepStrictEqual);
export const assertNotEquals: Same = assertion(node.notDeepStrictEqual);
export const assertMatch = assertion(node.match);
export const assertGreater = condition<number, number>("to be >", (a, b) => a > b);
export const assertGreaterOrEqual = condition<number, number>("to be >=", (a, b) => a >= b);
export const assertLess = condition<number, number>("to be <", (a, b) => a < b);
export const assertLessOrEqual = condition<number, number>("to be <=", (a, b) => a <= b);
export const assertStringIncludes = condition<string, string>(
  "to include",
  (a, b) => a.includes(b),
);
export const assertArrayIncludes = condition<string[], string[]>(
  "to include",
  (a, b) => b.every((item) => a.includes(item)),
);
const isA = condition<unknown, Class<unknown>>("to be a", (a, b) => a instanceof b);
export const assertNotInstanceOf = condition<unknown, Class<unknown>>(
  "not to be a",
  (a, b) => !(a instanceof b),
);

export function fail(msg?: string): never {
  node.fail(msg);
}

export function assert(expr: unknown, msg = "Assertion failed"): asserts expr {
  node.ok(expr, msg);
}

export function assertStrictEquals<T>(a: unknown, b: T, msg?: string): asserts a is T {
  assertion(node.strictEqual)(a, b, msg);
}

export function assertInstanceOf<T>(a: unknown, type: Class<T>, msg?: string): asserts a is T {
  isA(a, type, msg);
}

export function assertAlmostEquals(actual: number, expected: number, tolerance: number): void {
  assertLessOrEqual(Math.abs(actual - expected), tolerance, `${actual} is not near ${expected}`);
}

function checkError<T>(error: unknown, [ErrorClass, msgIncludes = "", msg]: Wanted<T>): T {
  if (ErrorClass) {
    isA(error, ErrorClass, msg);
    assertStringIncludes(error instanceof Error ? error.message : "", msgIncludes, msg);
  }
  return error as T;
}

// `NoInfer`: the caller's context must not give the error a type that no class has checked.
export function assertThrows<T>(fn: () => unknown, ...wanted: Wanted<T>): NoInfer<T> {
  const errors: unknown[] = [];
  node.throws(fn, (error: unknown) => errors.push(error) > 0, wanted[2]);
  return checkError(errors[0], wanted);
}

export async function assertRejects<T>(
  fn: () => Promise<unknown>,
  ...wanted: Wanted<T>
): Promise<NoInfer<T>> {
  const errors: unknown[] = [];
  await node.rejects(fn, (error: unknown) => errors.push(error) > 0, wanted[2]);
  return checkError(errors[0], wanted);
}
