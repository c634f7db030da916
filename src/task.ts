/** `Task`: a task of Deep Intelligence, and waiting for it. */
import { Credentials } from "./credentials.ts";
import { loadTask, taskPath } from "./load_task.ts";
import {
  checkWatchOptions,
  hasChanged,
  notifyProgress,
  pollTask,
  taskError,
  taskLabel,
  type TaskState,
} from "./polling.ts";
import { type Connection, type Fetch, request, type RequestOptions } from "./request.ts";
import { TaskInfo, TaskStatus, toResult, toTaskDict, wrongKind } from "./task_info.ts";
import { createTaskFilter, listPages } from "./task_list.ts";
import type {
  ReadOptions,
  ResolveOptions,
  TaskBuildOptions,
  TaskDict,
  TaskFromDictOptions,
  TaskFromUrlOptions,
  TaskListOptions,
  TaskOptions,
  TaskResult,
  WatchOptions,
} from "./task_options.ts";
import { checkId, instanceOrigin, parseTaskUrl, resultUrl } from "./task_url.ts";
import { abortableIterable } from "./internal/abortable_iterable.ts";
import type { Clock } from "./internal/clock.ts";
import { sanitizeText } from "./internal/text.ts";

/** A task's private state, for polling. */
interface TaskInternals extends TaskState {
  readonly connection: Connection;
}

/** Returns the private state of a task, for `resolveAll`. @internal */
export let internals: (task: Task) => TaskInternals;

/**
 * A task of Deep Intelligence: an import, a training or an export. Create one with
 * {@linkcode Task.build} or {@linkcode Task.fromUrl}. Equivalent of `deepint.core.Task`.
 *
 * @example
 * ```ts
 * import { Task } from "@deepint/task";
 *
 * const task = await Task.build({ organizationId: "o-1", workspaceId: "w-1", taskId: "t-1" });
 * await task.resolve({ pollInterval: "adaptive" });
 * console.log(await task.fetchResult()); // { source: "s-1" }
 * ```
 */
export class Task {
  // `declare`: the constructor assigns these
  /** The organization's id. */
  declare readonly organizationId: string;
  /** The workspace's id. */
  declare readonly workspaceId: string;
  /** The task's id. */
  declare readonly taskId: string;
  /** The credentials that requests are sent with. */
  declare readonly credentials: Credentials;
  /** The known information of the task; replaced by {@linkcode Task.load}. */
  declare info: TaskInfo;
  readonly #fetch: Fetch | undefined;
  /** `true` if the information lacks the fields that only a load returns. */
  #partial = false;
  /** Time of the last load on the monotonic clock; `-Infinity` without one. */
  #loadedAt = -Infinity;
  #retryAfter: number | undefined;
  // loads are numbered in the order of their start: an older one never overwrites a newer one
  #loadsStarted = 0;
  #lastApplied = 0;

  /**
   * Creates a task from known information, without a request.
   *
   * @throws {RangeError} when an id is invalid
   * @throws {TypeError} when `credentials` is not an instance of this module's `Credentials`
   */
  constructor(options: TaskOptions) {
    this.organizationId = checkId("organizationId", options.organizationId);
    this.workspaceId = checkId("workspaceId", options.workspaceId);
    this.taskId = checkId("taskId", options.info.taskId);
    if (!(options.credentials instanceof Credentials)) {
      throw wrongKind("credentials", "an instance of Credentials", options.credentials);
    }
    this.credentials = options.credentials;
    this.info = options.info;
    this.#fetch = options.fetch;
    // not a static block, which would keep an unused class in a bundle
    internals ??= (task) => ({
      connection: task.#connection,
      loadedAt: task.#loadedAt,
      partial: task.#partial,
      poll: (options, clock) => task.#load(options, clock),
    });
  }

  /**
   * Creates a task and loads it (one request).
   *
   * @throws {DeepintCredentialsError} when no token is found
   * @throws {DeepintHTTPError} when the request fails
   * @throws {DeepintTimeoutError} when a deadline passes
   * @throws {RangeError} when an id or an option is invalid
   */
  static async build(options: TaskBuildOptions): Promise<Task> {
    const info = TaskInfo.fromDict({ id: checkId("taskId", options.taskId) });
    const credentials = options.credentials ?? await Credentials.build();
    return await new Task({ ...options, credentials, info }).load(options);
  }

  /**
   * Creates a task from its web or API URL and loads it (one request). The URL's host must be the
   * instance of the credentials, so that the token goes nowhere else.
   *
   * @throws {RangeError} when the URL is not a task URL, has another host or organization, or is an
   * API URL and `organizationId` is missing; no request is made
   * @throws {DeepintCredentialsError} when no token is found
   * @throws {DeepintHTTPError} when the request fails
   * @throws {DeepintTimeoutError} when a deadline passes
   */
  static async fromUrl(url: string | URL, options: TaskFromUrlOptions = {}): Promise<Task> {
    const { instance, ...ids } = parseTaskUrl(url, options);
    const credentials = options.credentials ?? await Credentials.build();
    if (instance !== credentials.instance) {
      throw new RangeError(
        `Cannot load the task: its URL uses ${sanitizeText(instanceOrigin(instance))}, ` +
          `the credentials are for ${instanceOrigin(credentials.instance)}. ` +
          "Set DEEPINT_INSTANCE to the origin",
      );
    }
    return await Task.build({ ...options, ...ids, credentials });
  }

