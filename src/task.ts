/** `Task`: one task of Deep Intelligence, and waiting for it. */
import { Credentials } from "./credentials.ts";
import { DeepintHTTPError } from "./errors.ts";
import {
  checkWatchOptions,
  hasChanged,
  notifyProgress,
  pollTask,
  taskError,
  taskLabel,
  type TaskState,
} from "./polling.ts";
import {
  type ApiRequest,
  type Connection,
  type Fetch,
  request,
  type RequestOptions,
} from "./request.ts";
import { TaskInfo, TaskStatus } from "./task_info.ts";
import { listPages } from "./task_list.ts";
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
import { checkId, instanceOrigin, parseTaskUrl, webUrl } from "./task_url.ts";
import { abortableIterable } from "./internal/abortable_iterable.ts";
import { outOfRange, sanitizeText } from "./internal/text.ts";

/** A task's private state, for polling. */
interface TaskInternals extends TaskState {
  readonly connection: Connection;
}

/** Returns the private state of a task, for `resolveAll`. @internal */
export let internals: (task: Task) => TaskInternals;

/**
 * A task of Deep Intelligence: an import, a training, an export. Made by {@linkcode Task.build} or
 * {@linkcode Task.fromUrl}. Source: `deepint.core.Task`.
 *
 * @example
 * ```ts
 * import { Credentials, Task, TaskInfo } from "@deepint/task";
 *
 * const task = new Task({
 *   organizationId: "o-1",
 *   workspaceId: "w-1",
 *   credentials: new Credentials({ token: "a-token" }),
 *   info: TaskInfo.fromDict({ id: "t-1", status: "success", result: "s-1", result_type: "source" }),
 * });
 * console.log(await task.fetchResult()); // { source: "s-1" }
 * ```
 */
export class Task {
  /** The organization's id. */
  readonly organizationId: string;
  /** The workspace's id. */
  readonly workspaceId: string;
  /** The task's id. */
  readonly taskId: string;
  /** Whose requests this task makes. */
  readonly credentials: Credentials;
  /** What is known of the task; replaced by {@linkcode Task.load}. */
  info: TaskInfo;
  readonly #fetch: Fetch | undefined;
  /** Whether the information lacks what only a load brings. */
  #partial = false;
  /** When the information was loaded (epoch ms); 0: not by this object. */
  #loadedAt = 0;
  #retryAfter: number | undefined;
  // loads in the order in which they began: an older one never overwrites a newer one
  #loadsStarted = 0;
  #lastApplied = 0;

  static {
    internals = (task) => ({
      connection: task.#connection,
      loadedAt: task.#loadedAt,
      partial: task.#partial,
      poll: (options, startedAt) => task.#load(options, startedAt),
    });
  }

  /**
   * Makes a task of what is known. No request.
   *
   * @throws {RangeError} when an id is not usable
   * @throws {TypeError} when `credentials` are not of this module
   */
  constructor(options: TaskOptions) {
    this.organizationId = checkId("organizationId", options.organizationId);
    this.workspaceId = checkId("workspaceId", options.workspaceId);
    this.taskId = checkId("taskId", options.info.taskId);
    if (!(options.credentials instanceof Credentials)) {
      throw new TypeError("Cannot make a task: credentials are not Credentials of this module");
    }
    this.credentials = options.credentials;
    this.info = options.info;
    this.#fetch = options.fetch;
  }

  /**
   * Builds a task and loads it: one request.
   *
   * @throws {DeepintCredentialsError} when there is no token
   * @throws {DeepintHTTPError} when the request fails
   * @throws {DeepintTimeoutError} when a deadline passes
   * @throws {RangeError} when an id or an option is not usable
   */
  static async build(options: TaskBuildOptions): Promise<Task> {
    const { organizationId, workspaceId, taskId, fetch } = options;
    const info = TaskInfo.fromDict({ id: checkId("taskId", taskId) });
    const credentials = options.credentials ?? await Credentials.build();
    return await new Task({ organizationId, workspaceId, credentials, info, fetch }).load(options);
  }

