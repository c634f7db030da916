/** Lists the tasks of a workspace page by page. */
import { type Connection, request, type RequestOptions } from "./request.ts";
import { TaskInfo, TaskStatus } from "./task_info.ts";
import type { TaskListOptions } from "./task_options.ts";
import { checkId } from "./task_url.ts";
import type { Page, PageParser } from "./internal/pages.ts";
import { outOfRange } from "./internal/text.ts";

/** The largest page that the platform serves. */
const MAX_PAGE_SIZE = 500;

/** Options of {@linkcode listPages}. */
export interface ListPagesOptions extends RequestOptions {
  pageSize?: number | undefined;
  /** Number of the first page. @default 0 */
  firstPage?: number | undefined;
}

function parseItem(item: unknown): TaskInfo {
  const info = TaskInfo.fromDict(item);
  checkId("id", info.taskId); // it becomes part of a path
  return info;
}

/**
 * Yields the tasks of a workspace page by page. The information is partial: a list has no subtask,
 * progress, result or error.
 *
 * @throws {RangeError} when the page size is not an integer from 1 to 500
 * @throws {DeepintHTTPError} when a request fails; `INVALID_RESPONSE` for a malformed page
 */
export async function* listPages(
  connection: Connection,
  workspaceId: string,
  options: ListPagesOptions = {},
): AsyncGenerator<Page<TaskInfo>, void, void> {
  const { firstPage = 0, pageSize = MAX_PAGE_SIZE } = options;
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > MAX_PAGE_SIZE) {
    throw outOfRange("pageSize", pageSize, `an integer from 1 to ${MAX_PAGE_SIZE}`);
  }
  const { readPages } = await import("./internal/pages.ts");
  const read = <T>(query: string, parse: PageParser<T>) => {
    const path = `/api/v1/workspace/${workspaceId}/tasks?${query}`;
    return request(connection, { method: "GET", path, parse }, options);
  };
  yield* readPages({ read, parseItem, firstPage, pageSize });
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
