/** The error classes and their codes. */
import type { Task } from "./task.ts";
import type { TaskInfo } from "./task_info.ts";

/**
 * What went wrong, for code to decide on. Beyond the codes listed here come those that the server
 * chooses: `TASK_<error_code>` of a failed task, and the `code` of an error body when it matches
 * `[A-Z0-9_]{1,64}`.
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

/** The class of every error that an operation of this module rejects with. */
export class DeepintBaseError extends Error {
  static {
    this.prototype.name = "DeepintBaseError";
  }
  /** What went wrong, for code to decide on. */
  declare readonly code: DeepintErrorCode;

  /** Makes an error with a code, a message and, when there is one, a cause. */
  constructor(code: DeepintErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  /** `<code>: <message>` */
  override toString(): string {
    return `${this.code}: ${this.message}`;
  }
}

/** No token was found (`CREDENTIALS_NOT_FOUND`), or it is not usable (`CREDENTIALS_INVALID`). */
export class DeepintCredentialsError extends DeepintBaseError {
  static {
    this.prototype.name = "DeepintCredentialsError";
  }
}

/** What a {@linkcode DeepintHTTPError} tells beside its code and message. */
export interface HTTPErrorOptions extends ErrorOptions {
  /** The request's method. */
  method: string;
  /** The request's URL without its query. */
  url: string;
  /** The status of the answer; 0 when there was none. */
  status: number;
  /** Whether the same request may succeed later. */
  retryable: boolean;
  /** How long the server asks to wait, in milliseconds. */
  retryAfter?: number | undefined;
}

/** A request that got no answer, or one that is not a usable success. */
export class DeepintHTTPError extends DeepintBaseError {
  static {
    this.prototype.name = "DeepintHTTPError";
  }
  /** The request's method. */
  declare readonly method: string;
  /** The request's URL without its query. */
  declare readonly url: string;
  /** The status of the answer; 0 when there was none. */
  declare readonly status: number;
  /** Whether the same request may succeed later. */
  declare readonly retryable: boolean;
  /** How long the server asks to wait, in milliseconds. */
  declare readonly retryAfter?: number;

  /** The message becomes `Error on HTTP <METHOD> <url>: <message>`. */
  constructor(code: DeepintErrorCode, message: string, options: HTTPErrorOptions) {
    const { method, url, status, retryable, retryAfter } = options;
    super(code, `Error on HTTP ${method} ${url}: ${message}`, options);
    this.method = method;
    this.url = url;
    this.status = status;
    this.retryable = retryable;
    if (retryAfter !== undefined) this.retryAfter = retryAfter;
  }
}

/** What a {@linkcode DeepintTimeoutError} tells beside its message. */
export interface TimeoutErrorOptions {
  /** How long the operation had taken, in milliseconds. */
  elapsed: number;
  /** The task's information as last seen. */
  info?: TaskInfo | undefined;
  /**
   * Whether only one attempt was timed out, with time left for another.
   *
   * @default false
   */
  retryable?: boolean;
  /** How long the server asked to wait, in milliseconds, when that was longer than the time left. */
  retryAfter?: number | undefined;
}

/** A deadline passed (code `TIMEOUT`). The task goes on. */
export class DeepintTimeoutError extends DeepintBaseError {
  static {
    this.prototype.name = "DeepintTimeoutError";
  }
  /** How long the operation had taken, in milliseconds. */
  declare readonly elapsed: number;
  /** The task's information as last seen. */
  declare readonly info?: TaskInfo;
  /** Whether only one attempt was timed out, with time left for another. */
  declare readonly retryable: boolean;
  /** How long the server asked to wait, in milliseconds, when that was longer than the time left. */
  declare readonly retryAfter?: number;

  /** Makes the error of an operation that took too long. */
  constructor(message: string, options: TimeoutErrorOptions) {
    super("TIMEOUT", message);
    this.elapsed = options.elapsed;
    this.retryable = options.retryable ?? false;
    if (options.info) this.info = options.info;
    if (options.retryAfter !== undefined) this.retryAfter = options.retryAfter;
  }
}

/** Thrown when a task failed, its status ends the wait, or it has not finished. */
export class DeepintTaskError extends DeepintBaseError {
  static {
    this.prototype.name = "DeepintTaskError";
  }
  /** The task. */
  readonly task: Task;
  /** The task's information when the error was found. */
  readonly info: TaskInfo;

  /** Creates the error of a task. */
  constructor(code: DeepintErrorCode, message: string, options: { task: Task; info: TaskInfo }) {
    super(code, message);
    this.task = options.task;
    this.info = options.info;
  }
}
