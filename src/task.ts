/** `Task`: one task of Deep Intelligence, and waiting for it. */
import { Credentials } from "./credentials.ts";
import { DeepintBaseError, DeepintHTTPError, DeepintTimeoutError } from "./errors.ts";
import {
  type ApiRequest,
  type Connection,
  type Fetch,
  isTransient,
  request,
  type RequestOptions,
} from "./request.ts";
import { checkPollInterval, MAX_WAIT_MS, nextDelay, type PollInterval } from "./schedule.ts";
import { TaskInfo, type TaskInfoDict, TaskStatus } from "./task_info.ts";
import { listPages } from "./task_list.ts";
import { checkId, instanceOrigin, parseTaskUrl, webUrl } from "./task_url.ts";
import { outOfRange, quote, sanitizeText } from "./internal/text.ts";
import { checkDuration, sleep } from "./internal/deadline.ts";
import { elapsedTime } from "./internal/clock.ts";

/** Where a task's requests go. */
export interface ConnectionOptions {
  /**
   * Whose requests they are.
   *
   * @default Credentials.build()
   */
  credentials?: Credentials | undefined;
  /**
   * The function that requests go through.
   *
   * @default globalThis.fetch
   */
  fetch?: Fetch | undefined;
}

/** What a {@linkcode Task} is made of. */
export interface TaskOptions extends ConnectionOptions {
  /** The organization's id. */
  organizationId: string;
  /** The workspace's id. */
  workspaceId: string;
  /** Whose requests they are. */
  credentials: Credentials;
  /** What is known of the task. */
  info: TaskInfo;
}

/** Which task {@linkcode Task.build} loads. */
export interface TaskBuildOptions extends ConnectionOptions, RequestOptions {
  /** The organization's id. */
  organizationId: string;
  /** The workspace's id. */
  workspaceId: string;
  /** The task's id. */
  taskId: string;
}

/** What {@linkcode Task.fromUrl} takes beside the URL. */
export interface TaskFromUrlOptions extends ConnectionOptions, RequestOptions {
  /** The organization's id: required for an API URL, which has none. */
  organizationId?: string | undefined;
}

/** Whose requests the task of {@linkcode Task.fromDict} makes. */
export interface TaskFromDictOptions extends ConnectionOptions {
  /** Whose requests they are. */
  credentials: Credentials;
}

/** Which tasks {@linkcode Task.list} lists. The deadlines of {@linkcode RequestOptions} are a page's. */
export interface TaskListOptions extends ConnectionOptions, RequestOptions {
  /** The organization's id. */
  organizationId: string;
  /** The workspace's id. */
  workspaceId: string;
  /**
   * How many tasks to ask for at a time, 1 to 500.
   *
   * @default 500
   */
  pageSize?: number | undefined;
  /**
   * The statuses to keep.
   *
   * @default all
   */
  status?: TaskStatus | readonly TaskStatus[] | undefined;
  /**
   * A part of the name, in any case, of the tasks to keep.
   *
   * @default "", which is part of every name
   */
  name?: string | undefined;
}

/** How {@linkcode Task.watch} polls. A poll makes one attempt: `retries` does not apply to it. */
export interface WatchOptions extends RequestOptions {
  /**
   * Milliseconds between polls, 250 or more, or `"adaptive"` (see `pollDelay`), the better choice for
   * a long task.
   *
   * @default 3000
   */
  pollInterval?: PollInterval | undefined;
  /**
   * Milliseconds for the whole wait.
   *
   * @default Infinity
   */
  timeout?: number | undefined;
}

/** How {@linkcode Task.resolve} waits. */
export interface ResolveOptions extends WatchOptions {
  /**
   * Whether a failed task, or an unknown status, rejects.
   *
   * @default true
   */
  raiseOnError?: boolean | undefined;
  /** Called when status, progress or subtask changed. If it throws, the wait goes on. */
  onProgress?: ((info: TaskInfo) => void) | undefined;
}

