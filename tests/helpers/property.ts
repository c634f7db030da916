// The one way in which the tests run a property: many cases, and the seed that made them on a line.
import fc from "fast-check";

/** How a property is run. */
export interface PropertyOptions {
  /** How many cases at least. @default {10_000} */
  cases?: number;
}

/**
 * Runs a property on cases that are others at each run. `PROPERTY_SEED` in the environment gives the cases
 * of a run that failed, as long as the generators are the same.
 *
 * @throws {Error} with the smallest failing case, when there is one
 */
export async function checkProperty<Ts>(
  { name }: Pick<Deno.TestContext, "name">,
  property: fc.IRawProperty<Ts>,
  { cases = 10_000 }: PropertyOptions = {},
): Promise<void> {
  const given = Deno.env.get("PROPERTY_SEED");
  const seed = given ? Number(given) : crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
  const run = await fc.check(property, { seed, numRuns: cases });
  // deno-lint-ignore no-console -- whoever reads a log of CI wants to run the same cases again
  console.log(`property ${name}: ${run.numRuns} cases, seed ${seed}`);
  if (run.failed) throw new Error(fc.defaultReportMessage(run), { cause: run.errorInstance });
}
