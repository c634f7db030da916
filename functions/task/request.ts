/** What a caller asks: the body of `POST /resolve`, read, checked and located. No request is made. */
import * as v from "valibot";
import { parseTaskUrl, type TaskLocation } from "../../mod.ts";
import type { Config } from "../config.ts";
import type { TaskIds } from "./shared_poll.ts";
import { Problem } from "../http/problem.ts";
import { ResolveRequest } from "./request_schema.ts";

/** Which task, and how to answer. */
export interface Question {
  /** Which task. */
  ids: TaskIds;
  /** Whether a failed task is an error; by default as the kind of caller has it. */
  raiseOnError?: boolean | undefined;
  /** What to answer while it runs; by default as the kind of caller has it. */
  pending?: "accepted" | "retry" | undefined;
}

/** The settings that decide what may be asked. */
export type QuestionConfig = Pick<
  Config,
  "organization" | "allowedOrganizations" | "allowedWorkspaces"
>;

const utf8 = new TextDecoder("utf-8", { fatal: true });
const ID_KEYS = ["organization_id", "workspace_id", "task_id"] as const;

/**
 * Reads a question: the object that `POST /resolve` takes, plain or wrapped as an event.
 *
 * @param instance the one that the endpoint serves, in the form of `Credentials.instance`
 * @throws {Problem} `invalid-request`, or `forbidden`
 */
export function readQuestion(body: unknown, instance: string, config: QuestionConfig): Question {
  const { output, base } = readGiven(ResolveRequest, body);
  const { url, raise_on_error, pending, ...named } = output;
  const ids = url === undefined
    ? idsOf(named, base, config)
    : locate(url, named, base, instance, config);
  checkAllowed(ids, config);
  return { ids, raiseOnError: raise_on_error, pending };
}

/**
 * Reads a body, plain or wrapped as an event, by its schema.
 *
 * @returns what it says, and the JSON pointer to where it says it
 * @throws {Problem} `invalid-request`
 */
export function readGiven<Output>(
  schema: v.GenericSchema<unknown, Output>,
  body: unknown,
): { output: Output; base: string } {
  const wrapped = isEvent(body);
  const given = wrapped ? body.data : body;
  // valibot takes an array for an object
  const parsed = v.safeParse(schema, Array.isArray(given) ? null : given);
  const base = wrapped ? "#/data" : "#";
  if (!parsed.success) {
    throw invalid(
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
 * @throws {Problem} `invalid-request`
 */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    throw invalid([{ pointer: "#", detail: "is not JSON in UTF-8" }]);
  }
}

function checkAllowed(ids: TaskIds, config: QuestionConfig): void {
  const { allowedOrganizations, allowedWorkspaces } = config;
  const check = (what: string, id: string, allowed: readonly string[]) => {
    if (allowed.length === 0 || allowed.includes(id)) return;
    throw new Problem("forbidden", `the ${what} is not served here`, {
      code: `${what.toUpperCase()}_NOT_ALLOWED`,
    });
  };
  check("organization", ids.organizationId, allowedOrganizations);
  check("workspace", ids.workspaceId, allowedWorkspaces);
}

type Given = Pick<ResolveRequest, (typeof ID_KEYS)[number]>;

function idsOf(given: Given, base: string, config: QuestionConfig): TaskIds {
  const all = { organization_id: config.organization, ...given };
  const { organization_id, workspace_id, task_id } = all;
  if (organization_id === undefined || workspace_id === undefined || task_id === undefined) {
    throw invalid(
      ID_KEYS.filter((key) => all[key] === undefined).map((key) => ({
        pointer: `${base}/${key}`,
        detail: "is missing: name the task by url, or by three ids",
      })),
    );
  }
  return { organizationId: organization_id, workspaceId: workspace_id, taskId: task_id };
}

function locate(
  url: string,
  given: Given,
  base: string,
  instance: string,
  config: QuestionConfig,
): TaskIds {
  const location = parseUrl(url, given.organization_id, base, config);
  if (location.instance !== instance) {
    throw new Problem("forbidden", "the instance is not served here", {
      code: "INSTANCE_NOT_ALLOWED",
    });
  }
  const { organizationId, workspaceId, taskId } = location;
  const named = { organization_id: organizationId, workspace_id: workspaceId, task_id: taskId };
  const wrong = ID_KEYS.filter((key) => given[key] !== undefined && given[key] !== named[key]);
  if (wrong.length > 0) {
    throw invalid(wrong.map((key) => ({
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
  config: QuestionConfig,
): TaskLocation {
  // a web URL names its organization, an API URL does not: that is where the setting comes in
  const form = URL.canParse(url) && new URL(url).pathname.startsWith("/api/") ? "api" : "web";
  const organization = form === "api" ? organizationId ?? config.organization : undefined;
  try {
    return parseTaskUrl(url, { organizationId: organization });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    if (form === "api" && organization === undefined) {
      throw invalid([{
        pointer: `${base}/organization_id`,
        detail: "is missing: an API URL does not name the organization",
      }]);
    }
    throw invalid([{ pointer: `${base}/url`, detail: error.message }]);
  }
}

function isEvent(body: unknown): body is { data: unknown } {
  if (typeof body !== "object" || body === null || "url" in body) return false;
  return "type" in body && typeof body.type === "string" && "data" in body &&
    !ID_KEYS.some((key) => key in body);
}

/** The problem of a body with these errors. */
export function invalid(errors: { pointer: string; detail: string }[]): Problem {
  const [first] = errors;
  return new Problem("invalid-request", `${first?.pointer} ${first?.detail}`, { errors });
}
