/**
 * Valibot schema of the requests about a task. Apart from the response schemas, which no bundle needs:
 * bundlers do not shake out schemas.
 */
import * as v from "valibot";
import { invalidRequest } from "../http/problem.ts";

/** Format of an id. */
export const ID_FORMAT = /^[A-Za-z0-9_-]{1,128}$/;

/** Error of an id with another format. */
export const ID_ERROR = "must be an id: 1 to 128 characters of A-Z a-z 0-9 _ -";

/** The members that are ids. */
export const ID_KEYS = ["organization_id", "workspace_id", "task_id"] as const;

/** An id. */
export const Id = v.pipe(v.string("must be text"), v.regex(ID_FORMAT, ID_ERROR));

/** The members that name a task. */
export const TaskFields = {
  url: v.optional(v.string("must be text")),
  organization_id: v.optional(Id),
  workspace_id: v.optional(Id),
  task_id: v.optional(Id),
};

/** The body of `POST /resolve`: a task by its URL or its ids, and response options. */
export const ResolveRequest = v.object({
  ...TaskFields,
  raise_on_error: v.optional(v.boolean("must be true or false")),
  pending: v.optional(v.picklist(["accepted", "retry"], 'must be "accepted" or "retry"')),
}, "must be a JSON object");
/** The body of `POST /resolve`. */
export type ResolveRequest = v.InferOutput<typeof ResolveRequest>;

/** A validated body, and the JSON pointer to it. */
export interface ParsedBody<Output> {
  output: Output;
  pointer: string;
}

function isWebhookEvent(body: unknown): body is { data: unknown } {
  if (typeof body !== "object" || body === null || "url" in body) return false;
  return "type" in body && typeof body.type === "string" && "data" in body &&
    !ID_KEYS.some((key) => key in body);
}

/**
 * Validates a body, plain or wrapped as an event, against its schema.
 *
 * @throws {HttpProblem} `invalid-request`
 */
export function parseBody<Output>(
  schema: v.GenericSchema<unknown, Output>,
  body: unknown,
): ParsedBody<Output> {
  const isWrapped = isWebhookEvent(body);
  const input = isWrapped ? body.data : body;
  // valibot accepts an array as an object
  const parsed = v.safeParse(schema, Array.isArray(input) ? null : input);
  const pointer = isWrapped ? "#/data" : "#";
  if (parsed.success) return { output: parsed.output, pointer };
  throw invalidRequest(parsed.issues.map((issue) => ({
    pointer: [pointer, ...(issue.path ?? []).map(({ key }) => key)].join("/"),
    detail: issue.message,
  })));
}
