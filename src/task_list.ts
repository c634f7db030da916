/** Listing the tasks of a workspace page by page. */
import { type Connection, request, type RequestOptions } from "./request.ts";
import { TaskInfo, TaskStatus } from "./task_info.ts";
import type { TaskListOptions } from "./task_options.ts";
import { checkId } from "./task_url.ts";
import { outOfRange } from "./internal/text.ts";

/** The most tasks that the server gives in a page. */
const MAX_PAGE_SIZE = 500;

/** A page of a list. Internal. */
export interface Page {
  items: TaskInfo[];
  /** How many pages there are. */
  pages: number;
  retryAfter: number | undefined;
}

/**
 * The tasks of a workspace, page by page; each is asked for once, when it is due. Ends when the pages
 * end, or when one is empty or brings nothing new: a server may say its first page for ever. A task
 * that moves to a later page while the list is read comes once. The information is partial: the list
 * has no subtask, progress, result or error. Internal.
 *
 * @throws {RangeError} when the page size is not an integer from 1 to 500
 * @throws {DeepintHTTPError} when a request fails; `INVALID_RESPONSE` for a malformed page
 */
export async function* listPages(
  connection: Connection,
  workspaceId: string,
  options: RequestOptions & { pageSize?: number | undefined } = {},
): AsyncGenerator<Page, void, void> {
  const { pageSize = MAX_PAGE_SIZE } = options;
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > MAX_PAGE_SIZE) {
    throw outOfRange("pageSize", pageSize, `an integer from 1 to ${MAX_PAGE_SIZE}`);
  }
  const seen = new Set<string>();
  for (let page = 0, pages = 1; page < pages; page++) {
    const path = `/api/v1/workspace/${workspaceId}/tasks?page=${page}&limit=${pageSize}`;
    const read = await request(connection, { method: "GET", path, parse: parsePage }, options);
    const items = read.items.filter(({ taskId }) => !seen.has(taskId) && seen.add(taskId));
    if (items.length === 0) return;
    yield { ...read, items };
    pages = read.pages;
  }
}

function parsePage(body: unknown, retryAfter: number | undefined): Page {
  const { items, pages_count } = (body ?? {}) as Record<string, unknown>;
  const pages = Number(pages_count ?? NaN);
  if (!Array.isArray(items) || !Number.isInteger(pages)) {
    throw new TypeError("Cannot read a page of tasks: it has no items or no pages_count");
  }
  return { items: items.map(parseItem), pages, retryAfter };
}

function parseItem(item: unknown): TaskInfo {
  const info = TaskInfo.fromDict(item);
  checkId("id", info.taskId); // it becomes part of a path
  return info;
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
  const invalid = statuses.find((status) => !TaskStatus.all().includes(status));
  if (invalid !== undefined) throw outOfRange("status", invalid, `one of ${TaskStatus.all()}`);
  return (info) =>
    (info.name ?? "").toLowerCase().includes(name.toLowerCase()) && statuses.includes(info.status);
}
