/**
 * Generates `functions/openapi.json` from the valibot schemas and the table of problems: `deno task
 * openapi`. The endpoint serves the file as it is; a test checks that it is current.
 */
import { toJsonSchemaDefs } from "@valibot/to-json-schema";
import * as v from "valibot";
import config from "../../deno.json" with { type: "json" };
import { PROBLEMS } from "../../functions/http/problem.ts";
import { Health } from "../../functions/http/problem_schema.ts";
import { ResolveRequest } from "../../functions/task/request_schema.ts";
import { Finished, Running, TaskBody, TaskProblem } from "../../functions/task/response_schema.ts";
import { WatchRequest } from "../../functions/watches/request_schema.ts";
import {
  WatchBody,
  WatchEvent,
  WatchList,
  WatchStats,
  WatchSweep,
} from "../../functions/watches/response_schema.ts";
import { WATCH_STATES } from "../../functions/watches/state.ts";
import { answers } from "./openapi_examples.ts";

type Json = Record<string, unknown>;

const TASK_ROUTE = "/organizations/{organization}/workspaces/{workspace}/tasks/{task}";

function webhookEventSchema<T extends v.GenericSchema>(data: T) {
  return v.object({ type: v.string(), timestamp: v.optional(v.string()), data });
}

const schemas = toJsonSchemaDefs(
  {
    ...{ Task: TaskBody, Finished, Running, Health, Problem: TaskProblem },
    ...{
      ResolveRequest,
      ResolveEvent: webhookEventSchema(ResolveRequest),
      Watch: WatchBody,
      WatchRequest,
      WatchRequestEvent: webhookEventSchema(WatchRequest),
      WatchEvent,
      WatchList,
      WatchStats,
      WatchSweep,
    },
  },
  { overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}` },
);

const ref = (name: keyof typeof schemas) => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: Json, more: Json = {}) => ({
  content: { "application/json": { schema, ...more } },
});
const header = (type = "string") => ({ schema: { type } });

const RETRY_AFTER = { "Retry-After": header("integer") };
const ETAG = { "ETag": header() };

const STATUSES = [...new Set(Object.values(PROBLEMS).map(({ status }) => status))];

/** The responses of all problems, one per status. */
const problemResponses = Object.fromEntries(STATUSES.map((status) => {
  const all = Object.entries(PROBLEMS).filter(([, problem]) => problem.status === status);
  return [status, {
    description: all.map(([name]) => name).join(", "),
    headers: {
      ...(status === 503 && RETRY_AFTER),
      ...(status === 401 && { "WWW-Authenticate": header() }),
      ...(status === 405 && { "Allow": header() }),
      ...(status === 415 && { "Accept": header() }),
    },
    content: { "application/problem+json": { schema: ref("Problem") } },
  }];
}));

/** References to the problem responses of a route. */
function problems(...statuses: number[]): Json {
  return Object.fromEntries(
    statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]),
  );
}

const finished = (extra: Json = {}) => ({
  description: "The task has finished.",
  headers: extra,
  ...json(ref("Finished")),
});
const running = (extra: Json = {}) => ({
  description: "The task is pending or running. Poll again after Retry-After seconds.",
  headers: {
    ...RETRY_AFTER,
    "Location": header(),
    ...extra,
  },
  ...json(ref("Running")),
});

const watch = (description: string, headers?: Json) => ({
  description,
  ...(headers && { headers }),
  ...json(ref("Watch")),
});

/** Note on the routes that need an engine with a store. */
const OPERATORS = "404 on Cloudflare, whose watches cannot be listed.";

const sweep = (operationId: string) => ({
  operationId,
  summary: `Poll and deliver what is due, for at most RESOLVE_SWEEP_MS. ${OPERATORS}`,
  security: [{ bearer: [] }],
  responses: {
    200: { description: "The steps taken.", ...json(ref("WatchSweep")) },
    ...problems(401, 404, 405, 500, 503),
  },
});

const SIGNED = { webhookId: [], webhookTimestamp: [], webhookSignature: [] };
/** A key or a signature. */
const CALLERS = [{ bearer: [] }, SIGNED];

const IDS = { organization_id: "o-1", workspace_id: "w-1", task_id: "t-1" };
/** The forms of a request. A test sends each. */
const REQUESTS = {
  ids: { value: IDS },
  "web-url": {
    value: { url: "https://app.deepint.net/o/o-1/workspace?ws=w-1&s=task&i=t-1" },
  },
  "api-url": {
    value: {
      url: "https://app.deepint.net/api/v1/workspace/w-1/task/t-1",
      organization_id: "o-1",
      raise_on_error: false,
    },
  },
  event: {
    value: { type: "task.started", timestamp: "2026-01-01T00:00:00Z", data: IDS },
  },
};
/** Requests that create a watch. */
const WATCH_REQUESTS = {
  watch: {
    value: { ...IDS, callback_url: "https://hooks.example.com/ended", deadline: 86_400 },
  },
};

const parameter = (name: string, where: string, rest: Json) => ({
  name,
  in: where,
  required: where === "path",
  ...rest,
});
const ID = { schema: { type: "string", pattern: "^[A-Za-z0-9_-]{1,128}$" } };

/** Headers of a response to a link. */
const LINK_HEADERS = { "Referrer-Policy": header(), "X-Robots-Tag": header(), "Vary": header() };
const PAGE = { "text/html": { schema: { type: "string" } } };

/** Adds the status page to a JSON response. */
function orPage<T extends { content: Json; headers: Json }>(response: T): T {
  return {
    ...response,
    headers: { ...response.headers, ...LINK_HEADERS },
    content: { ...response.content, ...PAGE },
  };
}

const document = {
  openapi: "3.1.0",
  info: {
    title: "Task endpoint",
    version: config.version,
    description:
      "Resolves tasks of Deep Intelligence with one bounded poll per request. Every response has an " +
      "X-Request-Id.",
    license: { name: config.license, identifier: config.license },
  },
  paths: {
    "/resolve": {
      post: {
        operationId: "resolve",
        summary:
          "Poll a task once: returns its result, or 202 with Retry-After while it is running.",
        security: CALLERS,
        requestBody: {
          required: true,
          ...json({ anyOf: [ref("ResolveRequest"), ref("ResolveEvent")] }, { examples: REQUESTS }),
        },
        responses: {
          200: finished(),
          202: running(),
          ...problems(400, 401, 403, 404, 405, 408, 413, 415, 424, 500, 502, 503, 504),
        },
      },
    },
    [TASK_ROUTE]: {
      get: {
        operationId: "getTask",
        summary: "Poll a task by its ids, for callers that follow Location.",
        security: [{ bearer: [] }],
        parameters: [
          ...["organization", "workspace", "task"].map((name) => parameter(name, "path", ID)),
          parameter("If-None-Match", "header", { schema: { type: "string" } }),
        ],
        responses: {
          200: finished(ETAG),
          202: running(ETAG),
          304: {
            description: "The response has not changed.",
            headers: { ...ETAG, ...RETRY_AFTER },
          },
          ...problems(400, 401, 403, 404, 405, 424, 500, 502, 503, 504),
        },
      },
    },
    "/status/{token}": {
      get: {
        operationId: "getStatusPage",
        summary: "Status page of a task, or the same as JSON. Needs RESOLVE_LINK_SECRETS.",
        security: [],
        parameters: [parameter("token", "path", { schema: { type: "string" } })],
        responses: {
          200: orPage(finished()),
          202: orPage(running()),
          ...problems(403, 404, 405, 500, 502, 503, 504),
        },
      },
    },
    "/watches": {
      get: {
        operationId: "listWatches",
        summary: `List watches, the newest first. ${OPERATORS}`,
        parameters: [
          parameter("state", "query", { schema: { type: "string", enum: WATCH_STATES } }),
          parameter("limit", "query", {
            schema: { type: "integer", minimum: 1, maximum: 200, default: 50 },
          }),
          parameter("cursor", "query", {
            description: "`next_cursor` of the page before.",
            schema: { type: "string" },
          }),
        ],
        security: [{ bearer: [] }],
        responses: {
          200: { description: "A page of watches.", ...json(ref("WatchList")) },
          ...problems(400, 401, 404, 405, 500, 503),
        },
      },
      post: {
        operationId: "createWatch",
        summary:
          "Create a durable watch, which sends an event when the task finishes. 404 if watches are not enabled.",
        security: CALLERS,
        requestBody: {
          required: true,
          ...json({ anyOf: [ref("WatchRequest"), ref("WatchRequestEvent")] }, {
            examples: WATCH_REQUESTS,
          }),
        },
        responses: {
          202: watch("Watch created or already open.", { "Location": header() }),
          ...problems(400, 401, 403, 404, 405, 408, 413, 415, 500, 503),
        },
        callbacks: {
          end: {
            "{$request.body#/callback_url}": {
              post: {
                summary: "Event of the watch, signed with the secret of the callback host.",
                security: [SIGNED],
                requestBody: { required: true, ...json(ref("WatchEvent")) },
                responses: {
                  "2XX": { description: "Event accepted." },
                  410: { description: "Stop delivering." },
                },
              },
            },
          },
        },
      },
    },
    "/watches/stats": {
      get: {
        operationId: "getWatchStats",
        summary: `Get the figures of all watches and of each callback host. ${OPERATORS}`,
        security: [{ bearer: [] }],
        responses: {
          200: { description: "Figures of the watches.", ...json(ref("WatchStats")) },
          ...problems(401, 404, 405, 500, 503),
        },
      },
    },
    "/watches/sweep": {
      get: sweep("sweepWatchesByGet"),
      post: sweep("sweepWatches"),
    },
    "/watches/{id}/redeliver": {
      post: {
        operationId: "redeliverWatch",
        summary:
          `Deliver the event of a watch that has ended again, with the same webhook-id. ${OPERATORS}`,
        parameters: [parameter("id", "path", { schema: { type: "string" } })],
        security: [{ bearer: [] }],
        responses: {
          202: watch("The watch is open again."),
          ...problems(401, 404, 405, 409, 500, 503),
        },
      },
    },
    "/watches/{id}": {
      get: {
        operationId: "getWatch",
        summary: "Get the state of a watch.",
        parameters: [parameter("id", "path", { schema: { type: "string" } })],
        security: [{ bearer: [] }],
        responses: { 200: watch("State of the watch."), ...problems(401, 404, 405, 500, 503) },
      },
      delete: {
        operationId: "cancelWatch",
        summary: "Cancel a watch. The task keeps running.",
        parameters: [parameter("id", "path", { schema: { type: "string" } })],
        security: [{ bearer: [] }],
        responses: { 200: watch("State of the watch."), ...problems(401, 404, 405, 500, 503) },
      },
    },
    "/health": {
      get: {
        operationId: "health",
        summary: "Liveness check. Sends nothing upstream.",
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
        summary: "Readiness check. Asks the store of the durable watches, if there is one.",
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
        summary: "Counters in the Prometheus text format.",
        security: [{ bearer: [] }],
        responses: {
          200: {
            description: "Responses by route and status, and polls by outcome.",
            content: { "text/plain": { schema: { type: "string" } } },
          },
          ...problems(401, 405, 500, 503),
        },
      },
    },
    "/openapi.json": {
      get: {
        operationId: "openapi",
        summary: "This OpenAPI document.",
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
        summary: "Explain a problem type as text.",
        security: [],
        parameters: [
          parameter("name", "path", { schema: { type: "string" } }),
        ],
        responses: {
          200: {
            description: "Cause and remedy of the problem.",
            content: { "text/plain": { schema: { type: "string" } } },
          },
          ...problems(404, 405),
        },
      },
    },
  },
  components: {
    schemas,
    responses: problemResponses,
    securitySchemes: {
      bearer: { type: "http", scheme: "bearer" },
      webhookId: { type: "apiKey", in: "header", name: "webhook-id" },
      webhookTimestamp: { type: "apiKey", in: "header", name: "webhook-timestamp" },
      webhookSignature: {
        type: "apiKey",
        in: "header",
        name: "webhook-signature",
      },
    },
  },
};

interface Described {
  content?: Record<string, Json>;
}

/** Adds an example to every response, as the endpoint sends it. */
async function withExamples(): Promise<Json> {
  const shown = structuredClone(document) as Json & {
    paths: Record<string, Record<string, { operationId: string; responses: Json }>>;
    components: { responses: Json };
  };
  const operations = Object.values(shown.paths).flatMap((path) => Object.values(path));
  const examples: Json = {};
  for (const { name, operation, status, type, body } of await answers()) {
    examples[name] = { value: body };
    const responses = operation === undefined
      ? shown.components.responses
      : operations.find(({ operationId }) => operationId === operation)?.responses;
    const content = (responses?.[status] as Described | undefined)?.content?.[type];
    if (!content) throw new Error(`${operation ?? name} has no answer ${status} of ${type}`);
    content.examples = {
      ...content.examples as Json | undefined,
      [name]: { $ref: `#/components/examples/${name}` },
    };
  }
  return { ...shown, components: { ...shown.components, examples } };
}

/** Text of the document, the content of `functions/openapi.json`. */
export const openapi: string = JSON.stringify(await withExamples()) + "\n";

if (import.meta.main) {
  await Deno.writeTextFile(new URL("../../functions/openapi.json", import.meta.url), openapi);
}
