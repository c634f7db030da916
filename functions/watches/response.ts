/** Parts of the responses of all watch routes. */
import type { Config } from "../config.ts";
import { HttpProblem } from "../http/problem.ts";
import { toWireIds } from "../http/task_ids.ts";
import type { WatchBody } from "./response_schema.ts";
import type { WatchSnapshot } from "./store.ts";
import { sanitizeText } from "../../src/internal/text.ts";

/** A response about watches. */
export interface WatchResponse {
  /** 202 for a watch that was created, is already open or is delivered again, otherwise 200. */
  status: 200 | 202;
  /** Body, sent as JSON. */
  body: unknown;
  /** Additional headers. */
  headers?: Readonly<Record<string, string>>;
}

/** Returns the body of a response about a watch. */
export function toWatchBody(
  // field by field, because an engine may report its whole stored state
  { id, state, ids, polls, last, event, attempts, lastStatus, reason }: WatchSnapshot,
  { publicUrl, basePath }: Pick<Config, "publicUrl" | "basePath">,
): WatchBody {
  return {
    id,
    state,
    ...(ids && { task: toWireIds(ids) }),
    location: `${publicUrl ?? basePath}/watches/${id}`,
    ...(polls !== undefined && { polls }),
    ...(last && { last }),
    ...(event && { event: { type: event.type, ...(event.code && { code: event.code }) } }),
    ...(attempts !== undefined && { attempts }),
    ...(lastStatus !== undefined && { last_status: lastStatus }),
    ...(reason && { reason }),
  };
}

/** Calls an engine with the id of a watch. An id of another form is unknown without a call. */
export async function callWithId<T>(
  id: string,
  call: (id: string) => Promise<T | undefined>,
): Promise<T> {
  const found = /^[0-9a-f]{64}-\d{1,9}$/.test(id) ? await callEngine(() => call(id)) : undefined;
  if (found !== undefined) return found;
  throw new HttpProblem("not-found", "no such watch", { code: "WATCH_NOT_FOUND" });
}

/** Calls an engine or its store. The cause of a failure is only logged. */
export async function callEngine<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
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
