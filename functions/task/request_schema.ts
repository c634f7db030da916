/**
 * Valibot schema of the requests about a task. Apart from the response schemas, which no bundle needs:
 * bundlers do not shake out schemas.
 */
import * as v from "valibot";

/** Format of an id. */
export const ID_FORMAT = /^[A-Za-z0-9_-]{1,128}$/;

/** Error of an id with another format. */
export const ID_ERROR = "must be an id: 1 to 128 characters of A-Z a-z 0-9 _ -";

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
