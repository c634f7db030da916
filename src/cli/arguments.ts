/** Parsing of arguments and options: tasks, workspaces, durations, statuses. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import { InvalidArgumentError } from "npm:commander@^15.1.0";
import { parseTaskUrl, type PollInterval, Task, type TaskLocation, TaskStatus } from "../../mod.ts";
import { sanitizeText } from "../internal/text.ts";
import { findCredentials } from "./credentials.ts";

/** Options of every command that sends requests. */
export interface ConnectionFlags {
  instance?: string;
  organization?: string;
  /** Milliseconds. */
  timeout?: number;
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Parses a duration, for example `90s`, `10m` or `1h30m`. A number without a unit is an error, because
 * it may mean seconds or milliseconds.
 *
 * @returns milliseconds
 * @throws {InvalidArgumentError} when it is not a duration, or not positive
 */
export function parseDuration(text: string): number {
  const isDuration = /^(\d+(\.\d+)?(ms|[smhd]))+$/.test(text);
  const units = text.match(/[a-z]+/g) ?? [];
  const sum = !isDuration ? 0 : (text.match(/[\d.]+/g) ?? [])
    .reduce((sum, n, i) => sum + Number(n) * (UNITS[units[i] ?? ""] ?? NaN), 0);
  if (sum > 0 && Number.isFinite(sum)) return sum;
  throw new InvalidArgumentError("It must be a duration such as 500ms, 90s, 10m, 1h30m or 2d");
}

/**
 * Parses an interval between polls.
 *
 * @throws {InvalidArgumentError} when it is neither `adaptive` nor a duration from 250 ms to a day
 */
export function parseInterval(text: string): PollInterval {
  if (text === "adaptive") return text;
  const interval = parseDuration(text);
  if (interval >= 250 && interval <= 86_400_000) return interval;
  throw new InvalidArgumentError("It must be adaptive, or a duration from 250ms to 1d");
}

/**
 * Parses a list of statuses, for example `running,failed`.
 *
 * @throws {InvalidArgumentError} when one of them is not a status
 */
export function parseStatuses(text: string): TaskStatus[] {
  return text.split(",").map((word) => {
    const status = TaskStatus.fromString(word.trim());
    if (status === word.trim()) return status;
    throw new InvalidArgumentError(`It must be one of ${TaskStatus.all().join(", ")}`);
  });
}

/**
 * Parses a number of tasks.
 *
 * @throws {InvalidArgumentError} when it is not a whole number, 1 or more
 */
export function parseLimit(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number, 1 or more");
}

/** Returns the organization of arguments that do not name one. */
function defaultOrganization(organization: string | undefined): string | undefined {
  return organization ?? (process.env.DEEPINT_ORGANIZATION || undefined);
}

/**
 * Splits ids at their slashes. Adds the organization when the ids lack it.
 *
 * @returns `undefined` when the number of ids differs
 * @throws {RangeError} when the ids name another organization than `--organization`
 */
function splitIds(argument: string, count: number, organization?: string): string[] | undefined {
  const ids = argument.split("/");
  const missing = ids.length === count - 1 ? defaultOrganization(organization) : undefined;
  if (missing !== undefined) ids.unshift(missing);
  if (ids.length !== count || ids.includes("")) return undefined;
  if (organization === undefined || organization === ids[0]) return ids;
  throw new RangeError(
    `Cannot use --organization "${sanitizeText(organization)}": "${sanitizeText(argument)}" ` +
      `names "${sanitizeText(ids[0] ?? "")}"; leave the option out`,
  );
}

/**
 * Parses `organization/workspace`, or `workspace` with a default organization.
 *
 * @throws {RangeError} when it does not have that form
 */
export function parseWorkspace(
  argument: string,
  { organization }: ConnectionFlags,
): { organizationId: string; workspaceId: string } {
  const [organizationId = "", workspaceId] = splitIds(argument, 2, organization) ?? [];
  if (workspaceId !== undefined) return { organizationId, workspaceId };
  throw new RangeError(
    `Cannot read the workspace "${sanitizeText(argument)}": pass organization/workspace, or ` +
      "workspace with --organization",
  );
}

function locateUrl(url: string, organization: string | undefined): TaskLocation {
  // only a web URL names its organization
  const isApiUrl = URL.canParse(url) && new URL(url).pathname.startsWith("/api/");
  const organizationId = isApiUrl ? defaultOrganization(organization) : organization;
  try {
    return parseTaskUrl(url, { organizationId });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // the client names its own option
    throw new RangeError(error.message.replace("the option organizationId", "--organization"));
  }
}

/** Parses a task argument. Only a URL names an instance. */
function parseTaskArgument(
  argument: string,
  organization: string | undefined,
): Omit<TaskLocation, "instance"> & { instance?: string } {
  if (argument.includes("://")) return locateUrl(argument, organization);
  const [organizationId = "", workspaceId = "", taskId] = splitIds(argument, 3, organization) ?? [];
  if (taskId !== undefined) return { organizationId, workspaceId, taskId };
  throw new RangeError(
    `Cannot read the task "${sanitizeText(argument)}": pass its web URL, its API URL with ` +
      "--organization, or organization/workspace/task",
  );
}

/** Returns the origin of an instance: a host and port stand for HTTPS. */
function originOf(instance: string): string {
  return instance.includes("://") ? instance : `https://${instance}`;
}

/**
 * Returns the tasks that the arguments name, each once, without a request.
 *
 * @throws {RangeError} when an argument does not name a task, or the token is not valid for its instance
 * @throws {DeepintCredentialsError} when the token is missing
 */
export async function openTasks(args: string[], flags: ConnectionFlags): Promise<Task[]> {
  const locations = args.map((argument) => parseTaskArgument(argument, flags.organization));
  const credentials = await findCredentials(flags);
  const tasks = new Map<string, Task>();
  for (const { instance, organizationId, workspaceId, taskId } of locations) {
    if (instance !== undefined && instance !== credentials.instance) {
      throw new RangeError(
        `Cannot load the task "${taskId}": its URL uses ${
          originOf(instance)
        }, the token is valid ` +
          `for ${originOf(credentials.instance)}; if it is valid for both, pass --instance ` +
          originOf(instance),
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
