/**
 * Reads the pages of a list. Loaded on demand: most programs list nothing. It imports nothing, so that
 * bundlers leave it in a chunk of its own.
 */

/** Parses the body of a response. */
export type PageParser<T> = (body: unknown, retryAfter: number | undefined) => T;

/** Options of {@linkcode readPages}. */
export interface ReadPagesOptions<T> {
  /** Requests a page. */
  read<P>(query: string, parse: PageParser<P>): Promise<P>;
  parseItem(item: unknown): T;
  /** Number of the first page. */
  firstPage: number;
  /** Number of items to request per page. */
  pageSize: number;
}

/** A page of a list. */
export interface Page<T> {
  /** The items that no earlier page had. */
  items: T[];
  /** Total number of pages. */
  pages: number;
  /** Number of pages after this one. */
  pagesLeft: number;
  /** The `limit` of the request. */
  pageSize: number;
  retryAfter: number | undefined;
}

function parsePage(body: unknown) {
  const { items, page, limit, pages_count } = Object(body) as Record<string, unknown>;
  const pages = Number(pages_count ?? NaN);
  if (!Array.isArray(items) || !Number.isInteger(pages)) {
    throw new TypeError("Cannot read a page of tasks: items or pages_count is missing");
  }
  return { items, page, limit: Number(limit) || Infinity, pages };
}

function isTooLarge(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === "BODY_TOO_LARGE";
}

/**
 * Yields the items page by page. Ends after the last page, at an empty one, and when the server ignores the
 * page number and repeats a page. A page that is too large is requested in smaller ones.
 */
export async function* readPages<T extends { readonly taskId: string }>(
  { read, parseItem, firstPage, pageSize }: ReadPagesOptions<T>,
): AsyncGenerator<Page<T>, void, void> {
  const parse = (body: unknown, retryAfter: number | undefined) => {
    const page = parsePage(body);
    return { ...page, items: page.items.map(parseItem), retryAfter };
  };
  const seen = new Set<string>();
  let previousIds = "";
  let repeats = 0;
  let offset = firstPage * pageSize; // items on the pages up to here
  let servedSize = pageSize; // the server may use a smaller page
  for (let page = firstPage, pages = page + 1; page < pages; page++) {
    let response;
    try {
      response = await read(`page=${page}&limit=${pageSize}`, parse);
    } catch (error) {
      if (!isTooLarge(error) || servedSize <= 1) throw error;
      servedSize = pageSize = Math.floor(servedSize / 2);
      page = Math.floor(offset / pageSize) - 1;
      pages = page + 2;
      continue;
    }
    const ids = response.items.map(({ taskId }) => taskId).join();
    // equal pages without a number: one may be a list that moved, two are a server that repeats itself
    repeats = ids === previousIds ? repeats + 1 : 0;
    if (ids === "") return;
    if (repeats > (response.page === undefined ? 1 : 0) && response.page !== page) return;
    previousIds = ids;
    servedSize = Math.min(pageSize, response.limit);
    offset = page * servedSize + response.items.length;
    pages = response.pages;
    const items = response.items.filter(({ taskId }) => !seen.has(taskId) && seen.add(taskId));
    const { retryAfter } = response;
    yield { items, pages, pagesLeft: pages - page - 1, pageSize, retryAfter };
  }
}
