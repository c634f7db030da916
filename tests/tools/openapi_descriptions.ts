/**
 * Descriptions of the schemas in `/openapi.json` and of their properties. They are apart from the valibot
 * schemas, which bundles carry. `a.b` is a property of a property, `a[]` an item, `a.*` any member.
 */

/** Descriptions by path; the empty path is the schema itself. */
export type Descriptions = Readonly<Record<string, string>>;

/** Members of a request that name a task. */
const NAMED_TASK: Descriptions = {
  url: "Web URL or API URL of the task. An API URL lacks the organization.",
  organization_id: "Id of the organization. Default: `DEEPINT_ORGANIZATION`.",
  workspace_id: "Id of the workspace. Required unless another member contains it.",
  task_id: "Id of the task. Required unless another member contains it.",
  info: "Information of the task. Only its id is read.",
  "info.id": "Id of the task, in place of `task_id`.",
  task: "The `task` of an earlier response.",
  "task.organization_id": "Id of the organization.",
  "task.workspace_id": "Id of the workspace.",
  "task.task_id": "Id of the task.",
  "task.info": "Information of the task. Only its id is read.",
  "task.info.id": "Id of the task, in place of `task_id`.",
};

const INPUT =
  "`null` and empty text count as absent. Unknown members are ignored. Members that name the task must agree.";

const event = (what: string): Descriptions => ({
  "": `${what}, wrapped as a Standard Webhooks event.`,
  type: "Type of the event. Any text.",
  timestamp: "Time of the event. Not read.",
  data: "The request.",
});

const LINKS: Descriptions = {
  links: "Links for people. Absent if there is none.",
  "links.status": "URL of the status page. Only with `RESOLVE_LINK_SECRETS`.",
  "links.result": "Web address of the source or model, or URL of the file.",
};

const RESULT = {
  result:
    "The result by its type, for example `source` and an id, or `file` and a URL. Empty if there is none.",
  "result.*": "Id of the result, or the URL of an exported file.",
};

/** Members of a watch. */
const WATCH: Descriptions = {
  id: "Id of the watch.",
  state:
    "`watching`: the task is running, or its event is not delivered yet. `delivered`: the receiver accepted " +
    "the event. `expired`: the deadline passed, and the receiver accepted `task.expired`. `failed`: the event " +
    "could not be delivered, or the endpoint ended the watch (`reason`). `cancelled`: cancelled with `DELETE`.",
  task: "Ids of the task.",
  "task.organization_id": "Id of the organization.",
  "task.workspace_id": "Id of the workspace.",
  "task.task_id": "Id of the task.",
  location: "URL of the watch, as in `Location`.",
  polls: "Number of polls so far.",
  last: "The last response of `POST /resolve` for the task.",
  event: "The event that was or will be delivered. Absent while the task is running.",
  "event.type": "Type of the event.",
  "event.code": "Cause of `task.unresolved`.",
  attempts: "Number of deliveries so far.",
  last_status: "HTTP status of the last delivery; 0 without a response.",
  reason: "Setting that no longer allows the watch; the endpoint ended it.",
};

