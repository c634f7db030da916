/** One upstream poll for all who ask for the same task at once, and a short memory of how tasks ended. */
import {
  type Credentials,
  DeepintTimeoutError,
  type Fetch,
  Task,
  TaskInfo,
  type TaskLocation,
  TaskStatus,
  within,
} from "../../mod.ts";

/** Which task, within the one instance. */
export type TaskIds = Omit<TaskLocation, "instance">;

/** Who asks. */
export interface Caller {
  /** Aborts when the caller goes away. */
  signal: AbortSignal;
  /**
   * Keeps a promise going after the answer. Where a platform has it, a request may not touch the
   * input and output of another one, so that only the poll's own deadline ends a poll.
   */
  waitUntil?: ((promise: Promise<unknown>) => void) | undefined;
}

/** A loaded task and where its information came from. */
export interface Polled {
  /** The task. */
  task: Task;
  /** From a request of the caller's own, one shared with others, or the memory. */
  source: "own" | "shared" | "memory";
}

/** What {@linkcode createPolls} takes. */
export interface PollsOptions {
  /** Whose requests they are. */
  credentials: Credentials;
  /** Milliseconds that a caller waits. */
  timeout: number;
  /** The function that requests go through. @default globalThis.fetch */
  fetch?: Fetch | undefined;
  /** The clock, in ms since 1970. */
  now: () => number;
}

interface Flight {
  readonly began: number;
  readonly controller: AbortController;
  readonly loaded: Promise<Task>;
  callers: number;
}

const MAX_MEMORIES = 1_000;
const MAX_MEMORY_AGE = 60_000;

/** A task of which only the ids are known. No request. */
export function bareTask(
  ids: TaskIds,
  { credentials, fetch }: Pick<PollsOptions, "credentials" | "fetch">,
): Task {
  return new Task({ ...ids, info: TaskInfo.fromDict({ id: ids.taskId }), credentials, fetch });
}

/**
 * Makes the function that polls. An error is never remembered, and neither is a task that goes on.
 *
 * @throws (the function) what `Task.load` throws, or the reason of the caller's signal
 */
export function createPolls(
  options: PollsOptions,
): (ids: TaskIds, caller: Caller) => Promise<Polled> {
  const { timeout, now } = options;
  const flights = new Map<string, Flight>();
  const memories = new Map<string, { task: Task; at: number }>();

  function start(key: string, ids: TaskIds, waitUntil: Caller["waitUntil"]): Flight {
    const controller = new AbortController();
    const task = bareTask(ids, options);
    // callers end their own waits, and the last to go ends the poll; where they can't, it ends itself
    const bound = waitUntil ? timeout : 2 * timeout;
    const bounds = { timeout: bound, requestTimeout: bound, retries: 0 };
    const loaded = task.load({ ...bounds, signal: controller.signal });
    const flight = { began: now(), controller, loaded, callers: 0 };
    flights.set(key, flight);
    const settled = loaded.then(() => remember(key, task), () => {}).then(() => leave(key, flight));
    waitUntil?.(settled);
    return flight;
  }

  function leave(key: string, flight: Flight): void {
    if (flights.get(key) === flight) flights.delete(key);
  }

  function remember(key: string, task: Task): void {
    if (!TaskStatus.isTerminal(task.info.status)) return;
    memories.delete(key); // to the end of the line
    memories.set(key, { task, at: now() });
    for (const [oldest] of memories) {
      if (memories.size <= MAX_MEMORIES) break;
      memories.delete(oldest);
    }
  }

  return async function poll(ids, { signal, waitUntil }) {
    signal.throwIfAborted(); // while its body was read, or checked
    const key = `${ids.organizationId}/${ids.workspaceId}/${ids.taskId}`;
    const memory = memories.get(key);
    if (memory && now() - memory.at < MAX_MEMORY_AGE) {
      return { task: memory.task, source: "memory" };
    }
    memories.delete(key);

    const began = now();
    let flight = flights.get(key);
    // nobody clings to a hung poll: one past half its deadline is not joined
    const joins = flight !== undefined && began - flight.began < timeout / 2;
    if (!flight || !joins) flight = start(key, ids, waitUntil);
    const { loaded, controller } = flight;
    flight.callers++;
    const late = () => {
      throw new DeepintTimeoutError("the poll took too long", { elapsed: now() - began });
    };
    try {
      const task = await within(timeout, signal, late, () => loaded);
      return { task, source: joins ? "shared" : "own" };
    } catch (error) {
      // not after a success: to abort what has ended costs an exception with its stack
      if (flight.callers === 1 && !waitUntil) {
        leave(key, flight);
        controller.abort();
      }
      throw error;
    } finally {
      flight.callers--;
    }
  };
}
