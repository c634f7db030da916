/** Waiting for many tasks, with as few requests as possible. */
import { DeepintTimeoutError } from "./errors.ts";
import { checkWatchOptions } from "./polling.ts";
import type { Task } from "./task.ts";
import type { WatchOptions } from "./task_options.ts";
import { type SettledTask, type SharedWait, WorkspacePoller } from "./workspace_poller.ts";
import { abortableIterable } from "./internal/abortable_iterable.ts";
import { createWakeUp, withTimeout } from "./internal/deadline.ts";
import { outOfRange } from "./internal/text.ts";

/** How {@linkcode resolveAll} waits. A poll makes one attempt: `retries` does not apply to it. */
export interface ResolveAllOptions extends WatchOptions {
  /**
   * Milliseconds between polls, 250 or more, or `"adaptive"` (see `pollDelay`).
   *
   * @default "adaptive"
   */
  pollInterval?: WatchOptions["pollInterval"];
  /**
   * How many requests may be under way at once.
   *
   * @default 8
   */
  concurrency?: number | undefined;
  /**
   * Whether the first task with an error ends the wait with it.
   *
   * @default false
   */
  raiseOnError?: boolean | undefined;
}

/** A queue of requests, of which a limited number is in flight at once. */
class RequestQueue {
  readonly #concurrency: number;
  readonly #jobs: (() => Promise<void>)[] = [];
  readonly #wakeUp = createWakeUp();
  #active = 0;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  add(job: () => Promise<void>): void {
    this.#jobs.push(job);
    this.#wakeUp.notify(); // a list may have more pages to read
  }

  /** Starts as many requests as may be in flight. */
  start(): void {
    for (; this.#active < this.#concurrency && this.#jobs.length > 0; this.#active++) {
      this.#jobs.shift()?.().finally(() => {
        this.#active--;
        this.#wakeUp.notify();
      });
    }
  }

  /** Resolves when a request was added or has ended, or after `ms` milliseconds. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    await withTimeout(() => this.#wakeUp.wait(), { ms, signal, onTimeout: () => {} });
  }
}

function groupByWorkspace(tasks: Task[], wait: SharedWait): WorkspacePoller[] {
  const pollers = new Map<string, WorkspacePoller>();
  for (const task of tasks) {
    const key = [task.credentials.instance, task.organizationId, task.workspaceId].join();
    const poller = pollers.get(key) ?? new WorkspacePoller(wait);
    pollers.set(key, poller);
    poller.add(task);
  }
  return [...pollers.values()];
}

async function* settleAll(
  tasks: Task[],
  options: ResolveAllOptions & { signal: AbortSignal },
): AsyncGenerator<SettledTask, void, void> {
  const { pollInterval = "adaptive", concurrency = 8, timeout = Infinity, signal } = options;
  const startedAt = Date.now();
  const remaining = () => timeout - (Date.now() - startedAt);
  const queue = new RequestQueue(concurrency);
  const settled: SettledTask[] = [];
  const pollers = groupByWorkspace(tasks, {
    pollInterval,
    requestTimeout: options.requestTimeout,
    signal,
    startedAt,
    remaining,
    enqueue: (job) => queue.add(job),
    settle: (task) => settled.push(task),
  });
  let pending = tasks.length;
  while (pending > 0) {
    for (const result of settled.splice(0)) {
      signal.throwIfAborted();
      if (result.error && options.raiseOnError) throw result.error;
      pending--;
      yield result;
    }
    if (pending > 0 && remaining() <= 0 && settled.length === 0) {
      const elapsed = Date.now() - startedAt;
      const message =
        `${pending} of ${tasks.length} tasks had not ended after ${elapsed} ms; they go on`;
      throw new DeepintTimeoutError(message, { elapsed });
    }
    const now = Date.now();
    for (const poller of pollers) if (poller.dueAt <= now) poller.poll(now);
    const dueAt = Math.min(...pollers.map((poller) => poller.dueAt));
    queue.start();
    if (pending === 0 || settled.length > 0) continue;
    await queue.wait(Math.min(dueAt - now, remaining()), signal);
  }
}

/**
 * Waits for many tasks, and yields each as it settles: with an error when it failed, can't be loaded
 * any more, or has an unknown status. The tasks of a workspace are polled by its list where that takes
 * fewer requests than one a task; each that settled is then loaded once, since the list has no
 * results. Leaving the loop ends the polling. No task is ever deleted.
 *
 * @throws {RangeError} when an option is out of range
 * @throws {DeepintTimeoutError} when `timeout` passes before all have settled (while iterating)
 * @throws {DeepintBaseError} with `raiseOnError`, the first error of a task (while iterating)
 *
 * @example
 * ```ts
 * import { Credentials, resolveAll, Task } from "@deepint/task";
 *
 * const options = {
 *   credentials: new Credentials({ token: "a-token" }),
 *   fetch: () => Promise.resolve(Response.json({ id: "t-1", status: "success" })),
 * };
 * const ids = { organization_id: "o-1", workspace_id: "w-1", task_id: "t-1" };
 * for await (const { task, error } of resolveAll([Task.fromDict(ids, options)])) {
 *   console.log(task.taskId, error?.code ?? await task.fetchResult()); // t-1 {}
 * }
 * ```
 */
export function resolveAll(
  tasks: Iterable<Task>,
  options: ResolveAllOptions = {},
): AsyncIterable<SettledTask> {
  const all = [...tasks];
  const { concurrency = 8 } = options;
  checkWatchOptions(options);
  if (!(concurrency >= 1)) throw outOfRange("concurrency", concurrency, "a number, 1 or more");
  return abortableIterable(options.signal, (signal) => settleAll(all, { ...options, signal }));
}
