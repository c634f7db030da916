/** Polls the tasks of one workspace for `resolveAll`: by its list, or one by one. */
import { DeepintBaseError, DeepintTimeoutError } from "./errors.ts";
import { hasChanged, notifyProgress, PollSchedule, timeoutError } from "./polling.ts";
import { isTransient, type RequestOptions } from "./request.ts";
import type { SharedWait } from "./resolve_all.ts";
import { MAX_WAIT_MS } from "./schedule.ts";
import { internals, type Task } from "./task.ts";
import { isInProgress, TaskInfo, TaskStatus } from "./task_info.ts";
import { listPages } from "./task_list.ts";

/** A list that fails is tried again after at most this many rounds. */
const MAX_FALLBACK_ROUNDS = 16;

/** A task that is waited for. Times are those of the wait's monotonic clock. */
interface PendingTask {
  readonly task: Task;
  readonly schedule: PollSchedule;
  /** Creation time from the list or the last load. */
  created: Date | null;
  /** Time of the next poll; `Infinity` while a request is queued or in flight, or without one. */
  dueAt: number;
  /** End of the pause that the server asked for, or of the back-off. */
  notBefore: number;
  /** `true` if the list lacks the task or its status. */
  missingFromList: boolean;
}

/** The next poll of a task. */
interface Schedule {
  /** Minimum delay that the server asked for, in milliseconds. */
  retryAfter?: number | undefined;
  /** The jitter, from 0 to 1. */
  random?: number;
  /** Start of the delay. @default now */
  since?: number;
}

/** Progress of reading a list: the tasks that no page has had yet, and those that are still running. */
interface ListReading {
  readonly missing: Set<PendingTask>;
  readonly inProgress: PendingTask[];
  retryAfter: number;
}

/** Polls the tasks of one workspace. */
export class WorkspacePoller {
  readonly #wait: SharedWait;
  readonly #entries = new Set<PendingTask>();
  readonly #listSchedule: PollSchedule;
  /** Requests that the list takes. */
  #pages = 1;
  #pageSize: number | undefined;
  /** `true` once the list has been read. */
  #hasListWorked = false;
  /** Rounds without the list after its last failure. */
  #fallbackRounds = 0;
  #listNotBefore = 0;
  /** Time of the next poll; `Infinity` if none is scheduled. */
  dueAt = Infinity;

  /** Creates a poller without tasks. */
  constructor(wait: SharedWait) {
    this.#wait = wait;
    this.#listSchedule = this.#newSchedule();
  }

