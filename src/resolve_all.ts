/** Waiting for many tasks at once, by the list of their workspace where that takes fewer requests. */
import { type DeepintBaseError, DeepintTimeoutError } from "./errors.ts";
import { isTransient } from "./request.ts";
import { MAX_WAIT_MS, nextDelay } from "./schedule.ts";
import {
  abortableIterable,
  checkWatchOptions,
  internals,
  isInProgress,
  MAX_FAILURES,
  type Task,
  type WatchOptions,
} from "./task.ts";
import { TaskStatus } from "./task_info.ts";
import { listPages } from "./task_list.ts";
import { outOfRange } from "./internal/text.ts";
import { withTimeout } from "./internal/deadline.ts";
import { elapsedTime } from "./internal/clock.ts";

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

/** A task whose wait is over. */
export interface SettledTask {
  /** The task, with its information as of its end. */
  task: Task;
  /** Why it has no result: it failed, its status is unknown, or it can't be loaded. */
  error?: DeepintBaseError;
}

/** A task that is waited for. */
interface PendingTask {
  readonly task: Task;
  /** As the list or the last load has it. */
  created: Date | null;
  /** When to poll it next (epoch ms); `Infinity` while a request for it is due or under way. */
  dueAt: number;
  /** Until when the server asked not to (epoch ms). */
  notBefore: number;
  /** Failed polls in a row. */
  failures: number;
  /** Whether the list leaves it, or its status, out. */
  missingFromList?: boolean;
}

/** The tasks of one workspace. */
interface Group {
  readonly entries: Set<PendingTask>;
  /** When the first of them is due. */
  due: number;
  /** How many requests the list takes; `Infinity` where it can't be had. */
  pages: number;
  /** Failed lists in a row. */
  failures: number;
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
  return abortableIterable(options.signal, (stop) => settle(all, options, stop));
}

