/** Valibot schemas of the responses about a task. Apart from the request schemas: no bundle needs them. */
import * as v from "valibot";
import { ProblemBody } from "../http/problem_schema.ts";
import { Id } from "./request_schema.ts";

const Text = v.nullable(v.string());

/** A task: `Task.toDict()`. */
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

/** Links to the status page (under `RESOLVE_PUBLIC_URL`, otherwise an absolute path) and to the result in Deep Intelligence. */
export const Links = v.optional(v.object({
  status: v.optional(v.string()),
  result: v.optional(v.pipe(v.string(), v.url())),
}));

/** 200: a finished task. */
export const Finished = v.object({
  status: v.picklist(["success", "failed"]),
  result: v.record(v.string(), v.string()),
  task: TaskBody,
  links: Links,
});
/** 200: a finished task. */
export type Finished = v.InferOutput<typeof Finished>;

/** 202: a pending or running task. */
export const Running = v.object({
  status: v.picklist(["pending", "running"]),
  task: TaskBody,
  retry_after: v.pipe(v.number(), v.integer(), v.minValue(1)),
  links: Links,
});
/** 202: a pending or running task. */
export type Running = v.InferOutput<typeof Running>;

/** A problem. `task` and `raw_status` are set when it is about a loaded task. */
export const TaskProblem = v.object({
  ...ProblemBody.entries,
  raw_status: v.optional(Text),
  task: v.optional(TaskBody),
});
/** A problem. `task` and `raw_status` are set when it is about a loaded task. */
export type TaskProblem = v.InferOutput<typeof TaskProblem>;