  #newSchedule(): PollSchedule {
    const { options, clock } = this.#wait;
    return new PollSchedule(options.pollInterval ?? "adaptive", clock);
  }

  /** Adds a task; a finished one settles without a request if its information is complete. */
  add(task: Task): void {
    const { clock } = this.#wait;
    const { loadedAt, partial } = internals(task);
    const { created, status } = task.info;
    const entry: PendingTask = {
      task,
      schedule: this.#newSchedule(),
      created,
      dueAt: Infinity,
      notBefore: 0,
      missingFromList: false,
    };
    this.#entries.add(entry);
    if (TaskStatus.isTerminal(status)) return this.#load(entry, !partial);
    const since = loadedAt - performance.now() + clock.elapsed();
    this.#schedule(entry, { retryAfter: task.retryAfter, since });
  }

  /** Queues the requests that are due. */
  poll(): void {
    const now = this.#wait.clock.elapsed();
    const listed = [...this.#entries].filter((
      { dueAt, notBefore, missingFromList },
    ) => dueAt < Infinity && notBefore <= now && !missingFromList);
    const first = listed.find(({ dueAt }) => dueAt <= now);
    if (first && now >= this.#listNotBefore && this.#isListCheaper(listed)) {
      for (const entry of listed) entry.dueAt = Infinity;
      this.#wait.enqueue(() => this.#pollByList(listed, first.task));
    }
    this.dueAt = Infinity;
    for (const entry of this.#entries) {
      if (entry.dueAt <= now) this.#load(entry);
      else this.dueAt = Math.min(this.dueAt, entry.dueAt);
    }
  }

  /** Queues a poll of every task, except during a pause that the server asked for. */
  pollAll(): void {
    const now = this.#wait.clock.elapsed();
    for (const entry of this.#entries) entry.dueAt = entry.notBefore <= now ? now : Infinity;
    this.poll();
  }

  /**
   * Returns `true` if polling by the list takes fewer requests per ms than polling one by one. The list is
   * then polled at the rate of the most urgent task.
   */
  #isListCheaper(listed: PendingTask[]): boolean {
    let individualRate = 0;
    let highest = 0;
    for (const { schedule, created } of listed) {
      const rate = 1 / schedule.interval(created, 0);
      individualRate += rate;
      highest = Math.max(highest, rate);
    }
    return listed.length > 1 && this.#pages * highest < individualRate;
  }

  /** Schedules the next poll of a task, or the last one that fits before the deadline. */
  #schedule(entry: PendingTask, { retryAfter = 0, random, since }: Schedule): void {
    const { clock } = this.#wait;
    const now = clock.elapsed();
    const remaining = this.#wait.remaining();
    const past = now - (since ?? now);
    const pause = Math.max(0, retryAfter - past);
    if (this.#isTooLong(pause)) {
      return this.#settle(entry, timeoutError(entry.task, clock, pause));
    }
    const { schedule, created } = entry;
    const delay = schedule.next({ created, remaining, pause, past, random });
    // the list must not bring a failing load back before its back-off is over
    entry.notBefore = now + (schedule.isFailing ? delay : pause);
    entry.dueAt = now + delay;
    this.dueAt = Math.min(this.dueAt, entry.dueAt);
  }

  #settle(entry: PendingTask, error?: DeepintBaseError): void {
    if (!this.#entries.delete(entry)) return;
    const { task } = entry;
    this.#wait.settle(error ? { task, error } : { task });
  }

  #bounds(): RequestOptions {
    const { options, signal } = this.#wait;
    return { ...options, signal, timeout: this.#wait.remaining(), retries: 0 };
  }

  /** Returns `true` if the failure ends the whole wait, which reports it itself. */
  #isFatal(error: unknown): boolean {
    if (this.#wait.signal.aborted || this.#wait.remaining() <= 0) return true;
    if (!(error instanceof DeepintBaseError)) this.#wait.fail(error);
    return !(error instanceof DeepintBaseError) ||
      error instanceof DeepintTimeoutError && !error.retryable;
  }

  /** Returns `true` if the server asks for a longer pause than the wait has time for. */
  #isTooLong(pause = 0): boolean {
    return pause > Math.min(this.#wait.remaining(), MAX_WAIT_MS);
  }

  #notify(task: Task, before: TaskInfo): void {
    const { onProgress } = this.#wait.options;
    if (onProgress && hasChanged(before, task.info)) notifyProgress(onProgress, task);
  }

  async #pollByList(entries: PendingTask[], task: Task): Promise<void> {
    const random = Math.random(); // one for all, so that they are due together again
    const startedAt = performance.now();
    const reading: ListReading = { missing: new Set(entries), inProgress: [], retryAfter: 0 };
    try {
      await this.#readList(reading, task);
      this.#hasListWorked = true;
      this.#fallbackRounds = 0;
      this.#listSchedule.reset();
      for (const entry of reading.missing) this.#load(entry);
    } catch (error) {
      if (this.#isFatal(error)) return;
      this.#handleListFailure(error, reading, startedAt);
    }
    const { inProgress, retryAfter } = reading;
    for (const entry of inProgress) this.#schedule(entry, { retryAfter, random });
  }

  async #readList(reading: ListReading, task: Task): Promise<void> {
    const { missing, inProgress } = reading;
    const { connection } = internals(task);
    const options = { ...this.#bounds(), pageSize: this.#pageSize };
    let isComplete = true;
    for await (const page of listPages(connection, task.workspaceId, options)) {
      this.#pages = page.pages;
      this.#pageSize = page.pageSize;
      reading.retryAfter = Math.max(reading.retryAfter, page.retryAfter ?? 0);
      const infos = new Map(page.items.map((info) => [info.taskId, info]));
      for (const entry of missing) {
        const info = infos.get(entry.task.taskId);
        if (!info || info.rawStatus === null) continue;
        missing.delete(entry);
        entry.created = info.created;
        if (isInProgress(info.status)) {
          entry.schedule.reset();
          inProgress.push(entry);
          this.#setStatus(entry.task, info);
        } else this.#load(entry);
      }
      // loading the rest one by one takes no more requests
      isComplete = page.pagesLeft < missing.size;
      if (!isComplete) break;
    }
    for (const entry of missing) entry.missingFromList = isComplete;
  }

  #setStatus(task: Task, { status, rawStatus }: TaskInfo): void {
    const before = task.info;
    if (before.rawStatus === rawStatus) return;
    task.info = TaskInfo.fromDict({ ...before.toDict(), status });
    this.#notify(task, before);
  }

  /**
   * Handles a failed list. If an earlier one succeeded, it counts as a failed poll of its tasks. Otherwise
   * the tasks are loaded one by one for some rounds.
   */
  #handleListFailure(error: unknown, reading: ListReading, startedAt: number): void {
    const { missing, inProgress } = reading;
    const failure = isTransient(error) ? error : undefined;
    const { retryAfter = 0 } = failure ?? {};
    if (failure && this.#isTooLong(retryAfter)) {
      for (const entry of missing) this.#settle(entry, failure);
      return;
    }
    reading.retryAfter = Math.max(reading.retryAfter, retryAfter);
    if (failure && this.#hasListWorked) {
      for (const entry of missing) entry.schedule.addFailure(startedAt);
      if (!this.#listSchedule.addFailure(startedAt)) {
        inProgress.push(...missing);
        return;
      }
    }
    const now = this.#wait.clock.elapsed();
    const intervals = [...missing].map(({ schedule, created }) => schedule.interval(created, 0));
    const round = intervals.reduce((least, interval) => Math.min(least, interval), MAX_WAIT_MS);
    this.#fallbackRounds = Math.min(2 * this.#fallbackRounds || 1, MAX_FALLBACK_ROUNDS);
    this.#listNotBefore = now + Math.max(this.#fallbackRounds * round, retryAfter + 1);
    for (const entry of missing) {
      if (retryAfter === 0) this.#load(entry);
      else entry.notBefore = entry.dueAt = now + retryAfter;
    }
    if (retryAfter > 0) this.dueAt = Math.min(this.dueAt, now + retryAfter);
  }

  /** Queues a load, and settles the task if it has finished; `isLoaded` skips the request. */
  #load(entry: PendingTask, isLoaded = false): void {
    entry.dueAt = Infinity;
    this.#wait.enqueue(async () => {
      const { task } = entry;
      const startedAt = performance.now();
      const before = task.info;
      try {
        if (!isLoaded) await internals(task).poll(this.#bounds(), this.#wait.clock);
        entry.schedule.reset();
        entry.created = task.info.created;
        this.#notify(task, before);
        if (isInProgress(task.info.status)) {
          return this.#schedule(entry, { retryAfter: task.retryAfter });
        }
        await task.resolve(); // no request: it throws what went wrong
        this.#settle(entry);
      } catch (error) {
        if (this.#isFatal(error)) return;
        if (
          isTransient(error) && !this.#isTooLong(error.retryAfter) &&
          !entry.schedule.addFailure(startedAt)
        ) {
          return this.#schedule(entry, { retryAfter: error.retryAfter });
        }
        this.#settle(entry, error as DeepintBaseError);
      }
    });
  }
}
