/** One upstream poll for all who ask for the same task at once, and a short memory of how tasks ended. */
import {
  type Credentials,
  DeepintTimeoutError,
  type Fetch,
  Task,
  TaskInfo,
  TaskStatus,
} from "../../mod.ts";
import type { TaskIds } from "../http/task_ids.ts";
import { withTimeout } from "../../src/internal/deadline.ts";

/** The caller of a poll. */
export interface PollCaller {
  /** Aborts when the caller goes away. */
  signal: AbortSignal;
  /**
   * Keeps a promise going after the answer. Where a platform has it, a request may not touch the
   * input and output of another one, so that only the poll's own deadline ends a poll.
   */
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
}

/** A loaded task and where its information came from. */
export interface PollResult {
  /** The task. */
  task: Task;
  /** From a request of the caller's own, one shared with others, or the memory. */
  source: "fetched" | "shared" | "cached";
}

/** Polls a task once; throws what `Task.load` throws, or the reason of the caller's signal. */
export type TaskPoller = (ids: TaskIds, caller: PollCaller) => Promise<PollResult>;

/** Options of {@linkcode createTaskPoller}. */
export interface TaskPollerOptions {
  /** Whose requests they are. */
  credentials: Credentials;
  /** Milliseconds that a caller waits. */
  timeout: number;
  /** The function that requests go through. @default globalThis.fetch */
  fetch?: Fetch | undefined;
  /** The clock, in ms since 1970. */
  now: () => number;
}

interface InFlightPoll {
  readonly startedAt: number;
  readonly controller: AbortController;
  readonly loaded: Promise<Task>;
  callers: number;
}

const MAX_CACHE_ENTRIES = 1_000;
const CACHE_TTL_MS = 60_000;

/** A task of which only the ids are known. No request. */
export function unloadedTask(
  ids: TaskIds,
  { credentials, fetch }: Pick<TaskPollerOptions, "credentials" | "fetch">,
): Task {
  return new Task({ ...ids, info: TaskInfo.fromDict({ id: ids.taskId }), credentials, fetch });
}

/**
 * Makes the function that polls. An error is never remembered, and neither is a task that goes on.
 *
 * @throws (the function) what `Task.load` throws, or the reason of the caller's signal
 */
export function createTaskPoller(options: TaskPollerOptions): TaskPoller {
  const { timeout, now } = options;
  const inFlight = new Map<string, InFlightPoll>();
  const cache = new Map<string, { task: Task; at: number }>();

  function start(key: string, ids: TaskIds, waitUntil: PollCaller["waitUntil"]): InFlightPoll {
    const controller = new AbortController();
    const task = unloadedTask(ids, options);
    // callers end their own waits, and the last to go ends the poll; where they can't, it ends itself
    const bound = waitUntil ? timeout : 2 * timeout;
    const bounds = { timeout: bound, requestTimeout: bound, retries: 0 };
    const loaded = task.load({ ...bounds, signal: controller.signal });
    const flight = { startedAt: now(), controller, loaded, callers: 0 };
    inFlight.set(key, flight);
    const settled = loaded.then(() => cacheResult(key, task), () => {}).then(() =>
      removeInFlight(key, flight)
    );
    waitUntil?.(settled);
    return flight;
  }

  function removeInFlight(key: string, flight: InFlightPoll): void {
    if (inFlight.get(key) === flight) inFlight.delete(key);
  }

  function cacheResult(key: string, task: Task): void {
    if (!TaskStatus.isTerminal(task.info.status)) return;
    cache.delete(key); // to the end of the line
    cache.set(key, { task, at: now() });
    for (const [oldest] of cache) {
      if (cache.size <= MAX_CACHE_ENTRIES) break;
      cache.delete(oldest);
    }
  }

  return async function poll(ids, { signal, waitUntil }) {
    signal.throwIfAborted(); // while its body was read, or checked
    const key = `${ids.organizationId}/${ids.workspaceId}/${ids.taskId}`;
    const memory = cache.get(key);
    if (memory && now() - memory.at < CACHE_TTL_MS) {
      return { task: memory.task, source: "cached" };
    }
    cache.delete(key);

    const began = now();
    let flight = inFlight.get(key);
    // nobody clings to a hung poll: one past half its deadline is not joined
    const isShared = flight !== undefined && began - flight.startedAt < timeout / 2;
    if (!flight || !isShared) flight = start(key, ids, waitUntil);
    const { loaded, controller } = flight;
    flight.callers++;
    const onTimeout = () => {
      throw new DeepintTimeoutError("the poll took too long", { elapsed: now() - began });
    };
    try {
      const task = await withTimeout(() => loaded, { ms: timeout, signal, onTimeout });
      return { task, source: isShared ? "shared" : "fetched" };
    } catch (error) {
      // not after a success: to abort what has ended costs an exception with its stack
      if (flight.callers === 1 && !waitUntil) {
        removeInFlight(key, flight);
        controller.abort();
      }
      throw error;
    } finally {
      flight.callers--;
    }
  };
}