/** Descriptions of all schemas. */
export const DESCRIPTIONS: Readonly<Record<string, Descriptions>> = {
  Task: {
    "": "A task. It can be posted to `POST /resolve` and `POST /watches`.",
    organization_id: "Id of the organization.",
    workspace_id: "Id of the workspace.",
    info: "Information of the task. A member is `null` if the platform did not send it.",
    "info.id": "Id of the task.",
    "info.user_id": "Id of the user who created the task.",
    "info.user_name": "Name of the user who created the task.",
    "info.created": "Time of creation, ISO 8601 in UTC.",
    "info.status": "Status of the task. `success` and `failed` are final.",
    "info.duration": "Run time in milliseconds.",
    "info.name": "Name of the task.",
    "info.description": "Description of the task.",
    "info.progress": "Progress of the current subtask, in percent.",
    "info.subtask": "Name of the current subtask.",
    "info.result": "Id of the result, or the URL of an exported file.",
    "info.result_type": "Type of the result: `source`, `model` or `file`.",
    "info.error_code": "Code of the error, if the task failed.",
    "info.error_description": "Message of the error, if the task failed.",
  },
  Finished: {
    "": "A finished task and its result.",
    status: "Status of the task. `failed` only with `raise_on_error: false`.",
    ...RESULT,
    task: "The task.",
    ...LINKS,
  },
  Running: {
    "": "A task that is pending or running.",
    status: "Status of the task.",
    task: "The task.",
    retry_after: "Seconds until the next poll is useful, as in `Retry-After`.",
    ...LINKS,
  },
  Health: { "": "The endpoint works.", status: "Always `ok`." },
  Problem: {
    "": "An error (RFC 9457).",
    type: "URL of an explanation: `/problems/{name}`.",
    title: "Summary of the problem type.",
    status: "HTTP status of the response.",
    detail: "Explanation of this occurrence.",
    code: "Machine-readable code. `TASK_` and the task's own code for a failed task.",
    request_id: "Id of the request, as in `X-Request-Id`. The log has it too.",
    errors: "The mistakes in the body of an invalid request.",
    "errors[].pointer": "JSON pointer to the member, as a URI fragment.",
    "errors[].detail": "The mistake.",
    raw_status: "Status that this version does not know.",
    task: "The task, if the problem is about one. Its texts are cut to 200 characters.",
  },
  ResolveRequest: {
    "": `A task and response options. ${INPUT}`,
    ...NAMED_TASK,
    raise_on_error:
      "Answers a failed task with 424. Default: `true` with a key, `false` for a signed webhook. The texts " +
      '`"true"` and `"false"` are accepted too.',
    pending:
      "The response while the task is running: 202 (`accepted`) or 503 (`retry`). Default: `RESOLVE_PENDING`; " +
      "otherwise `accepted` with a key, `retry` for a signed webhook.",
  },
  ResolveEvent: event("A request"),
  Watch: { "": "A durable watch. Not every engine reports all members.", ...WATCH },
  WatchRequest: {
    "": `A task and a callback. ${INPUT}`,
    ...NAMED_TASK,
    callback_url:
      "URL that receives the event, at most 2,000 characters. Its host must be in `RESOLVE_CALLBACK_HOSTS`.",
    deadline:
      "Seconds until the watch expires, 1 to 2,592,000 (30 days); a text of digits is accepted too. Default: " +
      "86,400 (1 day).",
  },
  WatchRequestEvent: event("A request for a watch"),
  WatchItem: {
    "": "A watch in a list.",
    ...WATCH,
    callback_url: "URL that receives the event, without its query.",
    created_at: "Time of creation, ISO 8601.",
    due_at: "Time of the next poll or delivery, ISO 8601.",
  },
  WatchList: {
    "": "A page of watches, the newest first.",
    watches: "The watches.",
    next_cursor: "The `cursor` of the next page; `null` on the last page.",
  },
  WatchStats: {
    "": "Figures of all watches. `delivered` and `failed` count since the store was created.",
    open: "Open watches.",
    due: "Watches that are due now.",
    oldest_due_s: "Seconds since the oldest of them became due.",
    delivered: "Events that receivers accepted.",
    failed: "Watches that ended in the state `failed`.",
    hosts: "The figures of each callback host.",
    "hosts.*": "Figures of a callback host.",
    "hosts.*.open": "Open watches of the host.",
    "hosts.*.delivered": "Events that the host accepted.",
    "hosts.*.failed": "Watches of the host that failed.",
    "hosts.*.timed_out": "Deliveries that timed out.",
  },
  WatchSweep: {
    "": "The work of a sweep.",
    polled: "Polls of tasks.",
    delivered: "Deliveries of events.",
    remaining: "Watches that are still due.",
  },
  WatchEvent: {
    "": "The event of a watch: a signed Standard Webhooks event.",
    type:
      "Type of the event. `task.expired`: the deadline passed first. `task.unresolved`: the task cannot be " +
      "followed.",
    timestamp: "Time of the event, ISO 8601.",
    data: "The response of `POST /resolve` with `raise_on_error: false`, each text cut to 4 kB.",
    "data.status": "Status of the task.",
    "data.result": RESULT.result,
    "data.result.*": RESULT["result.*"],
    "data.task": "The task.",
    "data.retry_after": "Seconds until the next poll is useful.",
    "data.links": LINKS.links ?? "",
    "data.links.status": LINKS["links.status"] ?? "",
    "data.links.result": LINKS["links.result"] ?? "",
    "data.code":
      "Cause of `task.unresolved`: `UPSTREAM_CREDENTIALS`, `TASK_NOT_FOUND` or `UNKNOWN_STATUS`.",
  },
};
