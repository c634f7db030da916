/** `TaskStatus` and `TaskInfo`. The only file that knows the field names and quirks of the wire. */
import type { TaskDict, TaskResult } from "./task_options.ts";
import type { TaskLocation } from "./task_url.ts";

/** A task's status; see the values of {@linkcode TaskStatus}. */
export type TaskStatus = "pending" | "running" | "failed" | "success" | "unknown";

const STATUSES: readonly TaskStatus[] = ["pending", "running", "failed", "success", "unknown"];

/**
 * The statuses of a task. Equivalent of `deepint.core.TaskStatus`.
 *
 * @example
 * ```ts
 * import { TaskStatus } from "@deepint/task";
 *
 * console.log(TaskStatus.fromString("running") === TaskStatus.running); // true
 * console.log(TaskStatus.isTerminal("failed")); // true
 * ```
 */
export const TaskStatus: {
  /** Waiting to run. */
  readonly pending: "pending";
  /** Running. */
  readonly running: "running";
  /** Finished successfully. */
  readonly success: "success";
  /** Finished with an error, or stopped. */
  readonly failed: "failed";
  /** A status that this version does not know; see {@linkcode TaskInfo.rawStatus}. */
  readonly unknown: "unknown";
  /** Returns all statuses. */
  all(): string[];
  /** Returns the status of that name, or `unknown` for any other text. Never throws. */
  fromString(text: string): TaskStatus;
  /** Returns `true` for the terminal statuses, `success` and `failed`. */
  isTerminal(status: string): boolean;
} = {
  pending: "pending",
  running: "running",
  success: "success",
  failed: "failed",
  unknown: "unknown",
  all: () => [...STATUSES],
  fromString: (text) => STATUSES.find((status) => status === text) ?? "unknown",
  isTerminal: (status) => status === "success" || status === "failed",
};

/** Returns `true` if a task in this status may still change. */
export function isInProgress(status: TaskStatus): boolean {
  return status === "pending" || status === "running";
}

/** A task's information in the form of the wire: all 14 keys, in this order. */
export interface TaskInfoDict {
  /** Id of the task. */
  id: string;
  /** Id of the user who created it. */
  user_id: string | null;
  /** Name of the user who created it. */
  user_name: string | null;
  /** Creation time, ISO 8601 in UTC. */
  created: string | null;
  /** Its status; null if the platform sent none. */
  status: TaskStatus | null;
  /** Run time, in milliseconds. */
  duration: number | null;
  /** Its name. */
  name: string | null;
  /** Its description. */
  description: string | null;
  /** Progress of the current subtask. */
  progress: number | null;
  /** Name of the current subtask. */
  subtask: string | null;
  /** Id of the result, or the URL of an exported file. */
  result: string | null;
  /** Type of the result: `source`, `model`, `file`, … */
  result_type: string | null;
  /** Error code, if it failed. */
  error_code: string | null;
  /** Error text, if it failed. */
  error_description: string | null;
}

/**
 * Information about a task. Every field except `taskId` and `status` may be null: the server
 * leaves out what does not apply. Source: `deepint.core.task.TaskInfo`.
 *
 * @example
 * ```ts
 * import { TaskInfo } from "@deepint/task";
 *
 * const info = TaskInfo.fromDict({ id: "t-1", status: "running", progress: "42" });
 * console.log(info.taskId, info.status, info.progress); // t-1 running 42
 * ```
 */
export class TaskInfo {
  // `declare`: the constructor assigns every field of the table below
  /** Id of the task. */
  declare readonly taskId: string;
  /** Id of the user who created it. */
  declare readonly userId: string | null;
  /** Name of the user who created it. */
  declare readonly userName: string | null;
  /** Creation time. */
  declare readonly created: Date | null;
  /** Its status. */
  declare readonly status: TaskStatus;
  /** Run time, in milliseconds. */
  declare readonly duration: number | null;
  /** Its name. */
  declare readonly name: string | null;
  /** Its description. */
  declare readonly description: string | null;
  /** Progress of the current subtask, in percent. */
  declare readonly progress: number | null;
  /** Name of the current subtask. */
  declare readonly subtask: string | null;
  /** Id of the result, or the URL of an exported file. */
  declare readonly result: string | null;
  /** Type of the result: `source`, `model`, `file`, … */
  declare readonly resultType: string | null;
  /** Error code, if it failed. */
  declare readonly errorCode: string | null;
  /** Error text, if it failed. */
  declare readonly errorDescription: string | null;
  /** The status as the platform sent it; null if it sent none. */
  declare readonly rawStatus: string | null;

  private constructor(dict: Record<string, unknown>, id: string) {
    const own = this as Record<string, unknown>;
    for (const [key, name, read] of FIELDS) {
      const value = key === "id" ? id : dict[key] ?? null;
      own[name] = value === null ? null : read(value, key);
    }
    own.status = TaskStatus.fromString(String(this.rawStatus));
  }

  /**
   * Reads a task's information from an object in the form of the wire. `id` (or `task_id`) is required.
   * Every other field may be null or missing; unknown fields are ignored. Numbers may be numeric text;
   * `created` may be ISO 8601, epoch seconds or epoch milliseconds.
   *
   * @throws {TypeError} when it is not an object, has no id, or a field is of the wrong kind
   */
  static fromDict(obj: unknown): TaskInfo {
    if (typeof obj !== "object" || obj === null || Array.isArray(obj)) {
      throw wrongKind("it", "an object", obj);
    }
    const dict = obj as Record<string, unknown>;
    const id = dict.id ?? dict.task_id;
    if (typeof id !== "string" || id === "") throw wrongKind("id", "a non-empty string", id);
    return new TaskInfo(dict, id);
  }

