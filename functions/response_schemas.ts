/** The valibot schemas of every request and answer; `/openapi.json` is generated from them. */
import * as v from "valibot";
import { Id, ResolveRequest } from "./task/request_schema.ts";
import { WatchFields as WatchOnly } from "./watches/request_schema.ts";

export { ResolveRequest };

/** The same, wrapped as a Standard Webhooks event. */
export const ResolveEvent = webhookEventSchema(ResolveRequest);

const { url, organization_id, workspace_id, task_id } = ResolveRequest.entries;

/** The body of `POST /watches`: a task by its URL or by its ids, and whom to tell of its end. */
export const WatchRequest = v.object({
  ...{ url, organization_id, workspace_id, task_id },
  ...WatchOnly.entries,
});

/** The same, wrapped as a Standard Webhooks event. */
export const WatchRequestEvent = webhookEventSchema(WatchRequest);

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
  status: v.optional(v.string()),
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

/** A watch. Its task is named by the answer where the engine can tell; `last` is the last answer. */
export const WatchBody = v.object({
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}-\d{1,9}$/)),
  state: v.picklist(["watching", "delivered", "failed", "expired", "cancelled"]),
  task: v.optional(v.object({ organization_id: Id, workspace_id: Id, task_id: Id })),
  location: v.string(),
  polls: v.optional(v.number()),
  last: v.optional(v.union([Finished, Running])),
  event: v.optional(v.object({
    type: v.picklist(["task.success", "task.failed", "task.expired", "task.unresolved"]),
    code: v.optional(v.string()),
  })),
  attempts: v.optional(v.number()),
  last_status: v.optional(v.number()),
});
/** A watch. */
export type WatchBody = v.InferOutput<typeof WatchBody>;

/** What a callback is told: a Standard Webhooks event with the answer of `/resolve`. */
export const WatchEvent = v.object({
  type: WatchBody.entries.event.wrapped.entries.type,
  timestamp: v.pipe(v.string(), v.isoTimestamp()),
  data: v.object({
    status: v.picklist(["pending", "running", "success", "failed", "unknown"]),
    result: v.optional(v.record(v.string(), v.string())),
    task: TaskBody,
    retry_after: v.optional(v.number()),
    links: Links,
    code: v.optional(v.string()),
  }),
});

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

function webhookEventSchema<T extends v.GenericSchema>(data: T) {
  return v.object({ type: v.string(), timestamp: v.optional(v.string()), data });
}