  /**
   * Creates a task, without a request, from a stored {@linkcode Task.toDict}, or from ids:
   * `{ organization_id, workspace_id, task_id }`.
   *
   * @throws {TypeError} when `dict` has another form
   * @throws {RangeError} when an id is invalid
   */
  static fromDict(dict: unknown, options: TaskFromDictOptions): Task {
    const { organization_id, workspace_id, info = dict } = Object(dict) as Record<string, unknown>;
    const task = new Task({
      info: TaskInfo.fromDict(info),
      organizationId: checkId("organization_id", organization_id),
      workspaceId: checkId("workspace_id", workspace_id),
      ...options,
    });
    // a finished task that was stored from a list lacks its outcome
    const { status, result, errorCode, errorDescription } = task.info;
    task.#partial = TaskStatus.isTerminal(status) &&
      (result ?? errorCode ?? errorDescription) === null;
    return task;
  }

  /**
   * Lists the tasks of a workspace. Pages are requested as the loop reaches them; each iteration starts
   * with the first one. The list has no progress, subtask, result or error, so a method that needs one
   * of these loads the task once.
   *
   * @throws {RangeError} when an id or an option is invalid
   * @throws {DeepintCredentialsError} when no token is found (while iterating)
   * @throws {DeepintHTTPError} when a request fails (while iterating)
   * @throws {DeepintTimeoutError} when a deadline passes (while iterating)
   *
   * @example
   * ```ts
   * import { Task } from "@deepint/task";
   *
   * const tasks = Task.list({ organizationId: "o-1", workspaceId: "w-1", status: "success" });
   * for await (const task of tasks) console.log(String(task)); // Task (t-1) import orders: success
   * ```
   */
  static list(options: TaskListOptions): AsyncIterable<Task> {
    const organizationId = checkId("organizationId", options.organizationId);
    const workspaceId = checkId("workspaceId", options.workspaceId);
    const matches = createTaskFilter(options);
    async function* generate(signal: AbortSignal) {
      const credentials = options.credentials ?? await Credentials.build();
      const connection = { organizationId, credentials, fetch: options.fetch };
      for await (const { items } of listPages(connection, workspaceId, { ...options, signal })) {
        for (const info of items.filter(matches)) {
          const task = new Task({ ...connection, workspaceId, info });
          task.#partial = true;
          yield task;
        }
      }
    }
    return abortableIterable(options.signal, generate);
  }

  /** The delay before the next load that the platform asked for in the last one, in milliseconds. */
  get retryAfter(): number | undefined {
    return this.#retryAfter;
  }

  /**
   * Loads the task's information (one request).
   *
   * @throws {DeepintHTTPError} when the request fails
   * @throws {DeepintTimeoutError} when a deadline passes
   * @throws {DeepintCredentialsError} when the token function fails
   * @throws {RangeError} when an option is out of range
   */
  async load(options: RequestOptions = {}): Promise<this> {
    await this.#load(options);
    return this;
  }

  /**
   * Yields the current information, then again on every change of status, progress or subtask. Returns
   * after a terminal status. Breaking out of the loop stops polling.
   *
   * @throws {RangeError} when an option is out of range
   * @throws {DeepintTaskError} `TASK_STATUS_UNKNOWN` when the status is unknown (while iterating)
   * @throws {DeepintHTTPError} when a poll fails for good, or polls have failed for too long
   * @throws {DeepintTimeoutError} when `timeout` passes
   * @throws {DeepintCredentialsError} when the token function fails
   */
  watch(options: WatchOptions = {}): AsyncIterable<TaskInfo> {
    checkWatchOptions(options);
    return this.#poll(options, true);
  }