  /** Returns the form of the wire: 14 keys in its order, null for a missing value. */
  toDict(): TaskInfoDict {
    const dict: Record<string, unknown> = {};
    for (const [key, name] of FIELDS) dict[key] = this[name];
    dict.created = this.created?.toISOString() ?? null;
    if (this.rawStatus !== null) dict.status = this.status;
    return dict as unknown as TaskInfoDict;
  }

  /** Returns {@linkcode TaskInfo.toDict}, for `JSON.stringify`. */
  toJSON(): TaskInfoDict {
    return this.toDict();
  }
}

/** Names the type of a value. */
export function kindOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
}

/** Creates the error for a value. It names the type only: a body that is not a task may hold anything. */
export function wrongKind(key: string, expected: string, value: unknown): TypeError {
  return new TypeError(`Cannot read a task: ${key} must be ${expected}, got ${kindOf(value)}`);
}

function readText(value: unknown, key: string): string {
  if (typeof value === "string") return value;
  throw wrongKind(key, "a string or null", value);
}

/** Reads text; empty text is the same as null. */
function readNonEmpty(value: unknown, key: string): string | null {
  return readText(value, key) || null;
}

function readNumber(value: unknown, key: string): number | null {
  if (typeof value !== "string" && typeof value !== "number") {
    throw wrongKind(key, "a number, numeric text or null", value);
  }
  // `Number` also reads other text: empty, hexadecimal, "Infinity"
  const isDecimal = !/[^\s\d.e+-]|^\s*$/i.test(String(value));
  return isDecimal && Number.isFinite(Number(value)) ? Number(value) : null;
}

function readCode(value: unknown, key: string): string {
  return readText(typeof value === "number" ? String(value) : value, key);
}

/** Reads a time: ISO 8601, epoch seconds or epoch milliseconds. */
function readTime(value: unknown, key: string): Date | null {
  const epoch = readNumber(value, key);
  const ms = epoch === null ? isoTime(String(value)) : epoch > 1e11 ? epoch : epoch * 1000;
  const result = new Date(ms);
  return Number.isNaN(result.getTime()) ? null : result;
}

// date, time, fraction, offset; without an offset it is UTC, where `Date.parse` assumes local time
const ISO =
  /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d:\d\d)(?::?(\d\d)(?:[.,](\d+))?)?\s*(?:Z|([+-]\d\d)(?::?(\d\d))?)?)?$/i;

function isoTime(value: string): number {
  const [, year, month, day, time = "00:00", seconds = "00", fraction = "", hours, minutes = "00"] =
    ISO.exec(value.trim()) ?? [];
  const date = `${year}-${month}-${day}T`;
  // engines turn 31 April into 1 May; refuse dates that do not exist
  if (new Date(`${date}00:00:00Z`).getUTCDate() !== Number(day)) return NaN;
  const offset = hours ? `${hours}:${minutes}` : "Z";
  return Date.parse(`${date}${time}:${seconds}.${`${fraction}000`.slice(0, 3)}${offset}`);
}

/** The fields in the order of the wire: key, property and reader. */
const FIELDS = [
  ["id", "taskId", readText],
  ["user_id", "userId", readText],
  ["user_name", "userName", readText],
  ["created", "created", readTime],
  ["status", "rawStatus", readText],
  ["duration", "duration", readNumber],
  ["name", "name", readText],
  ["description", "description", readText],
  ["progress", "progress", readNumber],
  ["subtask", "subtask", readText],
  ["result", "result", readNonEmpty],
  ["result_type", "resultType", readNonEmpty],
  ["error_code", "errorCode", readCode],
  ["error_description", "errorDescription", readText],
] as const satisfies [
  keyof TaskInfoDict,
  keyof TaskInfo,
  (value: unknown, key: string) => unknown,
][];

/** Returns the stored form of a task, which {@linkcode Task.fromDict} reads. */
export function toTaskDict(
  { organizationId, workspaceId, info }:
    & Pick<TaskLocation, "organizationId" | "workspaceId">
    & { info: TaskInfo },
): TaskDict {
  return { organization_id: organizationId, workspace_id: workspaceId, info: info.toDict() };
}

/** Returns the result of a finished task by its type; `{}` if it has none or failed. */
export function toResult({ status, result, resultType }: TaskInfo): TaskResult {
  return status === "failed" || result === null ? {} : { [resultType ?? "unknown"]: result };
}

/**
 * Reads the body of a response about one task. A missing id means the requested task.
 *
 * @throws {TypeError} when the body is not a task, or another task
 */
export function parseTaskBody(body: unknown, taskId: string): TaskInfo {
  const dict = Object(body) as Record<string, unknown>;
  const isNameless = (dict.id ?? null) === null && (dict.status ?? null) !== null;
  const info = TaskInfo.fromDict(isNameless ? { ...dict, id: taskId } : body);
  if (info.taskId === taskId) return info;
  throw new TypeError("Cannot read a task: the response is another task");
}
