/** Web and API URLs of a task <-> its ids. Pure. */
import type { TaskInfo } from "./task_info.ts";
import { isLoopback } from "./internal/loopback.ts";
import { outOfRange, quote } from "./internal/text.ts";

/** The default instance. */
export const DEFAULT_INSTANCE = "app.deepint.net";

/** Location of a task. */
export interface TaskLocation {
  /** `host[:port]`, or an origin for `http:`, which is allowed for loopback hosts only. */
  instance: string;
  /** The organization's id. */
  organizationId: string;
  /** The workspace's id. */
  workspaceId: string;
  /** The task's id. */
  taskId: string;
}

/** Options of {@linkcode parseTaskUrl}. */
export interface ParseTaskUrlOptions {
  /** The organization's id. Required for an API URL; compared with the one in a web URL. */
  organizationId?: string | undefined;
}

/**
 * Checks an id: 1 to 128 characters of `A-Z a-z 0-9 _ -`, so that it cannot change a path.
 *
 * @throws {RangeError} when it is anything else
 */
export function checkId(name: string, id: unknown): string {
  if (typeof id === "string" && /^[A-Za-z0-9_-]{1,128}$/.test(id)) return id;
  throw outOfRange(name, id, "an id: 1 to 128 characters of A-Z a-z 0-9 _ -");
}

/** Returns the origin of an instance. */
export function instanceOrigin(instance: string): string {
  return instance.includes("://") ? instance : `https://${instance}`;
}

/**
 * Normalizes an instance: `host[:port]` for HTTPS, an origin for loopback HTTP.
 *
 * @throws {RangeError} when it is not `host[:port]` or an origin, or is HTTP beyond loopback
 */
export function parseInstance(instance: string): string {
  const origin = instanceOrigin(instance);
  if (/^https?:\/\/[^\s/\\?#@]+$/i.test(origin) && URL.canParse(origin)) {
    return instanceOf(new URL(origin));
  }
  const wanted = "host[:port] or an origin, without path, query or user info";
  throw outOfRange("instance", redactUrl(instance), wanted);
}

/** Returns `true` for `https:`, and for `http:` on a loopback host. */
function isAllowed({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || protocol === "http:" && isLoopback(hostname);
}

function instanceOf(url: URL): string {
  if (isAllowed(url)) return url.protocol === "https:" ? url.host : url.origin;
  throw outOfRange("http for", url.host, "a loopback host; use https");
}

/** Drops the parts of a URL that may hold credentials: the query, or all of it with user info. */
function redactUrl(url: string): string {
  return url.includes("@") ? "…" : url.replace(/[?#].*/s, "");
}

/**
 * Parses a task's web or API URL. Parameters may be in any order; extra ones, a fragment and a trailing
 * slash are ignored. Only the path decides between the two forms.
 *
 * - web: `https://{instance}/o/{organization}/workspace?ws={workspace}&s=task&i={task}`
 * - API: `https://{instance}/api/v1/workspace/{workspace}/task/{task}` (or `/tasks/{task}`)
 *
 * @throws {RangeError} when it is not a task URL, when an API URL comes without `organizationId`, or
 * when a web URL names another organization
 *
 * @example
 * ```ts
 * import { parseTaskUrl } from "@deepint/task";
 *
 * const { taskId } = parseTaskUrl("https://app.deepint.net/o/o-1/workspace?ws=w-1&s=task&i=t-1");
 * console.log(taskId); // t-1
 * ```
 */
export function parseTaskUrl(url: string | URL, options: ParseTaskUrlOptions = {}): TaskLocation {
  const text = String(url);
  const [, path] = /^https?:\/\/[^/?#@]+(?![^/?#])([^?#]*)/i.exec(text) ?? [];
  if (path === undefined || !URL.canParse(text)) {
    throw outOfRange("URL", redactUrl(text), "an http(s) URL without user info");
  }
  const parsed = new URL(text);
  const [match, urlOrganization, workspace, task] =
    /^\/(?:o\/([^/]*)\/workspace|api\/v1\/workspace\/([^/]*)\/tasks?\/([^/]*))\/?$/.exec(path) ??
      [];
  // `URL` normalizes its input; a path that it changes is not a task's
  if (match === undefined || parsed.pathname !== path) {
    const wanted = "/o/{organization}/workspace or /api/v1/workspace/{workspace}/task/{task}";
    throw outOfRange("path", path, wanted);
  }
  const { organizationId = urlOrganization } = options;
  if (organizationId === undefined) {
    throw new RangeError("An API URL names no organization; pass the option organizationId");
  }
  // the values of a repeated parameter are joined, which makes them invalid
  const param = (name: string) => parsed.searchParams.getAll(name).join();
  const location = {
    instance: instanceOf(parsed),
    organizationId: checkId("organizationId", organizationId),
    workspaceId: workspace === undefined
      ? checkId("parameter ws", param("ws"))
      : checkId("workspace", workspace),
    taskId: task === undefined ? checkId("parameter i", param("i")) : checkId("task", task),
  };
  if ((urlOrganization ?? organizationId) !== organizationId) {
    throw outOfRange("organization", urlOrganization, quote(organizationId));
  }
  if (task === undefined && param("s") !== "task") {
    throw outOfRange("parameter s", param("s"), '"task"');
  }
  return location;
}

/**
 * Creates the web URL of a task.
 *
 * @throws {RangeError} when an id or the instance is invalid
 *
 * @example
 * ```ts
 * import { taskUrl } from "@deepint/task";
 *
 * const url = taskUrl({
 *   instance: "app.deepint.net",
 *   organizationId: "o-1",
 *   workspaceId: "w-1",
 *   taskId: "t-1",
 * });
 * console.log(url.href); // https://app.deepint.net/o/o-1/workspace?ws=w-1&s=task&i=t-1
 * ```
 */
export function taskUrl(location: TaskLocation): URL {
  return webUrl(location, "task", checkId("taskId", location.taskId));
}

/** Creates the web URL of an object in a workspace. */
export function webUrl(
  { instance, organizationId, workspaceId }: Omit<TaskLocation, "taskId">,
  subject: string,
  id: string,
): URL {
  const organization = checkId("organizationId", organizationId);
  const workspace = checkId("workspaceId", workspaceId);
  const url = new URL(`/o/${organization}/workspace`, instanceOrigin(parseInstance(instance)));
  url.search = String(new URLSearchParams({ ws: workspace, s: subject, i: id }));
  return url;
}

/** Returns the web URL of a source or model that a task created, or the URL of its file; else null. */
export function resultUrl(
  location: Omit<TaskLocation, "taskId">,
  { result, resultType }: TaskInfo,
): URL | null {
  if (result === null) return null;
  if (resultType === "file") return fileUrl(result);
  if (resultType !== "source" && resultType !== "model") return null;
  return webUrl(location, resultType, result);
}

/** Returns the URL of a file: `https:`, or `http:` on a loopback host. Otherwise null. */
export function fileUrl(text: string): URL | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url && isAllowed(url) ? url : null;
}
