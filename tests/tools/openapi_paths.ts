/** The routes in `/openapi.json`. */
import { WATCH_STATES } from "../../functions/watches/state.ts";
import {
  conditional,
  createdWatch,
  KEY,
  polled,
  problems,
  SIGNED,
  statusPage,
  watch,
} from "./openapi_responses.ts";
import { type Json, json, ref } from "./openapi_schemas.ts";

const TASK_ROUTE = "/organizations/{organization}/workspaces/{workspace}/tasks/{task}";

const CALLERS = [...KEY, SIGNED];

const IDS = { organization_id: "o-1", workspace_id: "w-1", task_id: "t-1" };
const TASK = { organization_id: "o-1", workspace_id: "w-1", info: { id: "t-1" } };

/** The forms of a request. A test sends each. */
const REQUESTS = {
  ids: { summary: "A task by its ids", value: IDS },
  "web-url": {
    summary: "A task by its web URL",
    value: { url: "https://app.deepint.net/o/o-1/workspace?ws=w-1&s=task&i=t-1" },
  },
  "api-url": {
    summary: "A task by its API URL, with options",
    value: {
      url: "https://app.deepint.net/api/v1/workspace/w-1/task/t-1",
      organization_id: "o-1",
      raise_on_error: false,
      pending: "accepted",
    },
  },
  task: { summary: "The task of an earlier response", value: { task: TASK } },
  event: {
    summary: "A Standard Webhooks event",
    value: { type: "task.started", timestamp: "2026-01-01T00:00:00Z", data: IDS },
  },
};

const CALLBACK = { callback_url: "https://hooks.example.com/ended", deadline: 86_400 };
/** Requests that create a watch. */
const WATCH_REQUESTS = {
  ids: { summary: "A task by its ids", value: { ...IDS, ...CALLBACK } },
  task: { summary: "The task of an earlier response", value: { task: TASK, ...CALLBACK } },
};

/** What a parameter or an operation has besides its name. */
interface Parameter {
  description: string;
  schema?: Json;
}

const parameter = (name: string, where: string, { description, schema }: Parameter) => ({
  name,
  in: where,
  description,
  required: where === "path",
  schema: schema ?? { type: "string" },
});

const idParameter = (name: string) =>
  parameter(name, "path", {
    description: `Id of the ${name}.`,
    schema: { type: "string", pattern: "^[A-Za-z0-9_-]{1,128}$" },
  });

const WATCH_ID = parameter("id", "path", { description: "Id of the watch." });

/** Note on the routes that need an engine with a store. */
const OPERATORS = "404 on Cloudflare, whose watches cannot be listed.";

const taskPaths = {
  "/resolve": {
    post: {
      operationId: "resolve",
      tags: ["Tasks"],
      summary: "Resolve a task",
      description:
        "Polls the task once. Responds with its result, or with 202 and `Retry-After` while it is running. " +
        "A signed webhook gets 503 and `Retry-After` instead of 202, so that its sender delivers it again.",
      security: CALLERS,
      requestBody: {
        required: true,
        description:
          "The task and the response options, plain or wrapped as an event. At most 20,000 bytes.",
        ...json({ anyOf: [ref("ResolveRequest"), ref("ResolveEvent")] }, { examples: REQUESTS }),
      },
      responses: {
        ...polled,
        ...problems(400, 401, 403, 404, 405, 408, 413, 415, 424, 500, 502, 503, 504),
      },
    },
  },
  [TASK_ROUTE]: {
    get: {
      operationId: "getTask",
      tags: ["Tasks"],
      summary: "Get a task",
      description: "The same poll as `POST /resolve`, for callers that follow `Location`.",
      security: KEY,
      parameters: [
        ...["organization", "workspace", "task"].map(idParameter),
        parameter("If-None-Match", "header", {
          description: "`ETag` of an earlier response. 304 if nothing has changed.",
        }),
      ],
      responses: { ...conditional, ...problems(400, 401, 403, 404, 405, 424, 500, 502, 503, 504) },
    },
  },
  "/status/{token}": {
    get: {
      operationId: "getStatusPage",
      tags: ["Tasks"],
      summary: "Show the status page",
      description:
        "The status page of one task, or with `Accept: application/json` the JSON of `POST /resolve`. The URL " +
        "is `links.status` of a response. Needs `RESOLVE_LINK_SECRETS`.",
      security: [],
      parameters: [
        parameter("token", "path", { description: "Signed token of the link. It expires." }),
      ],
      responses: { ...statusPage, ...problems(403, 404, 405, 500, 502, 503, 504) },
    },
  },
};

const event = {
  post: {
    operationId: "receiveEvent",
    summary: "Receive an event",
    description:
      "The endpoint sends the event of the watch, signed with the secret of the callback host. It repeats a " +
      "delivery without a 2xx for 24 hours, with the same `webhook-id`.",
    security: [SIGNED],
    requestBody: {
      required: true,
      description: "The event.",
      ...json(ref("WatchEvent")),
    },
    responses: {
      "2XX": { description: "The event is accepted." },
      410: { description: "The endpoint stops delivering." },
    },
  },
};

