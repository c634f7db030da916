/** Lists the tasks of a workspace page by page. */
import { DeepintHTTPError } from "./errors.ts";
import { type Connection, request, type RequestOptions } from "./request.ts";
import { TaskInfo, TaskStatus } from "./task_info.ts";
import type { TaskListOptions } from "./task_options.ts";
import { checkId } from "./task_url.ts";
import { outOfRange } from "./internal/text.ts";

/** The largest page that the platform serves. */
const MAX_PAGE_SIZE = 500;

/** Options of {@linkcode listPages}. */
export interface ListPagesOptions extends RequestOptions {
  pageSize?: number | undefined;
  /** Number of the first page. @default 0 */
  firstPage?: number | undefined;
}

/** A page of a list. */
export interface Page {
  /** The tasks that no earlier page had. */
  items: TaskInfo[];
  /** Total number of pages. */
  pages: number;
  /** Number of pages after this one. */
  pagesLeft: number;
  /** The `limit` of the request. */
  pageSize: number;
  retryAfter: number | undefined;
}

function parseItem(item: unknown): TaskInfo {
  const info = TaskInfo.fromDict(item);
  checkId("id", info.taskId); // it becomes part of a path
  return info;
}

function parsePage(body: unknown, retryAfter: number | undefined) {
  const { items, page, limit, pages_count } = Object(body) as Record<string, unknown>;
  const pages = Number(pages_count ?? NaN);
  if (!Array.isArray(items) || !Number.isInteger(pages)) {
    throw new TypeError("Cannot read a page of tasks: items or pages_count is missing");
  }
  return { items: items.map(parseItem), page, limit: Number(limit) || Infinity, pages, retryAfter };
}

function isTooLarge(error: unknown): boolean {
  return error instanceof DeepintHTTPError && error.code === "BODY_TOO_LARGE";
}

/**
 * Yields the tasks of a workspace page by page. Ends after the last page, at an empty one, and when
 * the server ignores the page number and repeats a page. A page that is too large is requested in
 * smaller ones. The information is partial: a list has no subtask, progress, result or error.
 *
 * @throws {RangeError} when the page size is not an integer from 1 to 500
 * @throws {DeepintHTTPError} when a request fails; `INVALID_RESPONSE` for a malformed page
 */
export async function* listPages(
  connection: Connection,
  workspaceId: string,
  options: ListPagesOptions = {},
): AsyncGenerator<Page, void, void> {
  const { firstPage = 0 } = options;
  let { pageSize = MAX_PAGE_SIZE } = options;
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > MAX_PAGE_SIZE) {
    throw outOfRange("pageSize", pageSize, `an integer from 1 to ${MAX_PAGE_SIZE}`);
  }
  const seen = new Set<string>();
  let previousIds = "";
  let repeats = 0;
  let offset = firstPage * pageSize; // tasks on the pages up to here
  let servedSize = pageSize; // the server may use a smaller page
  for (let page = firstPage, pages = page + 1; page < pages; page++) {
    const path = `/api/v1/workspace/${workspaceId}/tasks?page=${page}&limit=${pageSize}`;
    let read;
    try {
      read = await request(connection, { method: "GET", path, parse: parsePage }, options);
    } catch (error) {
      if (!isTooLarge(error) || servedSize <= 1) throw error;
      servedSize = pageSize = Math.floor(servedSize / 2);
      page = Math.floor(offset / pageSize) - 1;
      pages = page + 2;
      continue;
    }
    const ids = read.items.map(({ taskId }) => taskId).join();
    // equal pages without a number: one may be a list that moved, two are a server that repeats itself
    repeats = ids === previousIds ? repeats + 1 : 0;
    if (ids === "" || repeats > (read.page === undefined ? 1 : 0) && read.page !== page) return;
    previousIds = ids;
    servedSize = Math.min(pageSize, read.limit);
    offset = page * servedSize + read.items.length;
    pages = read.pages;
    const items = read.items.filter(({ taskId }) => !seen.has(taskId) && seen.add(taskId));
    const { retryAfter } = read;
    yield { items, pages, pagesLeft: pages - page - 1, pageSize, retryAfter };
  }
}

/**
 * Creates the filter of `Task.list`: by status, and by a part of the name in any case.
 *
 * @throws {RangeError} when a status does not exist
 */
export function createTaskFilter(
  { name = "", status }: Pick<TaskListOptions, "name" | "status">,
): (info: TaskInfo) => boolean {
  const statuses = [status ?? TaskStatus.all()].flat();
  for (const status of statuses) {
    if (!TaskStatus.all().includes(status)) {
      throw outOfRange("status", status, `one of ${TaskStatus.all()}`);
    }
  }
  return (info) =>
    (info.name ?? "").toLowerCase().includes(name.toLowerCase()) && statuses.includes(info.status);
}
