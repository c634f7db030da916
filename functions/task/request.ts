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

type TaskInput = Pick<
  ResolveRequest,
  "url" | "organization_id" | "workspace_id" | "task_id"
>;

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
  const { url, organization_id, workspace_id, task_id } = output;
  const fields = { organization_id, workspace_id, task_id };
  const ids = url === undefined
    ? idsFromFields(fields, pointer, limits)
    : idsFromUrl(url, { fields, pointer, limits });
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

type IdFields = { readonly [key in (typeof ID_KEYS)[number]]: string | undefined };

function idsFromFields(fields: IdFields, pointer: string, limits: RequestLimits): TaskIds {
  const organization_id = fields.organization_id ?? limits.organization;
  const { workspace_id, task_id } = fields;
  if (organization_id !== undefined && workspace_id !== undefined && task_id !== undefined) {
    return { organizationId: organization_id, workspaceId: workspace_id, taskId: task_id };
  }
  const all = { organization_id, workspace_id, task_id };
  throw invalidRequest(
    ID_KEYS.filter((key) => all[key] === undefined).map((key) => ({
      pointer: `${pointer}/${key}`,
      detail: "is required, unless url names the task",
    })),
  );
}

interface UrlContext {
  fields: IdFields;
  pointer: string;
  limits: RequestLimits;
}

function idsFromUrl(url: string, context: UrlContext): TaskIds {
  const { fields, pointer, limits } = context;
  const { instance, ...ids } = parseUrl(url, context);
  if (instance !== limits.instance) {
    throw new HttpProblem("forbidden", "the URL names another instance than this endpoint serves", {
      code: "INSTANCE_NOT_ALLOWED",
    });
  }
  const named = toWireIds(ids);
  const wrong = ID_KEYS.filter((key) => fields[key] !== undefined && fields[key] !== named[key]);
  if (wrong.length === 0) return ids;
  throw invalidRequest(wrong.map((key) => ({
    pointer: `${pointer}/${key}`,
    detail: "differs from the one in url",
  })));
}

function parseUrl(url: string, { fields, pointer, limits }: UrlContext): TaskLocation {
  // an API URL does not name its organization
  const isApi = URL.canParse(url) && new URL(url).pathname.startsWith("/api/");
  const organizationId = isApi ? fields.organization_id ?? limits.organization : undefined;
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