  /**
   * Builds a task of its web or API URL and loads it: one request. The URL's host must be the
   * instance of the credentials, the only place that the token goes to.
   *
   * @throws {RangeError} when it is no task URL, names another host, or is an API URL and
   * `organizationId` is missing; no request was made
   * @throws {DeepintCredentialsError} when there is no token
   * @throws {DeepintHTTPError} when the request fails
   * @throws {DeepintTimeoutError} when a deadline passes
   */
  static async fromUrl(url: string | URL, options: TaskFromUrlOptions = {}): Promise<Task> {
    const { instance, ...ids } = parseTaskUrl(url, options);
    const credentials = options.credentials ?? await Credentials.build();
    if (instance !== credentials.instance) {
      throw new RangeError(
        `Cannot load the task: its URL is at "${
          sanitizeText(instance)
        }", the credentials are for ` +
          `"${credentials.instance}"`,
      );
    }
    return await Task.build({ ...options, ...ids, credentials });
  }

  /**
   * Builds a task of a stored {@linkcode Task.toDict}, or of ids alone:
   * `{ organization_id, workspace_id, task_id }`. No request.
   *
   * @throws {TypeError} when it is not of that form
   * @throws {RangeError} when an id is not usable
   */
  static fromDict(dict: unknown, options: TaskFromDictOptions): Task {
    if (typeof dict !== "object" || dict === null) {
      throw new TypeError("Cannot read a task: expected an object");
    }
    const { organization_id, workspace_id, info = dict } = dict as Record<string, unknown>;
    const task = new Task({
      organizationId: checkId("organization_id", organization_id),
      workspaceId: checkId("workspace_id", workspace_id),
      info: TaskInfo.fromDict(info),
      ...options,
    });
    // stored off a list, an ended task lacks its outcome; with one, it is complete
    const { status, result, errorCode, errorDescription } = task.info;
    task.#partial = TaskStatus.isTerminal(status) &&
      (result ?? errorCode ?? errorDescription) === null;
    return task;
  }

  /**
   * Lists the tasks of a workspace, page by page as they are asked for. Each iteration starts anew.
   * Their information is partial: the list has no subtask, progress, result or error; what needs
   * these loads the task once.
   *
   * @throws {RangeError} when an id or an option is not usable
   * @throws {DeepintCredentialsError} when there is no token (while iterating)
   * @throws {DeepintHTTPError} when a request fails (while iterating)
   * @throws {DeepintTimeoutError} when a deadline passes (while iterating)
   *
   * @example
   * ```ts
   * import { Credentials, Task } from "@deepint/task";
   *
   * const tasks = Task.list({
   *   organizationId: "o-1",
   *   workspaceId: "w-1",
   *   credentials: new Credentials({ token: "a-token" }),
   *   fetch: () => Promise.resolve(Response.json({ items: [], pages_count: 0 })),
   * });
   * for await (const task of tasks) console.log(String(task));
   * ```
   */
  static list(options: TaskListOptions): AsyncIterable<Task> {
    const organizationId = checkId("organizationId", options.organizationId);
    const workspaceId = checkId("workspaceId", options.workspaceId);
    const { fetch, name = "" } = options;
    const statuses = [options.status ?? TaskStatus.all()].flat();
    const stray = statuses.find((status) => !TaskStatus.all().includes(status));
    if (stray !== undefined) throw outOfRange("status", stray, `one of ${TaskStatus.all()}`);
    return {
      async *[Symbol.asyncIterator]() {
        const credentials = options.credentials ?? await Credentials.build();
        const connection = { organizationId, credentials, fetch };
        for await (const { items } of listPages(connection, workspaceId, options)) {
          for (const info of items) {
            const named = (info.name ?? "").toLowerCase().includes(name.toLowerCase());
            if (!named || !statuses.includes(info.status)) continue;
            const task = new Task({ ...connection, workspaceId, info });
            task.#partial = true;
            yield task;
          }
        }
      },
    };
  }

  /** What the server asked to wait before the next load, in milliseconds, with the last one. */
  get retryAfter(): number | undefined {
    return this.#retryAfter;
  }

