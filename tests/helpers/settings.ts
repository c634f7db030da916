/** Settings of the tests, and their refusal. */
import { assert, assertThrows } from "@std/assert";
import { ConfigError, type Environment, readConfig } from "../../functions/config.ts";

export const KEY = "a-key-of-sixteen";
export const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/** The settings that an endpoint needs at least. */
export const ENOUGH = { DEEPINT_TOKEN: "a token", RESOLVE_API_KEYS: KEY };

/** Creates a secret of so many bytes. */
export function secretOf(bytes: number): string {
  return "whsec_" + btoa("\x07".repeat(bytes));
}

/** Returns the error of settings that are refused, having checked its form. */
export function refused(
  env: Environment,
  options?: { allowUnauthenticated?: boolean },
): ConfigError {
  const error = assertThrows(() => readConfig({ ...ENOUGH, ...env }, options), ConfigError);
  assert(error.message.startsWith(`${error.variable}: `), error.message);
  assert(!/[\r\n]/.test(error.message), "one line");
  return error;
}
