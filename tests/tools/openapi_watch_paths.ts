/** The routes of the watches in `/openapi.json`. */
import { WATCH_STATES } from "../../functions/watches/state.ts";
import { CALLERS, createdWatch, KEY, problems, SIGNED, watch } from "./openapi_responses.ts";
import { IDS, json, parameter, ref, TASK } from "./openapi_schemas.ts";

const CALLBACK = { callback_url: "https://hooks.example.com/ended", deadline: 86_400 };
/** Requests that create a watch. */
const WATCH_REQUESTS = {
  ids: { summary: "A task by its ids", value: { ...IDS, ...CALLBACK } },
  task: { summary: "The task of an earlier response", value: { task: TASK, ...CALLBACK } },
};

const WATCH_ID = parameter("id", "path", { description: "Id of the watch." });

/** Note on the routes that need an engine with a store. */
const OPERATORS = "404 on Cloudflare, whose watches cannot be listed.";

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

const ownPaths = {
  "/watches": {
    post: {
      operationId: "createWatch",
      tags: ["Watches"],
      summary: "Create a watch",
      description:
        "Creates a durable watch, which sends a signed event to `callback_url` when the task finishes. A " +
        "repeated request for the same task and callback returns the same watch. 404 if watches are not enabled (`RESOLVE_CALLBACK_HOSTS`).",
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
        `Delivers the event of an ended watch again, with the same \`webhook-id\`. ${OPERATORS}`,
      parameters: [WATCH_ID],
      security: KEY,
      responses: {
        202: watch("The watch is open until its event is delivered."),
        ...problems(401, 404, 405, 409, 500, 503),
      },
    },
  },
};

/** The routes of the watches. */
export const watchPaths = { ...ownPaths, ...operatorPaths };
