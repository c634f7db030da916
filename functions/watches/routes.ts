/** The routes of durable watches: requests are parsed here and passed to an engine. */
import { Credentials } from "../../mod.ts";
import { checkCallbackUrl } from "./callback.ts";
import type { Config } from "../config.ts";
import { toWireIds } from "../http/task_ids.ts";
import { toTaskIds } from "../task/request.ts";
import { parseBody } from "../task/request_schema.ts";
import { DEFAULT_DEADLINE, WatchRequest } from "./request_schema.ts";
import type { WatchOperator } from "./operator_routes.ts";
import { callEngine, callWithId, toWatchBody, type WatchResponse } from "./response.ts";
import type { StoreEngine, WatchEngine } from "./store.ts";
import { withTimeout } from "../../src/internal/deadline.ts";

export type { WatchOperator } from "./operator_routes.ts";
export type { WatchResponse } from "./response.ts";

const READY_TIMEOUT_MS = 5_000;

/** Handlers of the watch routes. Each throws a problem on failure. */
export interface Watches {
  /** Creates a watch from the body of `POST /watches`. */
  create(body: unknown): Promise<WatchResponse>;
  /** Returns the state of a watch. */
  status(id: string): Promise<WatchResponse>;
  /** Cancels a watch; the task keeps running. */
  cancel(id: string): Promise<WatchResponse>;
  /** Loads the handlers of the operator routes. @default the engine cannot list its watches */
  operator?: (() => Promise<WatchOperator>) | undefined;
  /** Checks that watches can be kept. Concurrent callers share one check. */
  ready(): Promise<void>;
}

async function hashWatch(parts: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(parts));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function hasStore(engine: WatchEngine): engine is StoreEngine {
  return "store" in engine;
}

/** Creates the handlers of the watch routes over an engine. */
export function createWatches(config: Config, engine: WatchEngine): Watches {
  const { instance } = new Credentials(config);

  async function getOrCancel(act: "status" | "cancel", id: string): Promise<WatchResponse> {
    const watch = await callWithId(id, (id) => engine[act](id));
    return { status: 200, body: toWatchBody(watch, config) };
  }

  let checking: Promise<void> | undefined;

  async function ping(): Promise<void> {
    const onTimeout = () => {
      throw new Error("the store does not respond");
    };
    const work = async () => await engine.ping?.();
    await callEngine(() => withTimeout(work, { ms: READY_TIMEOUT_MS, onTimeout }));
  }

  return {
    async create(body) {
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
    status: (id) => getOrCancel("status", id),
    cancel: (id) => getOrCancel("cancel", id),
    operator: hasStore(engine)
      ? async () => (await import("./operator_routes.ts")).createOperator(config, engine)
      : undefined,
    async ready() {
      if (!engine.ping) return; // on Workers, requests cannot wait for each other's promises
      await (checking ??= ping().finally(() => checking = undefined));
    },
  };
}