/** Options of what reads the task's information. */
export interface ReadOptions extends RequestOptions {
  /**
   * Whether to load the information first.
   *
   * @default false
   */
  forceReload?: boolean | undefined;
}

/** What a task made: `{ source: "<id>" }`, `{ model: "<id>" }`, …; `{}` when it made nothing. */
export type TaskResult = Record<string, string>;

/** A task as {@linkcode Task.fromDict} takes it back. */
export interface TaskDict {
  /** The organization's id. */
  organization_id: string;
  /** The workspace's id. */
  workspace_id: string;
  /** The task's information, in the wire's form. */
  info: TaskInfoDict;
}

/** A task failed, has a status that ends the wait, or has not ended. */
export class DeepintTaskError extends DeepintBaseError {
  static {
    this.prototype.name = "DeepintTaskError";
  }
  /** The task. */
  readonly task: Task;
  /** The task's information when this was found. */
  readonly info: TaskInfo;

  /** Makes the error of a task. */
  constructor(code: string, message: string, options: { task: Task; info: TaskInfo }) {
    super(code, message);
    this.task = options.task;
    this.info = options.info;
  }
}

/** What `resolveAll` needs of a task. Internal. */
export let internals: (task: Task) => {
  connection: Connection;
  loadedAt: number;
  partial: boolean;
  poll(options: RequestOptions, started: number): Promise<void>;
};

// the sixth failed poll in a row ends a wait
export const MAX_FAILURES = 5;

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
      poll: (options, started) => task.#load(options, started),
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
    return abortableIterable(options.signal, (stop) => this.#poll(options, stop, true));
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
    const infos = abortableIterable(
      options.signal,
      (stop) => this.#poll(options, stop, raiseOnError),
    );
    for await (const next of infos) {
      if (onProgress && hasChanged(info, next)) notifyProgress(onProgress, next);
      info = next;
    }
    if (raiseOnError && info.status === "failed") {
      const description = info.errorDescription || "no description";
      throw this.#error(
        `TASK_${info.errorCode || "UNKNOWN"}`,
        `failed with description: ${sanitizeText(description, 2_000)}`,
        info,
      );
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
      throw this.#error("TASK_NOT_FINISHED", `has not finished: its status is ${status}`);
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
    return `${this.#label()}: ${this.info.status}`;
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

  /** Yields the current information, then one for each change; ends with the wait. */
  async *#poll(
    options: WatchOptions,
    signal: AbortSignal,
    raiseOnUnknown: boolean,
  ): AsyncGenerator<TaskInfo, void, void> {
    const { pollInterval = 3_000, timeout = Infinity, requestTimeout } = options;
    const started = Date.now();
    const left = () => timeout - (Date.now() - started);
    const delay = (retryAfter?: number) =>
      nextDelay(pollInterval, {
        elapsed: elapsedTime(this.info.created, started),
        retryAfter,
      });
    let retryAfter = this.#retryAfter;
    let wait = delay(retryAfter);
    const old = Date.now() - this.#loadedAt > wait;
    const { rawStatus, status } = this.info;
    let shown: TaskInfo | undefined;
    if (!this.#partial && rawStatus !== null && !(status === "unknown" && old)) shown = this.info;
    if (old || !shown) wait = 0;
    let failure: DeepintHTTPError | DeepintTimeoutError | undefined;
    let failures = 0;
    if (shown) yield this.#assertKnown(shown, raiseOnUnknown);
    while (!shown || isInProgress(shown.status)) {
      if (wait > 0) {
        if (retryAfter !== undefined && retryAfter > Math.min(left(), MAX_WAIT_MS)) {
          throw failure ?? this.#timeoutError(started, retryAfter);
        }
        const last = left() <= wait;
        await sleep(Math.min(wait, left()), signal);
        if (last) throw this.#timeoutError(started);
      }
      if (left() <= 0) throw this.#timeoutError(started);
      failure = undefined;
      // another call may have seen the end meanwhile
      if (this.#partial || !TaskStatus.isTerminal(this.info.status)) {
        try {
          const bounds = { signal, timeout: left(), requestTimeout, retries: 0 };
          await this.#load(bounds, started);
          failures = 0;
        } catch (error) {
          if (error instanceof DeepintTimeoutError && !error.retryable) {
            throw this.#timeoutError(started);
          }
          if (!isTransient(error) || ++failures > MAX_FAILURES) throw error;
          failure = error;
        }
      }
      if (!failure && this.info.rawStatus !== null && (!shown || hasChanged(shown, this.info))) {
        shown = this.info;
        yield this.#assertKnown(shown, raiseOnUnknown);
      }
      retryAfter = failure ? failure.retryAfter : this.#retryAfter;
      wait = delay(retryAfter);
    }
  }

  #assertKnown(info: TaskInfo, raiseOnUnknown: boolean): TaskInfo {
    if (info.status !== "unknown" || !raiseOnUnknown) return info;
    throw this.#error(
      "TASK_STATUS_UNKNOWN",
      `has the unknown status ${quote(info.rawStatus)}, so it cannot be told whether it goes on`,
      info,
    );
  }

  #timeoutError(started: number, retryAfter?: number): DeepintTimeoutError {
    const elapsed = Date.now() - started;
    const asked = retryAfter === undefined ? "" : `, the server asks to wait ${retryAfter} ms`;
    return new DeepintTimeoutError(
      `${this.#label()} had not ended after ${elapsed} ms (status ${this.info.status}${asked}); ` +
        "it goes on: wait again to see its end",
      { elapsed, info: this.info, retryAfter },
    );
  }

  #label(info = this.info): string {
    return `Task (${this.taskId}) ${sanitizeText(info.name ?? "")}`.trim();
  }

  #error(code: string, what: string, info = this.info): DeepintTaskError {
    return new DeepintTaskError(sanitizeText(code), `${this.#label(info)} ${what}`, {
      task: this,
      info,
    });
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

