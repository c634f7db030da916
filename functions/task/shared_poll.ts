/** Polls shared by concurrent callers of the same task, and a short-lived cache of finished tasks. */
import {
  type Credentials,
  DeepintTimeoutError,
  type Fetch,
  TaskStatus,
  type TraceContext,
} from "../../mod.ts";
import { type Counter, increment } from "../http/counters.ts";
import type { TaskIds } from "../http/task_ids.ts";
import type { PolledTask } from "./response.ts";
import { loadTask, loadTaskOnce, type LoadTaskOptions } from "../../src/internal/client.ts";
import { type Caller, raceCaller } from "../http/caller_race.ts";

/** The caller of a poll. */
export interface PollCaller extends Caller {
  /**
   * Keeps the invocation alive until a promise settles. Platforms that have it forbid a request to touch
   * the I/O of another, so only the poll's own deadline ends a shared poll there.
   */
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
  /** Headers of the caller's trace; a shared poll sends those of the caller that started it. */
  trace?: TraceContext | undefined;
}

/** A task and where its information came from. */
export interface PollResult {
  task: PolledTask;
  /** Origin of the information: the caller's own request, a shared poll or the cache. */
  source: "fetched" | "shared" | "cached";
}

/** Polls a task once; throws what `loadTask` throws, or the reason of the caller's signal. */
export type TaskPoller = (ids: TaskIds, caller: PollCaller) => Promise<PollResult>;

/** Options of {@linkcode createTaskPoller}. */
export interface TaskPollerOptions {
  /** Credentials to send requests with. */
  credentials: Credentials;
  /** Deadline of each caller, in ms. */
  timeout: number;
  /** Sends requests. @default globalThis.fetch */
  fetch?: Fetch | undefined;
  /** The clock, in ms since 1970. */
  now: () => number;
  /** Counts polls by outcome, `ok` or `failed`. */
  polls: Counter;
}

interface InFlightPoll {
  readonly startedAt: number;
  /** Aborts the poll; `undefined` with `waitUntil`. */
  readonly controller: AbortController | undefined;
  readonly loaded: Promise<PolledTask>;
  callers: number;
}

const MAX_CACHE_ENTRIES = 1_000;
const CACHE_TTL_MS = 60_000;

/** Options of {@linkcode pollOnce}: a deadline in ms, or a signal that ends the request of the poll. */
export type PollOnceOptions =
  & Pick<TaskPollerOptions, "credentials" | "fetch">
  & Pick<LoadTaskOptions, "trace">
  & ({ timeout: number; signal?: AbortSignal | undefined } | {
    timeout?: undefined;
    signal: AbortSignal;
  });

/** Polls a task in one attempt; throws what `loadTask` throws. */
export async function pollOnce(
  ids: TaskIds,
  { credentials, fetch, timeout, signal, trace }: PollOnceOptions,
): Promise<PolledTask> {
  const connection = { organizationId: ids.organizationId, credentials, fetch };
  const loaded = timeout === undefined
    ? await loadTaskOnce(connection, ids, { signal, trace })
    : await loadTask(connection, ids, {
      timeout,
      requestTimeout: timeout,
      retries: 0,
      signal,
      trace,
    });
  return { instance: credentials.instance, ...ids, ...loaded };
}

/**
 * Creates a poller. Only terminal tasks are cached, never an error or a running task.
 */
export function createTaskPoller(options: TaskPollerOptions): TaskPoller {
  const { credentials, fetch, timeout, now, polls } = options;
  const inFlight = new Map<string, InFlightPoll>();
  const cache = new Map<string, { task: PolledTask; at: number }>();

  function start(key: string, ids: TaskIds, { waitUntil, trace }: PollCaller): InFlightPoll {
    const controller = waitUntil ? undefined : new AbortController();
    // each caller has its own deadline, and the last to leave aborts the poll; with waitUntil, the poll's
    // own deadline ends it
    const bound = controller ? { signal: controller.signal } : { timeout };
    const loaded = pollOnce(ids, { credentials, fetch, trace, ...bound });
    const flight: InFlightPoll = { startedAt: now(), controller, loaded, callers: 0 };
    inFlight.set(key, flight);
    const end = (outcome: "ok" | "failed") => {
      increment(polls, outcome);
      removeInFlight(key, flight);
    };
    const settled = loaded.then((task) => {
      end("ok");
      cacheResult(key, task);
    }, () => end("failed"));
    waitUntil?.(settled);
    return flight;
  }

  function removeInFlight(key: string, flight: InFlightPoll): void {
    if (inFlight.get(key) === flight) inFlight.delete(key);
  }

  function cacheResult(key: string, task: PolledTask): void {
    if (!TaskStatus.isTerminal(task.info.status)) return;
    cache.delete(key); // reinsert at the end
    cache.set(key, { task, at: now() });
    for (const [oldest] of cache) {
      if (cache.size <= MAX_CACHE_ENTRIES) break;
      cache.delete(oldest);
    }
  }

  return async function poll(ids, caller) {
    // it may have disconnected while its body was read
    if (!caller.connected) caller.request.signal.throwIfAborted();
    const key = `${ids.organizationId}/${ids.workspaceId}/${ids.taskId}`;
    const memory = cache.get(key);
    if (memory && now() - memory.at < CACHE_TTL_MS) {
      return { task: memory.task, source: "cached" };
    }
    if (memory) cache.delete(key);

    const began = now();
    let flight = inFlight.get(key);
    // don't join a poll older than half the timeout: it may be hanging
    const isShared = flight !== undefined && began - flight.startedAt < timeout / 2;
    if (!flight || !isShared) flight = start(key, ids, caller);
    const { loaded, controller } = flight;
    flight.callers++;
    const onTimeout = () => {
      throw new DeepintTimeoutError("the poll took too long", { elapsed: now() - began });
    };
    try {
      const task = await raceCaller(loaded, { caller, ms: timeout, onTimeout });
      return { task, source: isShared ? "shared" : "fetched" };
    } catch (error) {
      // only on failure: aborting a settled request would construct an AbortError for nothing
      if (flight.callers === 1 && controller) {
        removeInFlight(key, flight);
        controller.abort();
      }
      throw error;
    } finally {
      flight.callers--;
    }
  };
}
