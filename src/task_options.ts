/** Option types of `Task`, its result and its stored form. */
import type { Credentials } from "./credentials.ts";
import type { Fetch, RequestOptions } from "./request.ts";
import type { PollInterval } from "./schedule.ts";
import type { TaskInfo, TaskInfoDict, TaskStatus } from "./task_info.ts";

/** The credentials and the `fetch` function to send requests with. */
export interface ConnectionOptions {
  /**
   * The credentials to send requests with.
   *
   * @default Credentials.build()
   */
  credentials?: Credentials | undefined;
  /**
   * The function to send requests with.
   *
   * @default globalThis.fetch
   */
  fetch?: Fetch | undefined;
}

/** The ids of a workspace. */
export interface WorkspaceIds {
  /** The organization's id. */
  organizationId: string;
  /** The workspace's id. */
  workspaceId: string;
}

/** Options of the {@linkcode Task} constructor. */
export interface TaskOptions extends WorkspaceIds, ConnectionOptions {
  /** The credentials to send requests with. */
  credentials: Credentials;
  /** The known information of the task. */
  info: TaskInfo;
}

/** Options of {@linkcode Task.build}. */
export interface TaskBuildOptions extends WorkspaceIds, ConnectionOptions, RequestOptions {
  /** The task's id. */
  taskId: string;
}

/** Options of {@linkcode Task.fromUrl}. */
export interface TaskFromUrlOptions extends ConnectionOptions, RequestOptions {
  /** The organization's id. Required for an API URL, which does not contain it. */
  organizationId?: string | undefined;
}

/** Options of {@linkcode Task.fromDict}. */
export interface TaskFromDictOptions extends ConnectionOptions {
  /** The credentials to send requests with. */
  credentials: Credentials;
}

/** Options of {@linkcode Task.list}. The deadlines of {@linkcode RequestOptions} apply per page. */
export interface TaskListOptions extends WorkspaceIds, ConnectionOptions, RequestOptions {
  /**
   * Number of tasks per request, from 1 to 500.
   *
   * @default 500
   */
  pageSize?: number | undefined;
  /**
   * Lists only tasks with one of these statuses.
   *
   * @default all
   */
  status?: TaskStatus | readonly TaskStatus[] | undefined;
  /**
   * Lists only tasks whose name contains this text, ignoring case.
   *
   * @default "" (all tasks)
   */
  name?: string | undefined;
}

/** Options of {@linkcode Task.watch}. A poll makes one attempt: `retries` does not apply. */
export interface WatchOptions extends RequestOptions {
  /**
   * Milliseconds between polls, at least 250, or `"adaptive"` (see {@linkcode pollDelay}), the better
   * choice for long tasks.
   *
   * @default 3000
   */
  pollInterval?: PollInterval | undefined;
  /**
   * Milliseconds to wait for the end of the task.
   *
   * @default Infinity
   */
  timeout?: number | undefined;
}

/** Options of {@linkcode Task.resolve}. */
export interface ResolveOptions extends WatchOptions {
  /**
   * Rejects when the task failed or its status is unknown.
   *
   * @default true
   */
  raiseOnError?: boolean | undefined;
  /** Called when status, progress or subtask changed. An error that it throws is only logged. */
  onProgress?: ((info: TaskInfo) => void) | undefined;
}

/** Options of the methods that read the task's information. */
export interface ReadOptions extends RequestOptions {
  /**
   * Loads the information first, even if it is known.
   *
   * @default false
   */
  forceReload?: boolean | undefined;
}

/**
 * The result of a task by its type: `{ source: "<id>" }`, `{ model: "<id>" }`, `{ file: "<url>" }`, …, or
 * `{}` without a result.
 */
export interface TaskResult {
  /** Id of the created source. */
  source?: string;
  /** Id of the created model. */
  model?: string;
  /** URL of the exported file. */
  file?: string;
  /** A result of another type. */
  [type: string]: string | undefined;
}

/** The stored form of a task: the output of {@linkcode Task.toDict}. */
export interface TaskDict {
  /** The organization's id. */
  organization_id: string;
  /** The workspace's id. */
  workspace_id: string;
  /** The task's information in the wire's form. */
  info: TaskInfoDict;
}
