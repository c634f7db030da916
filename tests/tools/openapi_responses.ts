/** The responses in `/openapi.json`, their headers and the security schemes. */
import { PROBLEMS, type ProblemType } from "../../functions/http/problem.ts";
import { PROBLEM_DOCS } from "../../functions/http/problem_docs.ts";
import { type Json, json, ref } from "./openapi_schemas.ts";

const header = (description: string, type = "string") => ({ description, schema: { type } });

const RETRY_AFTER = { "Retry-After": header("Seconds until the next try is useful.", "integer") };
const ETAG = { "ETag": header("Weak tag of the response, for `If-None-Match`.") };
const ABORT = {
  "webhook-delivery": header(
    "`abort-message` if a signed webhook is refused for good: its sender should not repeat it.",
  ),
};

const STATUSES = [...new Set(Object.values(PROBLEMS).map(({ status }) => status))];

/** The responses of all problems, one per status. */
export const problemResponses = Object.fromEntries(STATUSES.map((status) => {
  const names = (Object.keys(PROBLEMS) as ProblemType[])
    .filter((name) => PROBLEMS[name].status === status);
  return [status, {
    description: names.map((name) => `\`${name}\`: ${PROBLEM_DOCS[name][0]}`).join("\n\n"),
    headers: {
      ...(status === 503 && RETRY_AFTER),
      ...([400, 403, 404].includes(status) && ABORT),
      ...(status === 401 && { "WWW-Authenticate": header("The scheme of a key: `Bearer`.") }),
      ...(status === 405 && { "Allow": header("The supported methods.") }),
      ...(status === 415 && { "Accept": header("The supported type.") }),
    },
    content: { "application/problem+json": { schema: ref("Problem") } },
  }];
}));

/** Returns references to the problem responses of a route. */
export function problems(...statuses: number[]): Json {
  return Object.fromEntries(
    statuses.map((status) => [status, { $ref: `#/components/responses/${status}` }]),
  );
}

/** A response with a body of JSON. */
export interface JsonResponse {
  description: string;
  headers: Json;
  content: Json;
}

const finished = (headers: Json = {}): JsonResponse => ({
  description: "The task has finished.",
  headers,
  ...json(ref("Finished")),
});
const running = (headers: Json = {}): JsonResponse => ({
  description: "The task is pending or running. Poll again after `Retry-After` seconds.",
  headers: {
    ...RETRY_AFTER,
    "Location": header("URL of the `GET` route of the task."),
    ...headers,
  },
  ...json(ref("Running")),
});

/** The responses of a poll. */
export const polled = { 200: finished(), 202: running() };

/** The responses of a poll with `If-None-Match`. */
export const conditional = {
  200: finished(ETAG),
  202: running(ETAG),
  304: {
    description: "The response has not changed.",
    headers: { ...ETAG, ...RETRY_AFTER },
  },
};

const PAGE = { "text/html": { schema: { type: "string", description: "The status page." } } };
const PAGE_HEADERS = {
  "Referrer-Policy": header("`no-referrer`."),
  "X-Robots-Tag": header("`noindex`."),
  "Vary": header("`Accept`."),
};

const inProgress = running({ "Location": header("URL of the link.") });

/** The responses of the status page. As a page, a task in progress is 200, too. */
export const statusPage = {
  200: {
    description: "The status page of the task, or the JSON of a finished task.",
    headers: PAGE_HEADERS,
    content: { ...finished().content, ...PAGE },
  },
  202: { ...inProgress, headers: { ...inProgress.headers, ...PAGE_HEADERS } },
};

/** Returns a response about a watch. */
export function watch(description: string): Json {
  return { description, ...json(ref("Watch")) };
}

/** The response to a new watch. */
export const createdWatch: Json = {
  ...watch("The watch was created, or the same watch is open or delivered already."),
  headers: { "Location": header("URL of the watch.") },
};

/** A request signed with the three headers of Standard Webhooks. */
export const SIGNED = { webhookId: [], webhookTimestamp: [], webhookSignature: [] };

/** A request with a key, in one of two headers. */
export const KEY = [{ bearer: [] }, { apiKey: [] }];

/** A request with a key or a signature. */
export const CALLERS = [...KEY, SIGNED];

const signatureHeader = (name: string, description: string) => ({
  type: "apiKey",
  in: "header",
  name: `webhook-${name}`,
  description: `${description} Standard Webhooks; \`svix-${name}\` is accepted too.`,
});

/** The security schemes. */
export const securitySchemes: Json = {
  bearer: {
    type: "http",
    scheme: "bearer",
    description: "One of `RESOLVE_API_KEYS`.",
  },
  apiKey: {
    type: "apiKey",
    in: "header",
    name: "X-API-Key",
    description:
      "One of `RESOLVE_API_KEYS`, for platforms that use `Authorization` themselves. Any other value is ignored.",
  },
  webhookId: signatureHeader("id", "Id of the message, at most 256 characters."),
  webhookTimestamp: signatureHeader(
    "timestamp",
    "Time of the delivery in seconds since 1970, at most 300 s from the endpoint's clock.",
  ),
  webhookSignature: signatureHeader(
    "signature",
    "`v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`; several signatures are separated by spaces.",
  ),
};
