/** Waiting for many tasks, with as few requests as possible. */
import { type DeepintBaseError, DeepintTimeoutError } from "./errors.ts";
import { checkWatchOptions, SUSPENDED_MS } from "./polling.ts";
import type { Task } from "./task.ts";
import type { WatchOptions } from "./task_options.ts";
import { WorkspacePoller } from "./workspace_poller.ts";
import { abortableIterable } from "./internal/abortable_iterable.ts";
import { type Clock, startClock } from "./internal/clock.ts";
import { withTimeout } from "./internal/deadline.ts";
import { outOfRange } from "./internal/text.ts";

/** Options of {@linkcode resolveAll}. A poll makes one attempt: `retries` does not apply. */
export interface ResolveAllOptions extends WatchOptions {
  /**
   * Milliseconds between polls, at least 250, or `"adaptive"` (see {@linkcode pollDelay}).
   *
   * @default "adaptive"
   */
  pollInterval?: WatchOptions["pollInterval"];
  /**
   * Maximum number of requests in flight.
   *
   * @default 8
   */
  concurrency?: number | undefined;
  /**
   * Rejects with the first error of a task.
   *
   * @default false
   */
  raiseOnError?: boolean | undefined;
  /**
   * Called when the status of a task changed, and when the progress or subtask of a task changed that is
   * polled on its own: a list does not have them. An error that it throws is only logged.
   */
  onProgress?: ((task: Task) => void) | undefined;
}

/** A task whose wait is over. */
export interface SettledTask {
  /** The task, with its information as of its end. */
  task: Task;
  /** The reason why it has no result: it failed, its status is unknown, or it cannot be loaded. */
  error?: DeepintBaseError;
}

/** The wait that the pollers of all workspaces share. */
export interface SharedWait {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly options: ResolveAllOptions;
  /** Returns the milliseconds until the deadline. */
  remaining(): number;
  /** Queues a request. */
  enqueue(job: () => Promise<void>): void;
  /** Reports a task whose wait is over. */
  settle(settled: SettledTask): void;
  /** Ends the whole wait. */
  fail(error: unknown): void;
}

/** A queue of requests, of which a limited number is in flight at once. */
class RequestQueue {
  readonly #concurrency: number;
  readonly #jobs: (() => Promise<void>)[] = [];
  /** Ends the pending {@linkcode RequestQueue.wait}, if any. */
  #wakeUp = () => {};
  #active = 0;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  /** `true` if there is nothing to start or to wait for. */
  get isIdle(): boolean {
    return this.#active === 0 && this.#jobs.length === 0;
  }

  add(job: () => Promise<void>): void {
    this.#jobs.push(job);
    this.#wakeUp(); // a list may have more pages to read
  }

  /** Starts as many requests as may be in flight. */
  start(): void {
    for (; this.#active < this.#concurrency && this.#jobs.length > 0; this.#active++) {
      this.#jobs.shift()?.().finally(() => {
        this.#active--;
        this.#wakeUp();
      });
    }
  }

  /** Resolves when a request was added or has ended, or after `ms` milliseconds. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    const woken = () => new Promise<void>((resolve) => this.#wakeUp = resolve);
    await withTimeout(woken, { ms, signal, onTimeout: () => {} });
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

/** A wait for many tasks. */
class ManyTasksWait {
  readonly #tasks: Task[];
  readonly #options: ResolveAllOptions;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #queue: RequestQueue;
  readonly #pollers: WorkspacePoller[];
  readonly #settled: SettledTask[] = [];
  #failure: { error: unknown } | undefined;
  /** `true` while the poll after a suspension past the deadline is made. */
  #isFinal = false;

  constructor(tasks: Task[], options: ResolveAllOptions, signal: AbortSignal) {
    this.#tasks = tasks;
    this.#options = options;
    this.#signal = signal;
    this.#clock = startClock(options.timeout);
    this.#queue = new RequestQueue(options.concurrency ?? 8);
    this.#pollers = groupByWorkspace(tasks, {
      clock: this.#clock,
      signal,
      options,
      remaining: () => this.#isFinal ? Infinity : this.#clock.remaining(),
      enqueue: (job) => this.#queue.add(job),
      settle: (settled) => this.#settled.push(settled),
      fail: (error) => this.#failure ??= { error },
    });
  }

  async *run(): AsyncGenerator<SettledTask, void, void> {
    let pending = this.#tasks.length;
    while (pending > 0) {
      for (const result of this.#settled.splice(0)) {
        this.#signal.throwIfAborted();
        if (result.error && this.#options.raiseOnError) throw result.error;
        pending--;
        yield result;
      }
      if (this.#failure) throw this.#failure.error;
      if (pending === 0 || this.#settled.length > 0) continue;
      if (this.#clock.remaining() <= 0) this.#expire(pending);
      const delay = this.#isFinal ? Infinity : this.#poll();
      this.#queue.start();
      if (this.#settled.length === 0) await this.#queue.wait(delay, this.#signal);
    }
  }

  /** Queues the requests that are due; returns the milliseconds until the next ones. */
  #poll(): number {
    const now = this.#clock.elapsed();
    let dueAt = Infinity;
    for (const poller of this.#pollers) {
      if (poller.dueAt <= now) poller.poll();
      dueAt = Math.min(dueAt, poller.dueAt);
    }
    return Math.min(dueAt - now, this.#clock.remaining());
  }

  /** Ends the wait at its deadline; after a suspension, each task is polled once more first. */
  #expire(pending: number): void {
    const isSuspended = this.#clock.remaining() < -SUSPENDED_MS ||
      this.#pollers.some(({ dueAt }) => dueAt < Infinity);
    if (!this.#isFinal && isSuspended) {
      this.#isFinal = true;
      for (const poller of this.#pollers) poller.pollAll();
    } else if (!this.#isFinal || this.#queue.isIdle) {
      const elapsed = this.#clock.elapsedWithSleep();
      const message = `${pending} of ${this.#tasks.length} tasks are still running after ` +
        `${elapsed} ms; call resolveAll() again to keep waiting`;
      throw new DeepintTimeoutError(message, { elapsed });
    }
  }
}

/**
 * Waits for many tasks, and yields each as it settles: with an error if it failed, cannot be loaded, or
 * has an unknown status. The tasks of a workspace are polled by its list if that takes fewer requests
 * than one per task. A list has no results, so each settled task is then loaded once. Breaking out of
 * the loop stops polling; it stops no task.
 *
 * @throws {RangeError} when an option is out of range
 * @throws {DeepintTimeoutError} when `timeout` passes before all have settled (while iterating)
 * @throws {DeepintBaseError} with `raiseOnError`, the first error of a task (while iterating)
 *
 * @example
 * ```ts
 * import { resolveAll, Task } from "@deepint/task";
 *
 * const tasks = [];
 * for await (const task of Task.list({ organizationId: "o-1", workspaceId: "w-1" })) tasks.push(task);
 * for await (const { task, error } of resolveAll(tasks)) {
 *   console.log(task.taskId, error?.code ?? await task.fetchResult()); // t-1 { source: "s-1" }
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
  return abortableIterable(
    options.signal,
    (signal) => new ManyTasksWait(all, options, signal).run(),
  );
}
