/**
 * The valibot schema of what is asked. Apart from those of the answers (`schemas.ts`), which no bundle
 * needs: they would not be shaken out.
 */
import * as v from "valibot";

/** An id, as in every path. */
export const Id = v.pipe(
  v.string("must be text"),
  v.regex(/^[A-Za-z0-9_-]{1,128}$/, "must be an id: 1 to 128 characters of A-Z a-z 0-9 _ -"),
);

/** What to answer while the task runs: 202, or 503, which makes a sender of webhooks deliver again. */
const Pending = v.picklist(["accepted", "retry"], 'must be "accepted" or "retry"');

/** The body of `POST /resolve`: a task by its URL or by its ids, and how to answer. */
export const ResolveRequest = v.object({
  url: v.optional(v.string("must be text")),
  organization_id: v.optional(Id),
  workspace_id: v.optional(Id),
  task_id: v.optional(Id),
  raise_on_error: v.optional(v.boolean("must be true or false")),
  pending: v.optional(Pending),
}, "must be a JSON object");
/** The body of `POST /resolve`. */
export type ResolveRequest = v.InferOutput<typeof ResolveRequest>;
