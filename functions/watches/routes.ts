/** The routes of durable watches: requests are parsed here and passed to an engine. */
import { Credentials } from "../../mod.ts";
import { checkCallbackUrl } from "./callback.ts";
import type { Config } from "../config.ts";
import { HttpProblem } from "../http/problem.ts";
import { toWireIds } from "../http/task_ids.ts";
import { toTaskIds } from "../task/request.ts";
import { parseBody } from "../task/request_schema.ts";
import { DEFAULT_DEADLINE, WatchRequest } from "./request_schema.ts";
import type { WatchBody } from "./response_schema.ts";
import type { WatchEngine, WatchSnapshot } from "./store.ts";
import { withTimeout } from "../../src/internal/deadline.ts";
import { sanitizeText } from "../../src/internal/text.ts";

const READY_TIMEOUT_MS = 5_000;

/** A response about a watch. */
export interface WatchResponse {
  /** 202 for a watch that was created or already open, otherwise 200. */
  status: 200 | 202;
  /** Body, sent as JSON. */
  body: unknown;
  /** Additional headers. */
  headers?: Readonly<Record<string, string>>;
}

/** Handlers of the watch routes. Each throws a problem on failure. */
export interface Watches {
  /** Creates a watch from the body of `POST /watches`. */
  create(body: unknown): Promise<WatchResponse>;
  /** Returns the state of a watch. */
  status(id: string): Promise<WatchResponse>;
  /** Cancels a watch; the task keeps running. */
  cancel(id: string): Promise<WatchResponse>;
  /** Checks that watches can be kept. Concurrent callers share one check. */
  ready(): Promise<void>;
}

/** Creates the handlers of the watch routes over an engine. */
export function createWatches(config: Config, engine: WatchEngine): Watches {
  const { instance } = new Credentials(config);
  const publicUrl = config.publicUrl ?? config.basePath;

  // field by field, because an engine may report its whole stored state
  const bodyOf = (
    { id, state, ids, polls, last, event, attempts, lastStatus, reason }: WatchSnapshot,
  ) => ({
    id,
    state,
    ...(ids && { task: toWireIds(ids) }),
    location: `${publicUrl}/watches/${id}`,
    ...(polls !== undefined && { polls }),
    ...(last && { last }),
    ...(event && { event: { type: event.type, ...(event.code && { code: event.code }) } }),
    ...(attempts !== undefined && { attempts }),
    ...(lastStatus !== undefined && { last_status: lastStatus }),
    ...(reason && { reason }),
  } satisfies WatchBody);

  async function getOrCancel(act: "status" | "cancel", id: string): Promise<WatchResponse> {
    const report = /^[0-9a-f]{64}-\d{1,9}$/.test(id)
      ? await callEngine(() => engine[act](id))
      : undefined;
    if (report) return { status: 200, body: bodyOf(report) };
    throw new HttpProblem("not-found", "no such watch", { code: "WATCH_NOT_FOUND" });
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
      const { id, state, task = toWireIds(ids), location } = bodyOf(report);
      return { status: 202, body: { id, state, task, location }, headers: { location } };
    },
    status: (id) => getOrCancel("status", id),
    cancel: (id) => getOrCancel("cancel", id),
    async ready() {
      if (!engine.ping) return; // on Workers, requests cannot wait for each other's promises
      await (checking ??= ping().finally(() => checking = undefined));
    },
  };
}

/** Calls the engine. The cause of a failure is only logged. */
async function callEngine<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    throw new HttpProblem(
      "watches-unavailable",
      "the store of the watches failed; try again later",
      {
        hint: sanitizeText(`watches: ${error instanceof Error ? error.message : "failed"}`),
        headers: { "retry-after": "60" },
      },
    );
  }
}

async function hashWatch(parts: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(parts));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