const watchPaths = {
  "/watches": {
    post: {
      operationId: "createWatch",
      tags: ["Watches"],
      summary: "Create a watch",
      description:
        "Creates a durable watch, which sends a signed event to `callback_url` when the task finishes. The same " +
        "task and callback are the same watch. 404 if watches are not enabled (`RESOLVE_CALLBACK_HOSTS`).",
      security: CALLERS,
      requestBody: {
        required: true,
        description:
          "The task and the callback, plain or wrapped as an event. At most 20,000 bytes.",
        ...json({ anyOf: [ref("WatchRequest"), ref("WatchRequestEvent")] }, {
          examples: WATCH_REQUESTS,
        }),
      },
      responses: {
        202: createdWatch,
        ...problems(400, 401, 403, 404, 405, 408, 413, 415, 500, 503),
      },
      callbacks: { end: { "{$request.body#/callback_url}": event } },
    },
    get: {
      operationId: "listWatches",
      tags: ["Operating watches"],
      summary: "List watches",
      description: `Lists watches, the newest first. ${OPERATORS}`,
      parameters: [
        parameter("state", "query", {
          description: "Lists only watches in this state. Default: all.",
          schema: { type: "string", enum: WATCH_STATES },
        }),
        parameter("limit", "query", {
          description: "Maximum number of watches.",
          schema: { type: "integer", minimum: 1, maximum: 200, default: 50 },
        }),
        parameter("cursor", "query", { description: "`next_cursor` of the previous page." }),
      ],
      security: KEY,
      responses: {
        200: { description: "A page of watches.", ...json(ref("WatchList")) },
        ...problems(400, 401, 404, 405, 500, 503),
      },
    },
  },
  "/watches/{id}": {
    get: {
      operationId: "getWatch",
      tags: ["Watches"],
      summary: "Get a watch",
      description: "Returns the state of a watch. A watch that has ended is kept for 7 days.",
      parameters: [WATCH_ID],
      security: KEY,
      responses: { 200: watch("The state of the watch."), ...problems(401, 404, 405, 500, 503) },
    },
    delete: {
      operationId: "cancelWatch",
      tags: ["Watches"],
      summary: "Cancel a watch",
      description: "Cancels the watch. The task keeps running.",
      parameters: [WATCH_ID],
      security: KEY,
      responses: { 200: watch("The state of the watch."), ...problems(401, 404, 405, 500, 503) },
    },
  },
};

const sweep = (operationId: string, method: string) => ({
  operationId,
  tags: ["Operating watches"],
  summary: `Sweep due watches (${method})`,
  description:
    `Polls and delivers what is due, for at most \`RESOLVE_SWEEP_MS\`; for platforms with a cron. ${OPERATORS}`,
  security: KEY,
  responses: {
    200: { description: "The work of the sweep.", ...json(ref("WatchSweep")) },
    ...problems(401, 404, 405, 500, 503),
  },
});

const operatorPaths = {
  "/watches/stats": {
    get: {
      operationId: "getWatchStats",
      tags: ["Operating watches"],
      summary: "Get watch figures",
      description: `Returns the figures of all watches and of each callback host. ${OPERATORS}`,
      security: KEY,
      responses: {
        200: { description: "Figures of the watches.", ...json(ref("WatchStats")) },
        ...problems(401, 404, 405, 500, 503),
      },
    },
  },
  "/watches/sweep": {
    post: sweep("sweepWatches", "POST"),
    get: sweep("sweepWatchesByGet", "GET"),
  },
  "/watches/{id}/redeliver": {
    post: {
      operationId: "redeliverWatch",
      tags: ["Operating watches"],
      summary: "Redeliver an event",
      description:
        `Delivers the event of a watch that has ended again, with the same \`webhook-id\`. ${OPERATORS}`,
      parameters: [WATCH_ID],
      security: KEY,
      responses: {
        202: watch("The watch is open until its event is delivered."),
        ...problems(401, 404, 405, 409, 500, 503),
      },
    },
  },
};

const servicePaths = {
  "/health": {
    get: {
      operationId: "health",
      tags: ["Service"],
      summary: "Check liveness",
      description: "Responds if the endpoint is running. Sends nothing upstream.",
      security: [],
      responses: {
        200: { description: "The endpoint is running.", ...json(ref("Health")) },
        ...problems(405),
      },
    },
  },
  "/ready": {
    get: {
      operationId: "ready",
      tags: ["Service"],
      summary: "Check readiness",
      description: "Asks the store of the durable watches, if there is one.",
      security: [],
      responses: {
        200: { description: "The endpoint can serve every route.", ...json(ref("Health")) },
        ...problems(405, 503),
      },
    },
  },
  "/metrics": {
    get: {
      operationId: "metrics",
      tags: ["Service"],
      summary: "Get metrics",
      description: "Returns counters and the figures of the watches in the Prometheus text format.",
      security: KEY,
      responses: {
        200: {
          description:
            "Responses by route and status, polls by outcome, and figures of the watches.",
          content: { "text/plain": { schema: { type: "string" } } },
        },
        ...problems(401, 405, 500, 503),
      },
    },
  },
  "/openapi.json": {
    get: {
      operationId: "openapi",
      tags: ["Service"],
      summary: "Get this document",
      description: "Returns this OpenAPI document.",
      security: [],
      responses: {
        200: { description: "This OpenAPI document.", ...json({ type: "object" }) },
        ...problems(405),
      },
    },
  },
  "/problems/{name}": {
    get: {
      operationId: "explainProblem",
      tags: ["Service"],
      summary: "Explain a problem type",
      description:
        "Returns the cause and the remedy of a problem type. `type` of a problem is this URL.",
      security: [],
      parameters: [parameter("name", "path", { description: "Name of the problem type." })],
      responses: {
        200: {
          description: "Cause and remedy of the problem.",
          content: { "text/plain": { schema: { type: "string" } } },
        },
        ...problems(404, 405),
      },
    },
  },
};

/** The tags of the operations. */
export const tags = [
  { name: "Tasks", description: "Polls of a task." },
  { name: "Watches", description: "Durable watches, which send an event when a task finishes." },
  { name: "Operating watches", description: "Durable watches, for operators." },
  { name: "Service", description: "Health, documentation and problem types." },
];

/** The routes. */
export const paths = { ...taskPaths, ...watchPaths, ...operatorPaths, ...servicePaths };
