/** Task requests: parsed, validated and checked against the allow-lists. Sends nothing upstream. */
import { parseTaskUrl, type TaskLocation } from "../../mod.ts";
import type { Config } from "../config.ts";
import { HttpProblem, invalidRequest } from "../http/problem.ts";
import { type TaskIds, toWireIds } from "../http/task_ids.ts";
import {
  ID_ERROR,
  ID_FORMAT,
  ID_KEYS,
  parseBody,
  type ParsedBody,
  ResolveRequest,
} from "./request_schema.ts";

/** A task, and the response options of the request. */
export interface TaskRequest {
  /** Ids of the task. */
  ids: TaskIds;
  /** Answers 424 for a failed task. @default true for bearer callers, false for webhooks */
  raiseOnError?: boolean | undefined;
  /** Response while the task runs. @default "accepted" for bearer callers, "retry" for webhooks */
  pending?: "accepted" | "retry" | undefined;
}

/** Limits of the tasks that may be requested. */
export interface RequestLimits
  extends Pick<Config, "organization" | "allowedOrganizations" | "allowedWorkspaces"> {
  /** The instance that the endpoint serves, in the form of `Credentials.instance`. */
  readonly instance: string;
}

type Ids = Pick<ResolveRequest, (typeof ID_KEYS)[number] | "info">;
type TaskInput = Ids & Pick<ResolveRequest, "url" | "task">;

/**
 * Parses the body of `POST /resolve`, plain or wrapped as an event.
 *
 * @throws {HttpProblem} `invalid-request`, `forbidden`
 */
export function parseTaskRequest(body: unknown, limits: RequestLimits): TaskRequest {
  const parsed = parseBody(ResolveRequest, body);
  const { raise_on_error, pending } = parsed.output;
  return { ids: toTaskIds(parsed, limits), raiseOnError: raise_on_error, pending };
}

/**
 * Returns the ids of the task that a validated body names.
 *
 * @throws {HttpProblem} `invalid-request`, `forbidden`
 */
export function toTaskIds(
  { output, pointer }: ParsedBody<TaskInput>,
  limits: RequestLimits,
): TaskIds {
  const { url, task } = output;
  const named = namedIds(output, pointer);
  if (task) named.push(...namedIds(task, `${pointer}/task`));
  if (url !== undefined) {
    const given = named.find(({ key }) => key === "organization_id")?.id;
    const organization = given ?? limits.organization;
    named.unshift(...idsFromUrl(url, { organization, pointer, limits }));
  }
  // the first form decides, the others must agree
  const first: Partial<Record<IdKey, NamedId>> = {};
  for (const it of named) first[it.key] ??= it;
  const wrong = named.filter(({ key, id }) => id !== first[key]?.id);
  if (wrong.length > 0) {
    throw invalidRequest(wrong.map(({ key, pointer }) => ({
      pointer,
      detail: `differs from ${first[key]?.pointer}`,
    })));
  }
  const organizationId = first.organization_id?.id ?? limits.organization;
  const [workspaceId, taskId] = [first.workspace_id?.id, first.task_id?.id];
  if (organizationId === undefined || workspaceId === undefined || taskId === undefined) {
    const known = { ...first, organization_id: organizationId };
    const missing = ID_KEYS.filter((key) => !known[key]);
    throw invalidRequest(missing.map((key) => ({
      pointer: `${pointer}/${key}`,
      detail: "is required, unless url names the task",
    })));
  }
  const ids = { organizationId, workspaceId, taskId };
  checkAllowed(ids, limits);
  return ids;
}

/**
 * Checks ids that come from a path: their format and the allow-lists.
 *
 * @throws {HttpProblem} `invalid-request`, `forbidden`
 */
export function checkTaskIds(ids: TaskIds, limits: RequestLimits): TaskIds {
  const malformed = Object.entries(toWireIds(ids)).filter(([, id]) => !ID_FORMAT.test(id));
  if (malformed.length > 0) {
    throw invalidRequest(
      malformed.map(([key]) => ({ pointer: `#/${key}`, detail: ID_ERROR })),
    );
  }
  checkAllowed(ids, limits);
  return ids;
}

function checkAllowed(
  { organizationId, workspaceId }: TaskIds,
  { allowedOrganizations, allowedWorkspaces }: RequestLimits,
): void {
  const check = (kind: string, id: string, allowed: readonly string[]) => {
    if (allowed.length === 0 || allowed.includes(id)) return;
    throw new HttpProblem("forbidden", `the ${kind} is not allowed`, {
      code: `${kind.toUpperCase()}_NOT_ALLOWED`,
    });
  };
  check("organization", organizationId, allowedOrganizations);
  check("workspace", workspaceId, allowedWorkspaces);
}

type IdKey = (typeof ID_KEYS)[number];

/** An id in a body. */
interface NamedId {
  key: IdKey;
  id: string;
  pointer: string;
}

function namedIds(ids: Ids, pointer: string): NamedId[] {
  const named: NamedId[] = [];
  const add = (key: IdKey, id: string | undefined, path: string) => {
    if (id !== undefined) named.push({ key, id, pointer: `${pointer}/${path}` });
  };
  for (const key of ID_KEYS) add(key, ids[key], key);
  add("task_id", ids.info?.id, "info/id");
  return named;
}

interface UrlContext {
  /** Organization of an API URL, which does not name one. */
  organization: string | undefined;
  pointer: string;
  limits: RequestLimits;
}

function idsFromUrl(url: string, context: UrlContext): NamedId[] {
  const { instance, ...ids } = parseUrl(url, context);
  if (instance !== context.limits.instance) {
    throw new HttpProblem("forbidden", "the URL names another instance than this endpoint serves", {
      code: "INSTANCE_NOT_ALLOWED",
    });
  }
  const wire = toWireIds(ids);
  return ID_KEYS.map((key) => ({ key, id: wire[key], pointer: `${context.pointer}/url` }));
}

function parseUrl(url: string, { organization, pointer }: UrlContext): TaskLocation {
  const isApi = URL.canParse(url) && new URL(url).pathname.startsWith("/api/");
  const organizationId = isApi ? organization : undefined;
  try {
    return parseTaskUrl(url, { organizationId });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    if (isApi && organizationId === undefined) {
      throw invalidRequest([{
        pointer: `${pointer}/organization_id`,
        detail: "is required, because an API URL does not contain it",
      }]);
    }
    const detail = error.message.replace(/^Cannot/, "cannot"); // it follows the pointer
    throw invalidRequest([{ pointer: `${pointer}/url`, detail }]);
  }
}
