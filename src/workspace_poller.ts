/** Polls the tasks of one workspace for `resolveAll`: by its list, or one by one. */
import { type DeepintBaseError, DeepintTimeoutError } from "./errors.ts";
import { isInProgress, MAX_FAILURES } from "./polling.ts";
import { isTransient, type RequestOptions } from "./request.ts";
import { MAX_WAIT_MS, nextDelay, type PollInterval } from "./schedule.ts";
import { internals, type Task } from "./task.ts";
import { TaskStatus } from "./task_info.ts";
import { listPages } from "./task_list.ts";
import { elapsedTime } from "./internal/clock.ts";

/** A task whose wait is over. */
export interface SettledTask {
  /** The task, with its information as of its end. */
  task: Task;
  /** The reason why it has no result: it failed, its status is unknown, or it cannot be loaded. */
  error?: DeepintBaseError;
}

/** A task that is waited for. */
interface PendingTask {
  readonly task: Task;
  /** Creation time from the list or the last load. */
  created: Date | null;
  /** Time of the next poll (epoch ms); `Infinity` while a request for it is queued or in flight. */
  dueAt: number;
  /** End of the pause that the server asked for (epoch ms). */
  notBefore: number;
  /** Failed polls in a row. */
  failures: number;
  /** `true` if the list lacks the task or its status. */
  missingFromList?: boolean;
}

/** The wait that the pollers of all workspaces share. */
export interface SharedWait {
  readonly pollInterval: PollInterval;
  readonly requestTimeout: number | undefined;
  readonly signal: AbortSignal;
  readonly startedAt: number;
  /** Returns the milliseconds until the deadline. */
  remaining(): number;
  /** Queues a request. */
  enqueue(job: () => Promise<void>): void;
  /** Reports a task whose wait is over. */
  settle(settled: SettledTask): void;
}

/** Polls the tasks of one workspace. */
export class WorkspacePoller {
  readonly #wait: SharedWait;
  readonly #entries = new Set<PendingTask>();
  /** Requests that the list takes; `Infinity` if it is not available. */
  #pages = 1;
  /** Failed lists in a row. */
  #failures = 0;
  /** Time of the next poll (epoch ms). */
  dueAt = 0;

  /** Creates a poller without tasks. */
  constructor(wait: SharedWait) {
    this.#wait = wait;
  }

  /** Adds a task; a finished one settles without a request if its information is complete. */
  add(task: Task): void {
    const { loadedAt, partial } = internals(task);
    const { created, status } = task.info;
    const notBefore = loadedAt + (task.retryAfter ?? 0);
    const entry: PendingTask = { task, created, dueAt: 0, notBefore, failures: 0 };
    entry.dueAt = loadedAt + this.#delay(entry, task.retryAfter);
    this.#entries.add(entry);
    if (TaskStatus.isTerminal(status)) this.#load(entry, !partial);
  }

