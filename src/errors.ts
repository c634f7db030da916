/** The error classes and their codes. */
import type { Task } from "./task.ts";
import type { TaskInfo } from "./task_info.ts";

/**
 * Code of an error, for programs to branch on. The platform adds codes of its own: `TASK_<error_code>` of
 * a failed task, and the `code` of an error response if it matches `[A-Z0-9_]{1,64}`.
 */
export type DeepintErrorCode =
  | "CREDENTIALS_NOT_FOUND"
  | "CREDENTIALS_INVALID"
  | "NETWORK_ERROR"
  | "REDIRECT"
  | "BODY_TOO_LARGE"
  | "INVALID_RESPONSE"
  | "LIMIT"
  | "UNKNOWN_ERROR"
  | "BAD_GATEWAY"
  | "TIMEOUT_ERROR"
  | `HTTP_${number}`
  | "TIMEOUT"
  | "TASK_NOT_FINISHED"
  | "TASK_STATUS_UNKNOWN"
  | `TASK_${string}`
  | (string & Record<never, never>);

/**
 * Base class of every error that an operation of this module rejects with.
 *
 * @example
 * ```ts
 * import { DeepintBaseError, Task } from "@deepint/task";
 *
 * try {
 *   await Task.build({ organizationId: "o-1", workspaceId: "w-1", taskId: "t-9" });
 * } catch (error) {
 *   if (error instanceof DeepintBaseError) console.log(error.code); // TASK_NOT_FOUND
 * }
 * ```
 */
export class DeepintBaseError extends Error {
  /** `"DeepintBaseError"`. */
  override get name(): string {
    return "DeepintBaseError";
  }
  /** The code, for programs to branch on. */
  declare readonly code: DeepintErrorCode;

  /** Creates an error with a code, a message and optionally a cause. */
  constructor(code: DeepintErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** Returns `<code>: <message>`. */
  override toString(): string {
    return `${this.code}: ${this.message}`;
  }

  /** Returns the message and the other fields, without cause and stack, for `JSON.stringify`. */
  toJSON(): Record<string, unknown> {
    return { message: this.message, ...(this as object) };
  }
}

/** Thrown when no token is found (`CREDENTIALS_NOT_FOUND`) or it is invalid (`CREDENTIALS_INVALID`). */
export class DeepintCredentialsError extends DeepintBaseError {
  /** `"DeepintCredentialsError"`. */
  override get name(): string {
    return "DeepintCredentialsError";
  }
}

/** Options of the {@linkcode DeepintHTTPError} constructor. */
export interface HTTPErrorOptions extends ErrorOptions {
  /** The request's method. */
  method: string;
  /** The request's URL without its query. */
  url: string;
  /** The status of the response; 0 without a response. */
  status: number;
  /** `true` if the same request may succeed later. */
  retryable: boolean;
  /** The delay that the server asked for, in milliseconds. */
  retryAfter?: number | undefined;
  /** The response's `x-request-id`. */
  requestId?: string | undefined;
}

/** Thrown when a request gets no response, or one that is not a usable success. */
export class DeepintHTTPError extends DeepintBaseError {
  /** `"DeepintHTTPError"`. */
  override get name(): string {
    return "DeepintHTTPError";
  }
  /** The request's method. */
  declare readonly method: string;
  /** The request's URL without its query. */
  declare readonly url: string;
  /** The status of the response; 0 without a response. */
  declare readonly status: number;
  /** `true` if the same request may succeed later. */
  declare readonly retryable: boolean;
  /** The delay that the server asked for, in milliseconds. */
  declare readonly retryAfter?: number;
  /** The response's `x-request-id`, for questions to the platform's support. */
  declare readonly requestId?: string;

  /** Creates an error with the message `Error on HTTP <METHOD> <url>: <message>`. */
  constructor(code: DeepintErrorCode, message: string, options: HTTPErrorOptions) {
    const { method, url, status, retryable, retryAfter, requestId } = options;
    super(code, `Error on HTTP ${method} ${url}: ${message}`, options);
    this.method = method;
    this.url = url;
    this.status = status;
    this.retryable = retryable;
    if (retryAfter !== undefined) this.retryAfter = retryAfter;
    if (requestId) this.requestId = requestId;
  }
}

/** Options of the {@linkcode DeepintTimeoutError} constructor. */
export interface TimeoutErrorOptions {
  /** Duration of the operation, in milliseconds. */
  elapsed: number;
  /** The last known information of the task. */
  info?: TaskInfo | undefined;
  /**
   * `true` if one attempt timed out and time is left for another.
   *
   * @default false
   */
  retryable?: boolean;
  /** The delay that the server asked for, in milliseconds, if it exceeds the remaining time. */
  retryAfter?: number | undefined;
}

/** Thrown when a deadline passes (code `TIMEOUT`). It does not stop the task. */
export class DeepintTimeoutError extends DeepintBaseError {
  /** `"DeepintTimeoutError"`. */
  override get name(): string {
    return "DeepintTimeoutError";
  }
  /** Duration of the operation, in milliseconds. */
  declare readonly elapsed: number;
  /** The last known information of the task. */
  declare readonly info?: TaskInfo;
  /** `true` if one attempt timed out and time is left for another. */
  declare readonly retryable: boolean;
  /** The delay that the server asked for, in milliseconds, if it exceeds the remaining time. */
  declare readonly retryAfter?: number;

  /** Creates the error of an operation whose deadline has passed. */
  constructor(message: string, options: TimeoutErrorOptions) {
    super("TIMEOUT", message);
    this.elapsed = options.elapsed;
    this.retryable = options.retryable ?? false;
    if (options.info) this.info = options.info;
    if (options.retryAfter !== undefined) this.retryAfter = options.retryAfter;
  }
}

/** Thrown when a task failed, has an unknown status, or has not finished yet. */
export class DeepintTaskError extends DeepintBaseError {
  /** `"DeepintTaskError"`. */
  override get name(): string {
    return "DeepintTaskError";
  }
  /** The task. */
  declare readonly task: Task;
  readonly #info: TaskInfo; // private, as `task` prints it already

  /** Creates the error of a task. */
  constructor(code: DeepintErrorCode, message: string, options: { task: Task; info: TaskInfo }) {
    super(code, message);
    this.task = options.task;
    this.#info = options.info;
  }

  /** The task's information when the error was found. */
  get info(): TaskInfo {
    return this.#info;
  }
}
