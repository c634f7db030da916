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

const OBJECT = "must be a JSON object";

const Ids = {
  organization_id: v.optional(Id),
  workspace_id: v.optional(Id),
  task_id: v.optional(Id),
  info: v.optional(v.object({ id: v.optional(Id) }, OBJECT)),
};

/** The members that name a task: its URL, its ids, a `Task.toDict()`, or one of those as `task`. */
export const TaskFields = {
  url: v.optional(v.string("must be text")),
  ...Ids,
  task: v.optional(v.object(Ids, OBJECT)),
};

/** The body of `POST /resolve`: a task, and response options. */
export const ResolveRequest = v.object({
  ...TaskFields,
  raise_on_error: v.optional(v.boolean("must be true or false")),
  pending: v.optional(v.picklist(["accepted", "retry"], 'must be "accepted" or "retry"')),
}, OBJECT);
/** The body of `POST /resolve`. */
export type ResolveRequest = v.InferOutput<typeof ResolveRequest>;

/** A validated body, and the JSON pointer to it. */
export interface ParsedBody<Output> {
  output: Output;
  pointer: string;
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const hasValue = (member: unknown) => member !== undefined && member !== null && member !== "";

/** Drops members without a value and converts texts to booleans: some tools send every field as text. */
function normalize(value: unknown, depth = 2): unknown {
  if (!isObject(value) || depth < 0) return value;
  const { info, task, raise_on_error: raise } = value;
  const isText = raise === "true" || raise === "false";
  const isPlain = !isText && info === undefined && task === undefined;
  if (isPlain && Object.values(value).every(hasValue)) return value; // most senders
  const members = Object.entries({
    ...value,
    info: normalize(info, depth - 1),
    task: normalize(task, depth - 1),
    raise_on_error: isText ? raise === "true" : raise,
  });
  return Object.fromEntries(members.filter(([, member]) => hasValue(member)));
}

function namesTask({ url, task_id, info }: JsonObject): boolean {
  return [url, task_id, isObject(info) ? info.id : undefined].some(hasValue);
}

/** Returns `true` for an event: it has a type and data, and names no task itself. */
function isWebhookEvent(body: unknown): body is { data: unknown } {
  return isObject(body) && typeof body.type === "string" && "data" in body &&
    !namesTask(body) && !(isObject(body.task) && namesTask(body.task));
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
  const input = normalize(isWrapped ? body.data : body);
  // valibot accepts an array as an object
  const parsed = v.safeParse(schema, Array.isArray(input) ? null : input);
  const pointer = isWrapped ? "#/data" : "#";
  if (parsed.success) return { output: parsed.output, pointer };
  throw invalidRequest(parsed.issues.map((issue) => ({
    pointer: [pointer, ...(issue.path ?? []).map(({ key }) => key)].join("/"),
    detail: issue.message,
  })));
}
