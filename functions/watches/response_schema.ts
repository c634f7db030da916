/** Valibot schemas of watches and their events. Apart from the request schema: no bundle needs them. */
import * as v from "valibot";
import { Id } from "../task/request_schema.ts";
import { Finished, Links, Running, TaskBody } from "../task/response_schema.ts";

/** A watch. Not every engine reports all members; `last` is the last response of a poll. */
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
  reason: v.optional(v.picklist(["INSTANCE_CHANGED", "NOT_ALLOWED", "HOST_REMOVED"])),
});
/** A watch. */
export type WatchBody = v.InferOutput<typeof WatchBody>;

/** A watch in a list, with the callback's URL up to its query. */
export const WatchItem = v.object({
  ...WatchBody.entries,
  callback_url: v.string(),
  created_at: v.pipe(v.string(), v.isoTimestamp()),
  due_at: v.pipe(v.string(), v.isoTimestamp()),
});
/** A watch in a list. */
export type WatchItem = v.InferOutput<typeof WatchItem>;

/** `GET /watches`: a page of watches, the newest first. */
export const WatchList = v.object({
  watches: v.array(WatchItem),
  next_cursor: v.nullable(v.string()),
});

const Count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** `GET /watches/stats`: `delivered`, `failed` and `timed_out` count since the store was created. */
export const WatchStats = v.object({
  open: Count,
  due: Count,
  oldest_due_s: Count,
  delivered: Count,
  failed: Count,
  hosts: v.record(
    v.string(),
    v.object({ open: Count, delivered: Count, failed: Count, timed_out: Count }),
  ),
});

/** `POST /watches/sweep`: the steps taken, and the watches that are still due. */
export const WatchSweep = v.object({ polled: Count, delivered: Count, remaining: Count });

/** Event of a watch: a Standard Webhooks event with the response of `/resolve` as its data. */
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