  /**
   * Loads the task's information: one bounded request.
   *
   * @throws {DeepintHTTPError} when it fails
   * @throws {DeepintTimeoutError} when a deadline passes; it has the information as last seen
   * @throws {DeepintCredentialsError} when the function that gives the token fails
   * @throws {RangeError} when an option is out of range
   */
  async load(options: RequestOptions = {}): Promise<this> {
    await this.#load(options);
    return this;
  }

  /**
   * Follows the task: yields its current information, then one for each change of status, progress or
   * subtask, and ends after a terminal one. Leaving the loop ends the polling.
   *
   * @throws {RangeError} when an option is out of range
   * @throws {DeepintTaskError} `TASK_STATUS_UNKNOWN` for a status that is unknown (while iterating)
   * @throws {DeepintHTTPError} when a poll fails for good, or the sixth in a row does
   * @throws {DeepintTimeoutError} when `timeout` passes
   * @throws {DeepintCredentialsError} when the function that gives the token fails
   */
  watch(options: WatchOptions = {}): AsyncIterable<TaskInfo> {
    checkWatchOptions(options);
    return this.#poll(options, true);
  }

  /**
   * Waits until the task has ended. It loads at once when its information is older than one poll
   * interval, else sleeps first. A task that has ended already costs no request. A timeout or an
   * abort ends the wait, not the task: call it again to go on waiting, any number of times, also side
   * by side.
   *
   * @throws {DeepintTaskError} `TASK_<error_code>` when the task failed, `TASK_STATUS_UNKNOWN` when its
   * status is unknown; not with `raiseOnError: false`
   * @throws {DeepintTimeoutError} when `timeout` passes
   * @throws {DeepintHTTPError} when a poll fails for good, or the sixth in a row does
   * @throws {DeepintCredentialsError} when the function that gives the token fails
   * @throws {RangeError} when an option is out of range
   *
   * @example
   * ```ts
   * import { Credentials, Task } from "@deepint/task";
   *
   * const task = await Task.build({
   *   organizationId: "o-1",
   *   workspaceId: "w-1",
   *   taskId: "t-1",
   *   credentials: new Credentials({ token: "a-token" }),
   *   fetch: () => Promise.resolve(Response.json({ id: "t-1", status: "success" })),
   * });
   * const info = await task.resolve({ pollInterval: "adaptive", timeout: 3_600_000 });
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
      throw taskError(this, `TASK_${info.errorCode || "UNKNOWN"}`, {
        problem: `failed with description: ${sanitizeText(description, 2_000)}`,
        info,
      });
    }
    return info;
  }

  /**
   * What the task made. It does not wait.
   *
   * @returns `{ source: "<id>" }`, `{ model: "<id>" }`, …; `{}` when the ended task made nothing, or
   * failed
   * @throws {DeepintTaskError} `TASK_NOT_FINISHED` when it has not ended
   * @throws {DeepintHTTPError} when a load fails
   * @throws {DeepintTimeoutError} when a deadline of a load passes
   */
  async fetchResult(options: ReadOptions = {}): Promise<TaskResult> {
    await this.#loadIfNeeded(options, this.#partial || this.info.rawStatus === null);
    const { status, result, resultType } = this.info;
    if (!TaskStatus.isTerminal(status)) {
      throw taskError(this, "TASK_NOT_FINISHED", {
        problem: `has not finished: its status is ${status}`,
      });
    }
    return status === "failed" || result === null ? {} : { [resultType ?? "unknown"]: result };
  }

  /**
   * Whether the task has failed.
   *
   * @throws {DeepintHTTPError} when a load fails
   * @throws {DeepintTimeoutError} when a deadline of a load passes
   */
  async isErrored(options: ReadOptions = {}): Promise<boolean> {
    await this.#loadIfNeeded(options, this.info.rawStatus === null);
    return this.info.status === "failed";
  }

