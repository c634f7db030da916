// Runs properties of fast-check with many cases and prints their seed.
import fc from "fast-check";

/** Options of {@linkcode checkProperty}. */
export interface PropertyOptions {
  /** Minimum number of cases. @default {10_000} */
  cases?: number;
}

/**
 * Checks a property with random cases. `PROPERTY_SEED` in the environment repeats the cases of a failed run,
 * as long as the generators are unchanged.
 *
 * @throws {Error} with the smallest failing case
 */
export async function checkProperty<Ts>(
  { name }: Pick<Deno.TestContext, "name">,
  property: fc.IRawProperty<Ts>,
  { cases = 10_000 }: PropertyOptions = {},
): Promise<void> {
  const given = Deno.env.get("PROPERTY_SEED");
  const seed = given ? Number(given) : crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
  const run = await fc.check(property, { seed, numRuns: cases });
  // deno-lint-ignore no-console -- to repeat the cases of a CI log
  console.log(`property ${name}: ${run.numRuns} cases, seed ${seed}`);
  if (run.failed) throw new Error(fc.defaultReportMessage(run), { cause: run.errorInstance });
}

/** Text of any code units; fast-check's own `unit: "binary"` takes seconds to begin. */
export const anyText = fc.array(fc.oneof(fc.nat(0xffff), fc.integer({ min: 0x20, max: 0x7e })), {
  maxLength: 12,
}).map((units) => String.fromCharCode(...units));

/** Expected value of `created`: ISO 8601 in UTC, or null. */