/** Whether a task in this status may still change. Internal. */
export function isInProgress(status: TaskStatus): boolean {
  return status === "pending" || status === "running";
}

/**
 * What `make` yields. Its signal aborts with `signal`, and when the reader leaves, which the generator
 * alone would learn of only at its next `yield`. Internal.
 */
export function abortableIterable<T>(
  signal: AbortSignal | undefined,
  make: (stop: AbortSignal) => AsyncGenerator<T, void, void>,
): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const stop = new AbortController();
      const items = run(stop);
      return {
        next: () => items.next(),
        return: () => {
          stop.abort();
          return items.return();
        },
      };
    },
  };

  async function* run(stop: AbortController): AsyncGenerator<T, void, void> {
    signal?.throwIfAborted();
    const abort = () => stop.abort(signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      yield* make(stop.signal);
    } catch (error) {
      // left by its reader: that is an end, not an error
      if (signal?.aborted || !stop.signal.aborted) throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      stop.abort(); // what is still under way
    }
  }
}

function hasChanged(a: TaskInfo, b: TaskInfo): boolean {
  return a.rawStatus !== b.rawStatus || a.progress !== b.progress || a.subtask !== b.subtask;
}

function notifyProgress(onProgress: (info: TaskInfo) => void, info: TaskInfo): void {
  // async, so that a promise that it returns is caught as well; it still begins at once
  (async () => await onProgress(info))().catch((error) => {
    // deno-lint-ignore no-console -- `reportError` would end a Deno process
    console.error("onProgress failed:", error);
  });
}

export function checkWatchOptions(options: WatchOptions): void {
  const { pollInterval = 3_000, timeout = Infinity, requestTimeout = 0 } = options;
  checkPollInterval(pollInterval);
  checkDuration("timeout", timeout);
  checkDuration("requestTimeout", requestTimeout);
}
