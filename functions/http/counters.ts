/** Counters of a process for `GET /metrics`. */

/** Counts by label. Labels come from a fixed set, so their number is bounded. */
export type Counter = Map<string, number>;

/** The counters of an endpoint. */
export interface Counters {
  /** Responses by `<route> <status>`; the route is a pattern, or `none`. */
  readonly requests: Counter;
  /** Polls of callers by outcome, `ok` or `failed`. */
  readonly polls: Counter;
}

/** Adds one to a count. */
export function increment(counter: Counter, label: string): void {
  counter.set(label, (counter.get(label) ?? 0) + 1);
}
