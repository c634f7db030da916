/** What the bench measures: figures with a budget beside them. */

/** One figure, and what it must be. */
export interface Figure {
  what: string;
  value: number;
  /** @default a plain number */
  unit?: "×" | "ms" | "B" | "MiB";
  /** It is over budget outside of this; nothing is said of it without one. */
  budget?: { most: number } | { least: number };
  /** What it is made of. */
  detail?: string;
}

/** Whether the budget is kept; `undefined` where there is none. */
export function isWithin({ value, budget }: Figure): boolean | undefined {
  if (budget === undefined) return undefined;
  return "most" in budget ? value <= budget.most : value >= budget.least;
}

/** The row of a table: what, figure, budget, mark, detail. */
export function row(figure: Figure): string[] {
  const { what, value, unit, budget, detail = "" } = figure;
  const wanted = budget === undefined
    ? ""
    : "most" in budget
    ? `≤ ${written(budget.most, unit)}`
    : `≥ ${written(budget.least, unit)}`;
  const mark = { true: "ok", false: "OVER", undefined: "" }[String(isWithin(figure))] ?? "";
  return [what, written(value, unit), wanted, mark, detail];
}

/** The middle one of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function written(value: number, unit?: string): string {
  const digits = Number.isInteger(value) ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  const text = value.toLocaleString("en", { maximumFractionDigits: digits });
  return unit ? `${text} ${unit}` : text;
}
