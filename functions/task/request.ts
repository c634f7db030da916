/** What a caller asks: the body of `POST /resolve`, read, checked and located. No request is made. */
import * as v from "valibot";
import { parseTaskUrl, type TaskLocation } from "../../mod.ts";
import type { Config } from "../config.ts";
import type { TaskIds } from "./shared_poll.ts";
import { HttpProblem } from "../http/problem.ts";
import { ResolveRequest } from "./request_schema.ts";

/** Which task, and how to answer. */
export interface TaskRequest {
  /** Which task. */
  ids: TaskIds;
  /** Whether a failed task is an error; by default as the kind of caller has it. */
  raiseOnError?: boolean | undefined;
  /** What to answer while it runs; by default as the kind of caller has it. */
  pending?: "accepted" | "retry" | undefined;
}

/** The settings that decide what may be asked. */
export type RequestLimits = Pick<
  Config,
  "organization" | "allowedOrganizations" | "allowedWorkspaces"
>;

const decoder = new TextDecoder("utf-8", { fatal: true });
const ID_KEYS = ["organization_id", "workspace_id", "task_id"] as const;

/**
 * Reads a question: the object that `POST /resolve` takes, plain or wrapped as an event.
 *
 * @param instance the one that the endpoint serves, in the form of `Credentials.instance`
 * @throws {HttpProblem} `invalid-request`, or `forbidden`
 */
export function parseTaskRequest(
  body: unknown,
  instance: string,
  config: RequestLimits,
): TaskRequest {
  const { output, base } = parseBody(ResolveRequest, body);
  const { url, raise_on_error, pending, ...named } = output;
  const ids = url === undefined
    ? idsFromFields(named, base, config)
    : idsFromUrl(url, named, base, instance, config);
  checkAllowed(ids, config);
  return { ids, raiseOnError: raise_on_error, pending };
}

/**
 * Reads a body, plain or wrapped as an event, by its schema.
 *
 * @returns what it says, and the JSON pointer to where it says it
 * @throws {HttpProblem} `invalid-request`
 */
export function parseBody<Output>(
  schema: v.GenericSchema<unknown, Output>,
  body: unknown,
): { output: Output; base: string } {
  const wrapped = isWebhookEvent(body);
  const given = wrapped ? body.data : body;
  // valibot takes an array for an object
  const parsed = v.safeParse(schema, Array.isArray(given) ? null : given);
  const base = wrapped ? "#/data" : "#";
  if (!parsed.success) {
    throw invalidRequest(
      parsed.issues.map((issue) => ({
        pointer: [base, ...(issue.path ?? []).map(({ key }) => key)].join("/"),
        detail: issue.message,
      })),
    );
  }
  return { output: parsed.output, base };
}

/**
 * Parses JSON.
 *
 * @throws {HttpProblem} `invalid-request`
 */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    throw invalidRequest([{ pointer: "#", detail: "is not JSON in UTF-8" }]);
  }
}

function checkAllowed(ids: TaskIds, config: RequestLimits): void {
  const { allowedOrganizations, allowedWorkspaces } = config;
  const check = (what: string, id: string, allowed: readonly string[]) => {
    if (allowed.length === 0 || allowed.includes(id)) return;
    throw new HttpProblem("forbidden", `the ${what} is not served here`, {
      code: `${what.toUpperCase()}_NOT_ALLOWED`,
    });
  };
  check("organization", ids.organizationId, allowedOrganizations);
  check("workspace", ids.workspaceId, allowedWorkspaces);
}

type IdFields = Pick<ResolveRequest, (typeof ID_KEYS)[number]>;

function idsFromFields(given: IdFields, base: string, config: RequestLimits): TaskIds {
  const all = { organization_id: config.organization, ...given };
  const { organization_id, workspace_id, task_id } = all;
  if (organization_id === undefined || workspace_id === undefined || task_id === undefined) {
    throw invalidRequest(
      ID_KEYS.filter((key) => all[key] === undefined).map((key) => ({
        pointer: `${base}/${key}`,
        detail: "is missing: name the task by url, or by three ids",
      })),
    );
  }
  return { organizationId: organization_id, workspaceId: workspace_id, taskId: task_id };
}

function idsFromUrl(
  url: string,
  given: IdFields,
  base: string,
  instance: string,
  config: RequestLimits,
): TaskIds {
  const location = parseUrl(url, given.organization_id, base, config);
  if (location.instance !== instance) {
    throw new HttpProblem("forbidden", "the instance is not served here", {
      code: "INSTANCE_NOT_ALLOWED",
    });
  }
  const { organizationId, workspaceId, taskId } = location;
  const named = { organization_id: organizationId, workspace_id: workspaceId, task_id: taskId };
  const wrong = ID_KEYS.filter((key) => given[key] !== undefined && given[key] !== named[key]);
  if (wrong.length > 0) {
    throw invalidRequest(wrong.map((key) => ({
      pointer: `${base}/${key}`,
      detail: "is not the one that the url names",
    })));
  }
  return { organizationId, workspaceId, taskId };
}

function parseUrl(
  url: string,
  organizationId: string | undefined,
  base: string,
  config: RequestLimits,
): TaskLocation {
  // a web URL names its organization, an API URL does not: that is where the setting comes in
  const form = URL.canParse(url) && new URL(url).pathname.startsWith("/api/") ? "api" : "web";
  const organization = form === "api" ? organizationId ?? config.organization : undefined;
  try {
    return parseTaskUrl(url, { organizationId: organization });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    if (form === "api" && organization === undefined) {
      throw invalidRequest([{
        pointer: `${base}/organization_id`,
        detail: "is missing: an API URL does not name the organization",
      }]);
    }
    throw invalidRequest([{ pointer: `${base}/url`, detail: error.message }]);
  }
}

function isWebhookEvent(body: unknown): body is { data: unknown } {
  if (typeof body !== "object" || body === null || "url" in body) return false;
  return "type" in body && typeof body.type === "string" && "data" in body &&
    !ID_KEYS.some((key) => key in body);
}

/** The problem of a body with these errors. */
export function invalidRequest(errors: { pointer: string; detail: string }[]): HttpProblem {
  const [first] = errors;
  return new HttpProblem("invalid-request", `${first?.pointer} ${first?.detail}`, { errors });
}
