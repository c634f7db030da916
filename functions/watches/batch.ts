// Not dataloader: it batches per tick; this batches while a commit is in progress.
/** Batching of calls. */
import { callStore } from "./store_calls.ts";

interface Pending<In, Out> {
  readonly input: In;
  readonly resolve: (output: Out) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Creates a function for one input from a function for many. Inputs that arrive while `work` is in
 * progress wait, then go together, at most `max` at a time: a commit of many takes hardly longer than a
 * commit of one. A call that never settles fails after a while, so that the waiting inputs can go.
 */
export function batched<In, Out>(
  max: number,
  work: (inputs: readonly In[]) => Promise<readonly Out[]>,
): (input: In) => Promise<Out> {
  let waiting: Pending<In, Out>[] = [];
  let isWorking = false;

  async function run(): Promise<void> {
    if (isWorking) return;
    isWorking = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, max);
      waiting = waiting.slice(max);
      try {
        const outputs = await callStore(() => work(batch.map(({ input }) => input)));
        for (const [index, output] of outputs.entries()) batch[index]?.resolve(output);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    isWorking = false;
  }

  return (input) =>
    // Node 20 lacks Promise.withResolvers
    new Promise((resolve, reject) => {
      waiting.push({ input, resolve, reject });
      run();
    });
}

/** Options of {@linkcode readPages}. */
export interface ReadPagesOptions<Row, Item> {
  /** Maximum number of items. */
  limit: number;
  /** Reads the rows after another one, at most `limit`. */
  read(last: Row | undefined): Promise<readonly Row[]>;
  /** Returns the items of rows, without those that are unreadable. */
  parse(rows: readonly Row[]): Promise<readonly Item[]> | readonly Item[];
}

/** Reads up to `limit` items, and more rows in place of those that are unreadable. */
export async function readPages<Row, Item>(
  { limit, read, parse }: ReadPagesOptions<Row, Item>,
): Promise<Item[]> {
  const items: Item[] = [];
  let rows: readonly Row[] = [];
  do {
    rows = await read(rows.at(-1));
    items.push(...await parse(rows));
  } while (items.length < limit && rows.length === limit);
  return items.slice(0, limit);
}
