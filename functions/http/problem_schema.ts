/** Valibot schemas of problems and of `GET /health`. */
import * as v from "valibot";

/** `GET /health`. */
export const Health = v.object({ status: v.literal("ok") });

/** The members that every problem has (RFC 9457), and the `errors` of an invalid request. */
export const ProblemBody = v.object({
  type: v.string(),
  title: v.string(),
  status: v.pipe(v.number(), v.integer()),
  detail: v.string(),
  code: v.pipe(v.string(), v.maxLength(200)),
  request_id: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/)),
  errors: v.optional(v.array(v.object({ pointer: v.string(), detail: v.string() }))),
});
/** The members that every problem has. */
export type ProblemBody = v.InferOutput<typeof ProblemBody>;
