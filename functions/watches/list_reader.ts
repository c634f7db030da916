/** Reads the list of a workspace: a page, or all of it. */
import { type Credentials, type Fetch, TaskInfo } from "../../mod.ts";
import { taskBody } from "../task/response.ts";
import type { Finished, Running } from "../task/response_schema.ts";
import type { Watch } from "./state.ts";
import type { WorkspaceTasks } from "./workspace_tasks.ts";
import { isInProgress, listPages } from "../../src/internal/client.ts";

/** A task in a list, and the number of its page. */
export interface ListedTask {
  readonly info: TaskInfo;
  readonly page: number;
}

/** A read of a list: of one page, or of all. */
export interface Reading {
  /** Number of the page. @default all pages */
  readonly page: number | undefined;
  readonly tasks: Map<string, ListedTask>;
  /** The jitter, one for all watches, so that they are due together again. */
  readonly random: number;
  retryAfter: number;
  /** `true` if every page was read. */
  isComplete: boolean;
}

/** Options of {@linkcode readList}. */
export interface ReadListOptions {
  credentials: Credentials;
  /** Sends requests. @default globalThis.fetch */
  fetch: Fetch | undefined;
  /** Deadline of each request in ms. */
  timeout: number;
  /** Ends the reading. */
  signal: AbortSignal | undefined;
}

/**
 * Reads a page of the list, or all unless GETs for the missing tasks take no more requests. Records the
 * pages of the tasks.
 *
 * @throws {DeepintHTTPError | DeepintTimeoutError} when a request fails; the pages before it are read
 */
export async function readList(
  workspace: WorkspaceTasks,
  reading: Reading,
  { credentials, fetch, timeout, signal }: ReadListOptions,
): Promise<void> {
  const { organizationId, workspaceId } = workspace.ids;
  const connection = { organizationId, credentials, fetch };
  const bounds = { timeout, requestTimeout: timeout, retries: 0, signal };
  const place = { firstPage: reading.page, pageSize: workspace.pageSize };
  const created: number[] = [];
  let isEmpty = true;
  reading.isComplete = reading.page === undefined;
  for await (const page of listPages(connection, workspaceId, { ...bounds, ...place })) {
    isEmpty = false;
    workspace.pageSize = page.pageSize;
    workspace.pages = page.pages;
    reading.retryAfter = Math.max(reading.retryAfter, page.retryAfter ?? 0);
    const number = page.pages - page.pagesLeft - 1;
    for (const info of page.items) {
      // most tasks of a long list have ended, and nobody watches them
      if (isInProgress(info.status) || workspace.isWatched(info.taskId)) {
        reading.tasks.set(info.taskId, { info, page: number });
      }
      if (info.created) created.push(info.created.getTime());
    }
    if (reading.page !== undefined) break;
    if (page.pagesLeft > 0 && workspace.countMissing(reading.tasks) <= page.pagesLeft) {
      reading.isComplete = false;
      break;
    }
  }
  const [first = 0, last = 0] = [created[0], created.at(-1)];
  if (reading.page === undefined && first !== last) workspace.isAscending = last > first;
  if (isEmpty) workspace.pages = 1; // the list has become shorter
}

/** Options of {@linkcode toAnswer}. */
export interface AnswerOptions {
  credentials: Credentials;
  /** Current time in ms since 1970. */
  now: number;
}

/** Returns the response about a running task of a list; keeps the fields that the list lacks. */
export function toAnswer(
  { ids, last }: Watch,
  info: TaskInfo,
  { credentials, now }: AnswerOptions,
): Finished | Running {
  const listed = Object.entries(info.toDict()).filter(([, value]) => value !== null);
  const merged = TaskInfo.fromDict({ ...last?.task.info, ...Object.fromEntries(listed) });
  const { instance } = credentials;
  return taskBody({ instance, ...ids, info: merged, retryAfter: undefined }, { now });
}
