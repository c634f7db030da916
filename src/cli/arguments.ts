/** What the words of a command mean: tasks, workspaces, durations, statuses. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import { InvalidArgumentError } from "npm:commander@^15.1.0";
import {
  Credentials,
  DeepintCredentialsError,
  parseTaskUrl,
  type PollInterval,
  Task,
  type TaskLocation,
  TaskStatus,
} from "../../mod.ts";
import { sanitizeText } from "../internal/text.ts";

/** Options of every command that asks the platform. */
export interface ConnectionFlags {
  instance?: string;
  organization?: string;
  /** Milliseconds. */
  timeout?: number;
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads a duration, such as `90s`, `10m` or `1h30m`; a number without a unit is refused, since it may
 * mean seconds or milliseconds.
 *
 * @returns milliseconds
 * @throws {InvalidArgumentError} when it is no duration, or nothing
 */
export function parseDuration(text: string): number {
  const parts = /^(\d+(\.\d+)?(ms|[smhd]))+$/.test(text)
    ? [...text.matchAll(/([\d.]+)([a-z]+)/g)]
    : [];
  const sum = parts.reduce((sum, [, n, unit = ""]) => sum + Number(n) * (UNITS[unit] ?? NaN), 0);
  if (sum > 0 && Number.isFinite(sum)) return sum;
  throw new InvalidArgumentError("It must be a duration such as 500ms, 90s, 10m, 1h30m or 2d");
}

/**
 * Reads an interval between polls.
 *
 * @throws {InvalidArgumentError} when it is neither `adaptive` nor a duration from 250 ms to a day
 */
export function parseInterval(text: string): PollInterval {
  if (text === "adaptive") return text;
  const interval = parseDuration(text);
  if (interval >= 250 && interval <= 86_400_000) return interval;
  throw new InvalidArgumentError("It must be adaptive, or from 250ms to 1d");
}

/**
 * Reads a list of statuses, such as `running,failed`.
 *
 * @throws {InvalidArgumentError} when one is none
 */
export function parseStatuses(text: string): TaskStatus[] {
  return text.split(",").map((word) => {
    const status = TaskStatus.fromString(word.trim());
    if (status === word.trim()) return status;
    throw new InvalidArgumentError(`It must be of ${TaskStatus.all().join(", ")}`);
  });
}

/**
 * Reads how many.
 *
 * @throws {InvalidArgumentError} when it is no whole number from 1
 */
export function parseLimit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number from 1");
}

/**
 * Reads `organization/workspace`.
 *
 * @throws {InvalidArgumentError} when it is not of that form
 */
export function parseWorkspace(text: string): { organizationId: string; workspaceId: string } {
  const [, organizationId, workspaceId] = /^([^/]+)\/([^/]+)$/.exec(text) ?? [];
  if (organizationId && workspaceId) return { organizationId, workspaceId };
  throw new InvalidArgumentError("It must be organization/workspace");
}

function locateUrl(url: string, organization: string | undefined): TaskLocation {
  try {
    return parseTaskUrl(url, { organizationId: organization });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // the client speaks of its own option
    throw new RangeError(error.message.replace("the option organizationId", "--organization"));
  }
}

/** Where a word says that a task is; without an instance, on that of the credentials. */
function parseTaskArgument(
  argument: string,
  organization: string | undefined,
): Omit<TaskLocation, "instance"> & { instance?: string } {
  if (argument.includes("://")) return locateUrl(argument, organization);
  const [, organizationId = "", workspaceId = "", taskId] =
    /^([^/]+)\/([^/]+)\/([^/]+)$/.exec(argument) ?? [];
  if (taskId === undefined) {
    throw new RangeError(
      `Cannot tell which task "${sanitizeText(argument)}" is: pass its web URL, its API URL with ` +
        "--organization, or organization/workspace/task",
    );
  }
  if (organization !== undefined && organization !== organizationId) {
    throw new RangeError(
      `Cannot use --organization "${sanitizeText(organization)}": the task "${
        sanitizeText(argument)
      }" ` +
        "names another",
    );
  }
  return { organizationId, workspaceId, taskId };
}

/**
 * Token and instance, as the client finds them.
 *
 * @throws {DeepintCredentialsError} when there is no token, or none that a header can carry
 * @throws {RangeError} when the instance is not `host[:port]` or an origin
 */
export async function findCredentials({ instance }: ConnectionFlags): Promise<Credentials> {
  try {
    return await Credentials.build({ instance });
  } catch (error) {
    if (!(error instanceof DeepintCredentialsError)) throw error;
    if (error.code !== "CREDENTIALS_NOT_FOUND") throw error;
    throw new DeepintCredentialsError(
      error.code, // the client speaks of its own parameter
      "Cannot find a token: set DEEPINT_TOKEN, or token under [DEFAULT] in ~/.deepint.ini",
    );
  }
}

/**
 * The tasks that the words name, each once. No request.
 *
 * @throws {RangeError} when a word names no task, or one on another instance than the token's
 * @throws {DeepintCredentialsError} when there is no token
 */
export async function openTasks(args: string[], flags: ConnectionFlags): Promise<Task[]> {
  const locations = args.map((argument) => parseTaskArgument(argument, flags.organization));
  const credentials = await findCredentials(flags);
  const tasks = new Map<string, Task>();
  for (const { instance, organizationId, workspaceId, taskId } of locations) {
    if (instance !== undefined && instance !== credentials.instance) {
      throw new RangeError(
        `Cannot ask "${instance}" for the task "${taskId}": the token is for ` +
          `"${credentials.instance}"; if it is for the other, pass --instance ${instance}`,
      );
    }
    const dict = { organization_id: organizationId, workspace_id: workspaceId, task_id: taskId };
    tasks.set(`${organizationId}/${workspaceId}/${taskId}`, Task.fromDict(dict, { credentials }));
  }
  return [...tasks.values()];
}

/** Returns the task that an argument names. See {@linkcode openTasks}. */
export async function openTask(argument: string, flags: ConnectionFlags): Promise<Task> {
  const [task] = await openTasks([argument], flags);
  if (!task) throw new Error("no task"); // unreachable: an argument is a task, or an error
  return task;
}
