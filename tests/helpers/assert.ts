// A stand-in for `@std/assert` where JSR is out of reach: the same names, signatures and verdicts.
import { AssertionError as NodeAssertionError } from "node:assert";
import { inspect } from "node:util";
import { enumerableKeys, equal, isObject } from "./equal.ts";

export { equal };

// `never[]` accepts every constructor, as the original's `any[]` does.
type Class<T> = abstract new (...args: never[]) => T;
type InstanceOf<C extends Class<unknown>> = C extends Class<infer T> ? T : never;
type Falsy = false | 0 | 0n | "" | null | undefined;
type ArrayLikeArg<T> = ArrayLike<T> & object;

export class AssertionError extends Error {
  override name = "AssertionError";
}

export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

export function assertFalse(expr: unknown, msg = ""): asserts expr is Falsy {
  if (expr) throw new AssertionError(msg);
}

export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  check(actual !== undefined && actual !== null, msg, () => `${show(actual)} to exist`);
}

export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  check(equal(actual, expected), msg, () => difference(actual, expected, "deepStrictEqual"));
}

export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  check(!equal(actual, expected), msg, () => `${show(actual)} to differ from itself`);
}

export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T {
  check(Object.is(actual, expected), msg, () => difference(actual, expected, "strictEqual"));
}

export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  check(!Object.is(actual, expected), msg, () => `another value than ${show(actual)}`);
}

export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  check(actual > expected, msg, () => `${show(actual)} > ${show(expected)}`);
}

export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  check(actual >= expected, msg, () => `${show(actual)} >= ${show(expected)}`);
}

export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  check(actual < expected, msg, () => `${show(actual)} < ${show(expected)}`);
}

export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  check(actual <= expected, msg, () => `${show(actual)} <= ${show(expected)}`);
}

export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance: number = Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7,
  msg?: string,
): void {
  const close = Object.is(actual, expected) || Math.abs(expected - actual) <= tolerance;
  check(close, msg, () => `${actual} to be within ${tolerance} of ${expected}`);
}

export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  check(expected.test(actual), msg, () => `${show(actual)} to match ${expected}`);
}

export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void {
  check(!expected.test(actual), msg, () => `${show(actual)} not to match ${expected}`);
}

export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  check(actual.includes(expected), msg, () => `${show(actual)} to include ${show(expected)}`);
}

export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void {
  const all = Array.from(actual);
  const missing = Array.from(expected).filter((item) => !all.some((other) => equal(item, other)));
  check(missing.length === 0, msg, () => `${show(actual)} to include ${show(missing)}`);
}

export function assertObjectMatch(
  // `object` accepts an interface, as the original's `Record<PropertyKey, any>` does.
  actual: object,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  check(contains(actual, expected), msg, () => `${show(actual)} to contain ${show(expected)}`);
}

export function assertInstanceOf<C extends Class<unknown>>(
  actual: unknown,
  expectedType: C,
  msg?: string,
): asserts actual is InstanceOf<C> {
  check(
    actual instanceof expectedType,
    msg,
    () => `${show(actual)} to be an instance of ${expectedType.name}`,
  );
}

export function assertNotInstanceOf<A, T>(
  actual: A,
  unexpectedType: Class<T>,
  msg?: string,
): asserts actual is Exclude<A, T> {
  check(
    !(actual instanceof unexpectedType),
    msg,
    () => `${show(actual)} not to be an instance of ${unexpectedType.name}`,
  );
}

export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: Class<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) return fail(`Expected an Error, not ${show(error)}${suffix(msg)}`);
  if (ErrorClass) assertInstanceOf(error, ErrorClass, msg);
  if (typeof msgMatches === "string") assertStringIncludes(error.message, msgMatches, msg);
  else if (msgMatches) assertMatch(error.message, msgMatches, msg);
}

export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: Class<Error> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  try {
    fn();
  } catch (error) {
    if (typeof classOrMsg === "function") assertIsError(error, classOrMsg, msgIncludes, msg);
    return error;
  }
  return missing("throw", classOrMsg, msg);
}

export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: Class<Error> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (cause) {
    throw new AssertionError("Expected the function to reject, but it threw", { cause });
  }
  try {
    await promise;
  } catch (error) {
    if (typeof classOrMsg === "function") assertIsError(error, classOrMsg, msgIncludes, msg);
    return error;
  }
  return missing("reject", classOrMsg, msg);
}

export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${suffix(msg)}`);
}

export function unimplemented(msg?: string): never {
  throw new AssertionError(`Unimplemented${suffix(msg)}`);
}

export function unreachable(msg?: string): never {
  throw new AssertionError(`Unreachable${suffix(msg)}`);
}

function check(holds: boolean, msg: string | undefined, expectation: () => string): void {
  if (!holds) throw new AssertionError(`Expected ${expectation()}${suffix(msg)}`);
}

function missing(verb: string, classOrMsg: unknown, msg: string | undefined): never {
  const given = typeof classOrMsg === "string" ? classOrMsg : msg;
  throw new AssertionError(`Expected the function to ${verb}${suffix(given)}`);
}

function suffix(msg: string | undefined): string {
  return msg ? `: ${msg}` : "";
}

function show(value: unknown): string {
  return inspect(value, { depth: 10 });
}

/** Node's line by line difference, which is what one reads when a test fails. */
function difference(actual: unknown, expected: unknown, operator: string): string {
  return new NodeAssertionError({ actual, expected, operator }).message.replace(/^Expected /, "");
}

/** Whether `actual` has all that `expected` has, deeply; an instance counts as a plain object. */
function contains(actual: unknown, expected: unknown): boolean {
  if (!isObject(actual) || !isObject(expected) || expected instanceof RegExp) {
    return equal(actual, expected);
  }
  if (actual instanceof Map && expected instanceof Map) {
    return [...expected].every(([key, value]) =>
      actual.has(key) && contains(actual.get(key), value)
    );
  }
  if (actual instanceof Set && expected instanceof Set) return expected.isSubsetOf(actual);
  if (expected instanceof Date) return equal(actual, expected);
  return enumerableKeys(expected).every((key) =>
    Object.hasOwn(actual, key) && contains(Reflect.get(actual, key), Reflect.get(expected, key))
  );
}
