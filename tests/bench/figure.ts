/** Figures of the bench and their budgets. */

/** A measured figure. */
export interface Figure {
  what: string;
  value: number;
  /** @default a plain number */
  unit?: "×" | "ms" | "B" | "MiB";
  /** Limit of the figure. @default no limit */
  budget?: { most: number } | { least: number };
  /** Its components. */
  detail?: string;
}

/** Returns `true` if the figure is within its budget, or `undefined` without one. */
export function isWithin({ value, budget }: Figure): boolean | undefined {
  if (budget === undefined) return undefined;
  return "most" in budget ? value <= budget.most : value >= budget.least;
}

/** Formats the row of a table: what, figure, budget, mark, detail. */
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

/** Returns the median. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function written(value: number, unit?: string): string {
  const digits = Number.isInteger(value) ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  const text = value.toLocaleString("en", { maximumFractionDigits: digits });
  return unit ? `${text} ${unit}` : text;
}