  /**
   * Waits until the task has finished. Loads it immediately if its information is older than one poll
   * interval, otherwise after that interval; a finished task costs no request. A timeout or an abort
   * ends the wait, but not the task. Calls can be repeated, and can overlap.
   *
   * @throws {DeepintTaskError} `TASK_<error_code>` when the task failed, `TASK_STATUS_UNKNOWN` when its
   * status is unknown; not with `raiseOnError: false`
   * @throws {DeepintTimeoutError} when `timeout` passes
   * @throws {DeepintHTTPError} when a poll fails for good, or polls have failed for too long
   * @throws {DeepintCredentialsError} when the token function fails
   * @throws {RangeError} when an option is out of range
   *
   * @example
   * ```ts
   * import { Task } from "@deepint/task";
   *
   * const task = await Task.build({ organizationId: "o-1", workspaceId: "w-1", taskId: "t-1" });
   * const info = await task.resolve({
   *   timeout: 3_600_000,
   *   onProgress: ({ progress, subtask }) => console.log(progress, subtask),
   * });
   * console.log(info.status); // success
   * ```
   */
  async resolve(options: ResolveOptions = {}): Promise<TaskInfo> {
    checkWatchOptions(options);
    const { raiseOnError = true, onProgress } = options;
    let info = this.info;
    for await (const next of this.#poll(options, raiseOnError)) {
      if (onProgress && hasChanged(info, next)) notifyProgress(onProgress, next);
      info = next;
    }
    if (raiseOnError && info.status === "failed") {
      const description = info.errorDescription || "no description";
      const problem = `failed with description: ${sanitizeText(description, 2_000)}`;
      throw taskError(this, `TASK_${info.errorCode || "UNKNOWN"}`, { problem, info });
    }
    return info;
  }

  /**
   * Returns the result of a finished task. It does not wait.
   *
   * @returns `{ source: "<id>" }`, `{ model: "<id>" }`, `{ file: "<url>" }`, …; `{}` if the task has no
   * result or failed
   * @throws {DeepintTaskError} `TASK_NOT_FINISHED` when the task is still running
   * @throws {DeepintHTTPError | DeepintTimeoutError} when a load fails
   */
  async fetchResult(options: ReadOptions = {}): Promise<TaskResult> {
    await this.#loadIfNeeded(options, this.#partial);
    const { status } = this.info;
    if (TaskStatus.isTerminal(status)) return toResult(this.info);
    throw taskError(this, "TASK_NOT_FINISHED", {
      problem: `has not finished: its status is ${status}`,
    });
  }

  /** Returns `true` if the task failed. Rejects when a load fails. */
  async isErrored(options: ReadOptions = {}): Promise<boolean> {
    await this.#loadIfNeeded(options);
    return this.info.status === "failed";
  }

  /** Returns `true` if the task succeeded or failed. Rejects when a load fails. */
  async isFinished(options: ReadOptions = {}): Promise<boolean> {
    await this.#loadIfNeeded(options);
    return TaskStatus.isTerminal(this.info.status);
  }

  /**
   * Stops the task if it is running. It remains on the platform, and its status becomes `failed`.
   *
   * @throws {DeepintHTTPError} when the request fails
   * @throws {DeepintTimeoutError} when a deadline passes
   * @throws {DeepintCredentialsError} when the token function fails
   * @throws {RangeError} when an option is out of range
   */
  async delete(options: RequestOptions = {}): Promise<void> {
    const parse = (body: unknown) => {
      if ((body as { result?: unknown } | undefined)?.result === "success") return;
      throw new TypeError('Cannot read the response: it is not {"result":"success"}');
    };
    const call = { method: "DELETE", path: taskPath(this), parse, info: () => this.info } as const;
    await request(this.#connection, call, options);
  }

  /**
   * Returns the web address of the source or model that the task created, or the URL of its file
   * (`https:`, or `http:` on a loopback host). Otherwise null.
   */
  resultUrl(): URL | null {
    return resultUrl({ ...this, instance: this.credentials.instance }, this.info);
  }

  /** Returns the stored form that {@linkcode Task.fromDict} reads, without credentials. */
  toDict(): TaskDict {
    return toTaskDict(this);
  }

  /** Returns {@linkcode Task.toDict}, for `JSON.stringify`. */
  toJSON(): TaskDict {
    return this.toDict();
  }

  /** Returns `Task (<id>) <name>: <status>`. */
  toString(): string {
    return `${taskLabel(this)}: ${this.info.status}`;
  }

  get #connection(): Connection {
    const { organizationId, credentials } = this;
    return { organizationId, credentials, fetch: this.#fetch };
  }

  /** Loads the task, in a wait that `clock` measures. */
  async #load(options: RequestOptions, clock?: Clock): Promise<void> {
    const sequence = ++this.#loadsStarted;
    const call = { ...options, clock, info: () => this.info };
    const loaded = await loadTask(this.#connection, this, call);
    if (sequence < this.#lastApplied) return;
    this.#lastApplied = sequence;
    this.#loadedAt = performance.now();
    this.#partial = false;
    this.#retryAfter = loaded.retryAfter;
    this.info = loaded.info;
  }

  async #loadIfNeeded(options: ReadOptions, isPartial = false): Promise<void> {
    if (isPartial || this.info.rawStatus === null || options.forceReload) await this.load(options);
  }

  #poll(options: WatchOptions, raiseOnUnknown: boolean): AsyncIterable<TaskInfo> {
    return abortableIterable(
      options.signal,
      (signal) =>
        pollTask(this, { ...options, signal, state: () => internals(this), raiseOnUnknown }),
    );
  }
}
