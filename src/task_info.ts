/** `TaskStatus` and `TaskInfo`: the only file that knows the wire's names and quirks. */

/** A task's status; see the values of {@linkcode TaskStatus}. */
export type TaskStatus = "pending" | "running" | "failed" | "success" | "unknown";

const STATUSES: readonly TaskStatus[] = ["pending", "running", "failed", "success", "unknown"];

/**
 * The statuses of a task, and what can be asked of them. Source: `deepint.core.TaskStatus`.
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
  /** Waiting to be handled. */
  readonly pending: "pending";
  /** Executing. */
  readonly running: "running";
  /** Ended successfully. */
  readonly success: "success";
  /** Ended with an error. */
  readonly failed: "failed";
  /** A status that this version does not know; {@linkcode TaskInfo.rawStatus} has the word. */
  readonly unknown: "unknown";
  /** All statuses, as text. */
  all(): string[];
  /** The status of that name; `unknown` for any other text. Never throws. */
  fromString(text: string): TaskStatus;
  /** Whether a task in this status has ended: `success` and `failed` alone. */
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

/** A task's information as the wire has it: these keys, in this order, always all of them. */
export interface TaskInfoDict {
  /** Id of the task. */
  id: string;
  /** Id of the user who created it. */
  user_id: string | null;
  /** Name of the user who created it. */
  user_name: string | null;
  /** When it was created: ISO 8601 in UTC. */
  created: string | null;
  /** Its status; null when the server said none. */
  status: TaskStatus | null;
  /** How long it has run, in milliseconds. */
  duration: number | null;
  /** Its name. */
  name: string | null;
  /** Its description. */
  description: string | null;
  /** Progress of the current subtask. */
  progress: number | null;
  /** Name of the current subtask. */
  subtask: string | null;
  /** Id of what the task made. */
  result: string | null;
  /** Kind of what the task made: `source`, `model`, … */
  result_type: string | null;
  /** Error code, if it failed. */
  error_code: string | null;
  /** Error text, if it failed. */
  error_description: string | null;
}

/**
 * What Deep Intelligence says of a task. Any field but `taskId` and `status` may be null: the server
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
  // `declare`: the constructor assigns every field, and an empty definition before that is only weight
  /** Id of the task. */
  declare readonly taskId: string;
  /** Id of the user who created it. */
  declare readonly userId: string | null;
  /** Name of the user who created it. */
  declare readonly userName: string | null;
  /** When it was created. */
  declare readonly created: Date | null;
  /** Its status. */
  declare readonly status: TaskStatus;
  /** How long it has run, in milliseconds. */
  declare readonly duration: number | null;
  /** Its name. */
  declare readonly name: string | null;
  /** Its description. */
  declare readonly description: string | null;
  /** Progress of the current subtask, in percent. */
  declare readonly progress: number | null;
  /** Name of the current subtask. */
  declare readonly subtask: string | null;
  /** Id of what the task made. */
  declare readonly result: string | null;
  /** Kind of what the task made: `source`, `model`, … */
  declare readonly resultType: string | null;
  /** Error code, if it failed. */
  declare readonly errorCode: string | null;
  /** Error text, if it failed. */
  declare readonly errorDescription: string | null;
  /** The status as the server said it; null when it said none. */
  declare readonly rawStatus: string | null;

  private constructor(dict: Record<string, unknown>) {
    const id = dict.id ?? dict.task_id;
    if (typeof id !== "string" || id === "") throw wrongKind("id", "a non-empty string", id);
    this.taskId = id;
    this.userId = text(dict, "user_id");
    this.userName = text(dict, "user_name");
    this.created = date(dict, "created");
    this.rawStatus = text(dict, "status");
    this.status = TaskStatus.fromString(this.rawStatus ?? "");
    this.duration = number(dict, "duration");
    this.name = text(dict, "name");
    this.description = text(dict, "description");
    this.progress = number(dict, "progress");
    this.subtask = text(dict, "subtask");
    this.result = text(dict, "result");
    this.resultType = text(dict, "result_type");
    const code = dict.error_code;
    this.errorCode = typeof code === "number" ? String(code) : text(dict, "error_code");
    this.errorDescription = text(dict, "error_description");
  }

  /**
   * Reads a task's information from a dictionary in the wire's form. `id` (or `task_id`) is required;
   * every other field may be null or missing, and unknown ones are ignored. Numbers may be numeric
   * text; `created` may be ISO 8601 or epoch seconds or milliseconds.
   *
   * @throws {TypeError} when it is no object, has no id, or a field is of the wrong kind
   */
  static fromDict(obj: unknown): TaskInfo {
    if (typeof obj !== "object" || obj === null || Array.isArray(obj)) {
      throw new TypeError(`Cannot read a task: expected an object, got ${kindOf(obj)}`);
    }
    return new TaskInfo(obj as Record<string, unknown>);
  }

  /** The information in the wire's form: 14 keys in the wire's order, null where there is none. */
  toDict(): TaskInfoDict {
    return {
      id: this.taskId,
      user_id: this.userId,
      user_name: this.userName,
      created: this.created?.toISOString() ?? null,
      status: this.rawStatus === null ? null : this.status,
      duration: this.duration,
      name: this.name,
      description: this.description,
      progress: this.progress,
      subtask: this.subtask,
      result: this.result,
      result_type: this.resultType,
      error_code: this.errorCode,
      error_description: this.errorDescription,
    };
  }

  /** The same as {@linkcode TaskInfo.toDict}, for `JSON.stringify`. */
  toJSON(): TaskInfoDict {
    return this.toDict();
  }
}

