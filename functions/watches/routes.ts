/** The routes of durable watches: requests are parsed here and passed to an engine. */
import { Credentials } from "../../mod.ts";
import { checkCallbackUrl } from "./callback.ts";
import type { Config } from "../config.ts";
import { routeNotFound } from "../http/problem.ts";
import { toWireIds } from "../http/task_ids.ts";
import { toTaskIds } from "../task/request.ts";
import { parseBody } from "../task/request_schema.ts";
import { DEFAULT_DEADLINE, WatchRequest } from "./request_schema.ts";
import { callEngine, callWithId, toWatchBody, type WatchResponse } from "./response.ts";
import type { WatchEngine } from "./store.ts";
import { withTimeout } from "../../src/internal/deadline.ts";

export type { WatchResponse } from "./response.ts";

const READY_TIMEOUT_MS = 5_000;

/** A request to a watch route, after authentication. */
export interface WatchRouteRequest {
  /** Id of the watch in the path; empty without one. */
  readonly id: string;
  /** Query of the URL. */
  readonly query: URLSearchParams;
  /** Parsed body of a route that accepts signed requests. */
  readonly body: unknown;
}

/** A method of a watch route. */
export interface WatchRoute {
  /** Authentication: a key, or also a signed body. */
  readonly guard: "bearer" | "bearerOrWebhook";
  /** Handles a request; throws a problem on failure. */
  handle(request: WatchRouteRequest): Promise<WatchResponse>;
}

/** Handlers of the operator routes. Each throws a problem on failure. */
export interface WatchOperator {
  /** Lists watches by the query of `GET /watches`. */
  list(query: URLSearchParams): Promise<WatchResponse>;
  /** Returns the figures of `GET /watches/stats`. */
  stats(): Promise<WatchResponse>;
  /** Delivers the event of a watch again. */
  redeliver(id: string): Promise<WatchResponse>;
  /** Polls and delivers what is due, for at most `RESOLVE_SWEEP_MS`. */
  sweep(): Promise<WatchResponse>;
  /** Returns the figures as lines of the Prometheus text format. */
  metrics(): Promise<string[]>;
}

/** Durable watches of an endpoint. */
export interface Watches {
  /** Routes by path and method. They are here because an endpoint without watches does not load them. */
  readonly routes: Readonly<Record<string, Readonly<Record<string, WatchRoute>>>>;
  /** Handlers of the operator routes. @default the engine cannot list its watches */
  operator?: WatchOperator | undefined;
  /** Checks that watches can be kept. Concurrent callers share one check. */
  ready(): Promise<void>;
}

async function hashWatch(parts: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(parts));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Creates the routes of an engine without those of operators. */
function ownRoutes(config: Config, engine: WatchEngine) {
  const { instance } = new Credentials(config);
  const getOrCancel = (act: "status" | "cancel"): WatchRoute => ({
    guard: "bearer",
    async handle({ id }) {
      const watch = await callWithId(id, (id) => engine[act](id));
      return { status: 200, body: toWatchBody(watch, config) };
    },
  });
  const create: WatchRoute = {
    guard: "bearerOrWebhook",
    async handle({ body }) {
      const parsed = parseBody(WatchRequest, body);
      const { output, pointer } = parsed;
      const ids = toTaskIds(parsed, { ...config, instance });
      const callbackUrl = checkCallbackUrl(output.callback_url, `${pointer}/callback_url`, config);
      const deadline = (output.deadline ?? DEFAULT_DEADLINE) * 1_000;
      const key = await hashWatch([
        instance,
        ids.organizationId,
        ids.workspaceId,
        ids.taskId,
        callbackUrl,
      ]);
      const report = await callEngine(() =>
        engine.start({ key, instance, ids, callbackUrl, deadline })
      );
      const { id, state, task = toWireIds(ids), location } = toWatchBody(report, config);
      return { status: 202, body: { id, state, task, location }, headers: { location } };
    },
  };
  return { create, status: getOrCancel("status"), cancel: getOrCancel("cancel") };
}

/** Creates the watches of an engine. Without `operator`, the operator routes respond with 404. */
export function createWatches(
  config: Config,
  engine: WatchEngine,
  operator?: WatchOperator,
): Watches {
  const { create, status, cancel } = ownRoutes(config, engine);
  const operate = (
    act: (operator: WatchOperator, request: WatchRouteRequest) => Promise<WatchResponse>,
  ): WatchRoute => ({
    guard: "bearer",
    async handle(request) {
      if (!operator) throw routeNotFound("this engine cannot list its watches");
      return await act(operator, request);
    },
  });
  const sweep = operate((operator) => operator.sweep());

  let checking: Promise<void> | undefined;

  async function ping(): Promise<void> {
    const onTimeout = () => {
      throw new Error("the store does not respond");
    };
    const work = async () => await engine.ping?.();
    await callEngine(() => withTimeout(work, { ms: READY_TIMEOUT_MS, onTimeout }));
  }

  return {
    routes: {
      "/watches": { GET: operate((operator, { query }) => operator.list(query)), POST: create },
      "/watches/stats": { GET: operate((operator) => operator.stats()) },
      "/watches/sweep": { GET: sweep, POST: sweep },
      "/watches/:id/redeliver": { POST: operate((operator, { id }) => operator.redeliver(id)) },
      "/watches/:id": { GET: status, DELETE: cancel },
    },
    operator,
    async ready() {
      if (!engine.ping) return; // on Workers, requests cannot wait for each other's promises
      await (checking ??= ping().finally(() => checking = undefined));
    },
  };
}
