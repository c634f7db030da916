/** The valibot schemas of every request and answer; `/openapi.json` is generated from them. */
import * as v from "valibot";
import { Id, ResolveRequest } from "./request_schema.ts";

export { ResolveRequest };

/** The same, wrapped as a Standard Webhooks event. */
export const ResolveEvent = v.object({
  type: v.string(),
  timestamp: v.optional(v.string()),
  data: ResolveRequest,
});

const Text = v.nullable(v.string());

/** A task as the API gives it: `Task.toDict()`. */
export const TaskBody = v.object({
  organization_id: Id,
  workspace_id: Id,
  info: v.object({
    id: Id,
    user_id: Text,
    user_name: Text,
    created: v.nullable(v.pipe(v.string(), v.isoTimestamp())),
    status: v.nullable(v.picklist(["pending", "running", "failed", "success", "unknown"])),
    duration: v.nullable(v.number()),
    name: Text,
    description: Text,
    progress: v.nullable(v.number()),
    subtask: Text,
    result: Text,
    result_type: Text,
    error_code: Text,
    error_description: Text,
  }),
});

/** Where to look: an absolute path with a signed token, and an address in Deep Intelligence. */
const Links = v.optional(v.object({
  watch: v.optional(v.string()),
  result: v.optional(v.pipe(v.string(), v.url())),
}));

/** 200: the task has ended. */
export const Finished = v.object({
  status: v.picklist(["success", "failed"]),
  result: v.record(v.string(), v.string()),
  task: TaskBody,
  links: Links,
});
/** 200: the task has ended. */
export type Finished = v.InferOutput<typeof Finished>;

/** 202: the task goes on. */
export const Running = v.object({
  status: v.picklist(["pending", "running"]),
  task: TaskBody,
  retry_after: v.pipe(v.number(), v.integer(), v.minValue(1)),
  links: Links,
});
/** 202: the task goes on. */
export type Running = v.InferOutput<typeof Running>;

/** `GET /health`. */
export const Health = v.object({ status: v.literal("ok") });

/** Any error: RFC 9457. */
export const ProblemBody = v.object({
  type: v.string(),
  title: v.string(),
  status: v.pipe(v.number(), v.integer()),
  detail: v.string(),
  code: v.pipe(v.string(), v.maxLength(200)),
  request_id: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/)),
  errors: v.optional(v.array(v.object({ pointer: v.string(), detail: v.string() }))),
  raw_status: v.optional(Text),
  task: v.optional(TaskBody),
});
/** Any error: RFC 9457. */
export type ErrorBody = v.InferOutput<typeof ProblemBody>;