  /** Queues the requests that are due. */
  poll(now: number): void {
    const listed = [...this.#entries].filter((
      { dueAt, notBefore, missingFromList },
    ) => dueAt < Infinity && notBefore <= now && !missingFromList);
    // requests per ms: one by one, and by a list as often as the most urgent task needs it
    let individualRate = 0;
    let highest = 0;
    for (const entry of listed) {
      const rate = 1 / this.#delay(entry, 0, 0);
      individualRate += rate;
      highest = Math.max(highest, rate);
    }
    const first = listed.find(({ dueAt }) => dueAt <= now);
    if (first && listed.length > 1 && this.#pages * highest < individualRate) {
      for (const entry of listed) entry.dueAt = Infinity;
      this.#wait.enqueue(() => this.#pollByList(listed, first.task));
    }
    this.dueAt = Infinity;
    for (const entry of this.#entries) {
      if (entry.dueAt <= now) this.#load(entry);
      else this.dueAt = Math.min(this.dueAt, entry.dueAt);
    }
  }

  /** Returns the milliseconds until the next poll of a task. */
  #delay({ created }: PendingTask, retryAfter?: number, random = Math.random()): number {
    const elapsed = elapsedTime(created, this.#wait.startedAt);
    // timers count whole milliseconds: one that fires a fraction early would spin
    return Math.ceil(nextDelay(this.#wait.pollInterval, { elapsed, retryAfter, random }));
  }

  #postpone(entry: PendingTask, retryAfter = 0, random?: number): void {
    const now = Date.now();
    entry.notBefore = now + retryAfter;
    entry.dueAt = now + this.#delay(entry, retryAfter, random);
    this.dueAt = Math.min(this.dueAt, entry.dueAt);
  }

  #bounds(): RequestOptions {
    const { signal, requestTimeout } = this.#wait;
    return { signal, timeout: this.#wait.remaining(), requestTimeout, retries: 0 };
  }

  /** Returns `true` if the failure ends the whole wait, which reports it itself. */
  #isFatal(error: unknown): boolean {
    return this.#wait.signal.aborted || this.#wait.remaining() <= 0 ||
      error instanceof DeepintTimeoutError && !error.retryable;
  }

  /** Returns `true` if polling continues after this failure, the given number in a row. */
  #willRetry(error: unknown, failures: number): error is { retryAfter?: number } {
    return isTransient(error) && failures <= MAX_FAILURES &&
      !((error.retryAfter ?? 0) > Math.min(this.#wait.remaining(), MAX_WAIT_MS));
  }

  async #pollByList(entries: PendingTask[], task: Task): Promise<void> {
    const missing = new Set(entries);
    const inProgress: PendingTask[] = [];
    const random = Math.random(); // one for all, so that they are due together again
    let retryAfter = 0;
    let pagesLeft = NaN;
    let isComplete = true;
    try {
      const pages = listPages(internals(task).connection, task.workspaceId, this.#bounds());
      for await (const page of pages) {
        if (isNaN(pagesLeft)) pagesLeft = this.#pages = page.pages;
        retryAfter = Math.max(retryAfter, page.retryAfter ?? 0);
        const infos = new Map(page.items.map((info) => [info.taskId, info]));
        for (const entry of missing) {
          const info = infos.get(entry.task.taskId);
          if (!info || info.rawStatus === null) continue;
          missing.delete(entry);
          entry.created = info.created;
          if (!isInProgress(info.status)) this.#load(entry);
          else if (inProgress.push(entry)) entry.failures = 0;
        }
        // loading the rest one by one takes no more requests
        isComplete = --pagesLeft < missing.size;
        if (!isComplete) break;
      }
      this.#failures = 0;
      for (const entry of missing) entry.missingFromList = isComplete;
    } catch (error) {
      if (this.#isFatal(error)) return;
      if (this.#willRetry(error, ++this.#failures)) {
        retryAfter = Math.max(retryAfter, error.retryAfter ?? 0);
        for (const entry of missing) inProgress.push(entry);
        missing.clear();
      } else this.#pages = Infinity;
    }
    for (const entry of inProgress) this.#postpone(entry, retryAfter, random);
    for (const entry of missing) this.#load(entry);
  }

  /** Queues a load, and settles the task if it has finished; `isLoaded` skips the request. */
  #load(entry: PendingTask, isLoaded = false): void {
    entry.dueAt = Infinity;
    this.#wait.enqueue(async () => {
      const { task } = entry;
      const settled: SettledTask = { task };
      try {
        if (!isLoaded) await internals(task).poll(this.#bounds(), this.#wait.startedAt);
        entry.failures = 0;
        entry.created = task.info.created;
        if (isInProgress(task.info.status)) return this.#postpone(entry, task.retryAfter);
        await task.resolve(); // no request: it throws what went wrong
      } catch (error) {
        if (this.#isFatal(error)) return;
        if (this.#willRetry(error, ++entry.failures)) {
          return this.#postpone(entry, error.retryAfter);
        }
        settled.error = error as DeepintBaseError;
      }
      this.#entries.delete(entry);
      this.#wait.settle(settled);
    });
  }
}