async function* settle(
  tasks: Task[],
  options: ResolveAllOptions,
  signal: AbortSignal,
): AsyncGenerator<SettledTask, void, void> {
  const { pollInterval = "adaptive", concurrency = 8, timeout = Infinity, requestTimeout } =
    options;
  const started = Date.now();
  const left = () => timeout - (Date.now() - started);
  const bounds = () => ({ signal, timeout: left(), requestTimeout, retries: 0 });
  const groups = new Map<string, Group>();
  const settled: SettledTask[] = [];
  const jobs: (() => Promise<void>)[] = [];
  let open = tasks.length;
  let active = 0;
  let wake = () => {};

  for (const task of tasks) {
    const { created, status } = task.info;
    const { loadedAt, partial } = internals(task);
    const key = [task.credentials.instance, task.organizationId, task.workspaceId].join();
    const notBefore = loadedAt + (task.retryAfter ?? 0);
    const entry: PendingTask = { task, created, dueAt: 0, notBefore, failures: 0 };
    entry.dueAt = loadedAt + delay(entry, task.retryAfter);
    const group = groups.get(key) ?? { entries: new Set(), due: 0, pages: 1, failures: 0 };
    groups.set(key, group);
    group.entries.add(entry);
    if (TaskStatus.isTerminal(status)) loadTask(group, entry, !partial);
  }

  while (open > 0) {
    for (const settlement of settled.splice(0)) {
      signal.throwIfAborted();
      if (settlement.error && options.raiseOnError) throw settlement.error;
      open--;
      yield settlement;
    }
    if (open > 0 && left() <= 0 && settled.length === 0) {
      const elapsed = Date.now() - started;
      const message =
        `${open} of ${tasks.length} tasks had not ended after ${elapsed} ms; they go on`;
      throw new DeepintTimeoutError(message, { elapsed });
    }
    const now = Date.now();
    let due = Infinity;
    for (const group of groups.values()) {
      if (group.due <= now) pollWorkspace(group, now);
      due = Math.min(due, group.due);
    }
    for (; active < concurrency && jobs.length > 0; active++) {
      jobs.shift()?.().finally(() => {
        active--;
        wake();
      });
    }
    if (open === 0 || settled.length > 0) continue;
    const woken = () => new Promise<void>((resolve) => wake = resolve);
    await withTimeout(woken, { ms: Math.min(due - now, left()), signal, onTimeout: () => {} });
  }

  /** Milliseconds until the next poll of a task. */
  function delay({ created }: PendingTask, retryAfter?: number, random = Math.random()): number {
    const elapsed = elapsedTime(created, started);
    // timers count whole milliseconds: one that fires too soon by a part of one would spin
    return Math.ceil(nextDelay(pollInterval, { elapsed, retryAfter, random }));
  }

  function postpone(group: Group, entry: PendingTask, retryAfter = 0, random?: number): void {
    const now = Date.now();
    entry.notBefore = now + retryAfter;
    entry.dueAt = now + delay(entry, retryAfter, random);
    group.due = Math.min(group.due, entry.dueAt);
  }

  /** Whether a failure is that of the whole wait, which says so itself. */
  function isFatal(error: unknown): boolean {
    return signal.aborted || left() <= 0 ||
      error instanceof DeepintTimeoutError && !error.retryable;
  }

  /** Whether a failed poll is no end. */
  function willRetry(
    error: unknown,
    polled: PendingTask | Group,
  ): error is { retryAfter?: number } {
    return isTransient(error) && ++polled.failures <= MAX_FAILURES &&
      !((error.retryAfter ?? 0) > Math.min(left(), MAX_WAIT_MS));
  }

  /** Has what is due of a workspace polled: by its list, or one by one. */
  function pollWorkspace(group: Group, now: number): void {
    const listed = [...group.entries].filter((
      { dueAt, notBefore, missingFromList },
    ) => dueAt < Infinity && notBefore <= now && !missingFromList);
    // requests per ms: one by one, and by a list as often as the most urgent needs it
    let individualRate = 0;
    let highest = 0;
    for (const entry of listed) {
      const rate = 1 / delay(entry, 0, 0);
      individualRate += rate;
      highest = Math.max(highest, rate);
    }
    const first = listed.find(({ dueAt }) => dueAt <= now);
    if (first && listed.length > 1 && group.pages * highest < individualRate) {
      for (const entry of listed) entry.dueAt = Infinity;
      jobs.push(() => pollByList(group, listed, first));
    }
    group.due = Infinity;
    for (const entry of group.entries) {
      if (entry.dueAt <= now) loadTask(group, entry);
      else group.due = Math.min(group.due, entry.dueAt);
    }
  }

  async function pollByList(
    group: Group,
    entries: PendingTask[],
    { task }: PendingTask,
  ): Promise<void> {
    const missing = new Set(entries);
    const inProgress: PendingTask[] = [];
    const random = Math.random(); // one for all, so that they are due together again
    let retryAfter = 0;
    let pagesLeft = NaN;
    let whole = true;
    try {
      const { connection } = internals(task);
      const pages = listPages(connection, task.workspaceId, bounds());
      for await (const page of pages) {
        if (isNaN(pagesLeft)) pagesLeft = group.pages = page.pages;
        retryAfter = Math.max(retryAfter, page.retryAfter ?? 0);
        const infos = new Map(page.items.map((info) => [info.taskId, info]));
        for (const entry of missing) {
          const info = infos.get(entry.task.taskId);
          if (!info || info.rawStatus === null) continue;
          missing.delete(entry);
          entry.created = info.created;
          if (!isInProgress(info.status)) loadTask(group, entry);
          else if (inProgress.push(entry)) entry.failures = 0;
        }
        // one by one, the rest takes no more
        whole = --pagesLeft < missing.size;
        if (!whole) break;
      }
      group.failures = 0;
      for (const entry of missing) entry.missingFromList = whole;
    } catch (error) {
      if (isFatal(error)) return;
      if (willRetry(error, group)) {
        retryAfter = Math.max(retryAfter, error.retryAfter ?? 0);
        for (const entry of missing) inProgress.push(entry);
        missing.clear();
      } else group.pages = Infinity;
    }
    for (const entry of inProgress) postpone(group, entry, retryAfter, random);
    for (const entry of missing) loadTask(group, entry);
  }

  /** Has a task loaded, and settles it when it has ended; one that had ended before is not loaded. */
  function loadTask(group: Group, entry: PendingTask, ended = false): void {
    const { task } = entry;
    entry.dueAt = Infinity;
    wake(); // a list may have pages to go
    jobs.push(async () => {
      const settlement: SettledTask = { task };
      try {
        if (!ended) await internals(task).poll(bounds(), started);
        entry.failures = 0;
        entry.created = task.info.created;
        if (isInProgress(task.info.status)) return postpone(group, entry, task.retryAfter);
        await task.resolve(); // no request: it throws what went wrong
      } catch (error) {
        if (isFatal(error)) return;
        if (willRetry(error, entry)) return postpone(group, entry, error.retryAfter);
        settlement.error = error as DeepintBaseError;
      }
      group.entries.delete(entry);
      settled.push(settlement);
    });
  }
}