  /**
   * Whether the task has ended, successfully or not.
   *
   * @throws {DeepintHTTPError} when a load fails
   * @throws {DeepintTimeoutError} when a deadline of a load passes
   */
  async isFinished(options: ReadOptions = {}): Promise<boolean> {
    await this.#loadIfNeeded(options, this.info.rawStatus === null);
    return TaskStatus.isTerminal(this.info.status);
  }

  /**
   * Deletes the task; a running one is stopped by it.
   *
   * @throws {DeepintHTTPError} when it fails
   * @throws {DeepintTimeoutError} when a deadline passes
   * @throws {DeepintCredentialsError} when the function that gives the token fails
   * @throws {RangeError} when an option is out of range
   */
  async delete(options: RequestOptions = {}): Promise<void> {
    const parse = (body: unknown) => {
      if ((body as { result?: unknown } | undefined)?.result === "success") return;
      throw new TypeError('Cannot read the answer: it is not {"result":"success"}');
    };
    await request(this.#connection, this.#requestFor("DELETE", parse), options);
  }

  /**
   * The address in Deep Intelligence of what the task made: a source or a model; null when it made
   * neither, or that is not known yet.
   */
  resultUrl(): URL | null {
    const { result, resultType } = this.info;
    if (result === null || (resultType !== "source" && resultType !== "model")) return null;
    return webUrl({ ...this, instance: this.credentials.instance }, resultType, result);
  }

  /** The task as {@linkcode Task.fromDict} takes it back, without credentials. */
  toDict(): TaskDict {
    return {
      organization_id: this.organizationId,
      workspace_id: this.workspaceId,
      info: this.info.toDict(),
    };
  }

  /** The same as {@linkcode Task.toDict}, for `JSON.stringify`. */
  toJSON(): TaskDict {
    return this.toDict();
  }

  /** `Task (<id>) <name>: <status>` */
  toString(): string {
    return `${taskLabel(this)}: ${this.info.status}`;
  }

  get #connection(): Connection {
    const { organizationId, credentials } = this;
    return { organizationId, credentials, fetch: this.#fetch };
  }

  get #path(): string {
    return `/api/v1/workspace/${this.workspaceId}/task/${this.taskId}`;
  }

  #requestFor<T>(
    method: "GET" | "DELETE",
    parse: ApiRequest<T>["parse"],
    started?: number,
  ): ApiRequest<T> {
    return { method, path: this.#path, parse, info: () => this.info, started };
  }

  /** Loads; as a poll of a wait that began at `started`, a missing status is a failure. */
  async #load(options: RequestOptions, started?: number): Promise<void> {
    const sequence = ++this.#loadsStarted;
    const read = await request(
      this.#connection,
      this.#requestFor(
        "GET",
        (body, retryAfter) => ({ info: this.#parse(body), retryAfter }),
        started,
      ),
      options,
    );
    if (started !== undefined && read.info.rawStatus === null) {
      throw new DeepintHTTPError("INVALID_RESPONSE", "the task has no status", {
        method: "GET",
        url: instanceOrigin(this.credentials.instance) + this.#path,
        status: 200,
        retryable: true,
        retryAfter: read.retryAfter,
      });
    }
    if (sequence < this.#lastApplied) return;
    this.#lastApplied = sequence;
    this.#loadedAt = Date.now();
    this.#partial = false;
    this.#retryAfter = read.retryAfter;
    this.info = read.info;
  }

  async #loadIfNeeded(options: ReadOptions, needed: boolean): Promise<void> {
    if (needed || options.forceReload) await this.load(options);
  }

  #poll(options: WatchOptions, raiseOnUnknown: boolean): AsyncIterable<TaskInfo> {
    return abortableIterable(
      options.signal,
      (signal) =>
        pollTask(this, { ...options, signal, state: () => internals(this), raiseOnUnknown }),
    );
  }

  #parse(body: unknown): TaskInfo {
    const { id, status } = Object(body) as Record<string, unknown>;
    const nameless = (id ?? null) === null;
    const info = TaskInfo.fromDict(
      nameless && (status ?? null) !== null ? { ...Object(body), id: this.taskId } : body,
    );
    if (info.taskId !== this.taskId) throw new TypeError("Cannot read a task: it is another one");
    return info;
  }
}
