/** The sizes that `deno task sizes` measures. */
import { deno } from "../helpers/run_deno.ts";
import type { Figure } from "./figure.ts";

/** The client and the Worker, minified and with gzip. */
export async function sizeFigures(): Promise<Figure[]> {
  const { output } = await deno(["task", "sizes"], { quiet: true });
  const weighed = output.matchAll(/(\S+) weighs ([\d,]+) B of ([\d,]+) B/g);
  return [...weighed].map(([, what = "", size = "", most = ""]) => ({
    what: `${what}, minified and gzipped`,
    value: number(size),
    unit: "B",
    budget: { most: number(most) },
  }));
}

function number(text: string): number {
  return Number(text.replaceAll(",", ""));
}