function kindOf(value: unknown): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
}

// names the kind and never the value: a body that is not a task may be anything
function wrongKind(key: string, expected: string, value: unknown): TypeError {
  return new TypeError(`Cannot read a task: ${key} must be ${expected}, got ${kindOf(value)}`);
}

function text(dict: Record<string, unknown>, key: string): string | null {
  const value = dict[key] ?? null;
  if (value === null || typeof value === "string") return value;
  throw wrongKind(key, "a string or null", value);
}

function number(dict: Record<string, unknown>, key: string): number | null {
  const value = dict[key] ?? null;
  if (value === null) return null;
  if (typeof value === "string") return decimal(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  throw wrongKind(key, "a number, numeric text or null", value);
}

function decimal(value: string): number | null {
  if (!/^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*$/i.test(value)) return null;
  return Number.isFinite(Number(value)) ? Number(value) : null;
}

// date, time, fraction, offset; without an offset it is UTC, which `Date.parse` alone would take as
// local time
const ISO =
  /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d:\d\d)(?::?(\d\d)(?:[.,](\d+))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

function date(dict: Record<string, unknown>, key: string): Date | null {
  const value = dict[key] ?? null;
  if (value === null) return null;
  if (typeof value !== "string" && typeof value !== "number") {
    throw wrongKind(key, "ISO 8601 text, epoch seconds or milliseconds, or null", value);
  }
  const epoch = typeof value === "number" ? value : decimal(value);
  const ms = epoch === null ? isoTime(String(value)) : epoch > 1e11 ? epoch : epoch * 1000;
  const result = new Date(ms);
  return Number.isNaN(result.getTime()) ? null : result;
}

function isoTime(value: string): number {
  const [, year, month, day, time = "00:00", seconds = "00", fraction = "0", zone = "Z"] =
    ISO.exec(value.trim()) ?? [];
  // engines roll 31 April over to 1 May; a date that does not exist cannot be read
  const midnight = new Date(`${year}-${month}-${day}T00:00:00Z`);
  if (midnight.getUTCDate() !== Number(day)) return NaN;
  const offset = zone.length === 3 ? `${zone}:00` : zone.replace(/^(...)(\d\d)$/, "$1:$2");
  return Date.parse(
    `${year}-${month}-${day}T${time}:${seconds}.${
      fraction.padEnd(3, "0").slice(0, 3)
    }${offset.toUpperCase()}`,
  );
}
