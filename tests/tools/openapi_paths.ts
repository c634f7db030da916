/** The routes in `/openapi.json`. */
import { CALLERS, conditional, KEY, polled, problems, statusPage } from "./openapi_responses.ts";
import { IDS, json, parameter, ref, TASK } from "./openapi_schemas.ts";
import { watchPaths } from "./openapi_watch_paths.ts";

const TASK_ROUTE = "/organizations/{organization}/workspaces/{workspace}/tasks/{task}";

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

const idParameter = (name: string) =>
  parameter(name, "path", {
    description: `Id of the ${name}.`,
    schema: { type: "string", pattern: "^[A-Za-z0-9_-]{1,128}$" },
  });

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
      description: "Checks the store of the durable watches, if they are enabled.",
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
          description: "The metrics.",
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
        "Returns the cause and the remedy of a problem type. The `type` of a problem is this URL.",
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
export const paths = { ...taskPaths, ...watchPaths, ...servicePaths };
