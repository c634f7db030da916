/**
 * Polls of watches by the list of their workspace. A page of the list costs one request and refreshes
 * every open watch of its tasks, so that watches of one workspace become due together.
 */
import { Credentials, DeepintHTTPError, DeepintTimeoutError, type Fetch } from "../../mod.ts";
import type { Config } from "../config.ts";
import { writeLogEntry } from "../http/log.ts";
import { upstreamProblem } from "../task/response.ts";
import { type Reading, readList, toAnswer } from "./list_reader.ts";
import {
  afterPoll,
  isHalfway,
  pollInterval,
  type PollOutcome,
  waitsForPoll,
  type Watch,
} from "./state.ts";
import { logStep, type WatchLogEntry } from "./step.ts";
import type { StoredWatch, WatchStore } from "./store.ts";
import { callStore, callStoreForEach } from "./store_calls.ts";
import { MAX_FAILURES, workspaceKey, WorkspaceTasks } from "./workspace_tasks.ts";
import { isInProgress } from "../../src/internal/client.ts";

/** A list that fails is tried again after at most this many rounds of GETs. */
const MAX_FALLBACK_ROUNDS = 16;
/** A list is not read more often for the first polls of new watches. */
const MIN_READ_INTERVAL_MS = 2_000;
const SCAN_SIZE = 100;
/** Watches that are added before those that no longer exist are forgotten. */
const MAX_ADDED = 100_000;

/** Options of {@linkcode ListPolls}. */
export interface ListPollsOptions {
  store: WatchStore;
  /** Sends requests. @default globalThis.fetch */
  fetch?: Fetch | undefined;
  /** Jitter. @default Math.random */
  random?: (() => number) | undefined;
  /** Receives log entries. @default a line of JSON on standard output */
  log?: ((entry: WatchLogEntry) => void) | undefined;
  /** Returns `true` if the settings permit a watch. */
  isAllowed: (watch: Watch) => boolean;
  /** Receives the time at which a refreshed watch is due again. */
  onDue: (dueAt: number) => void;
}

/** Returns `false` for a watch with another claimable time: it is leased to another process. */
function isWaiting({ watch, claimableAt }: StoredWatch): boolean {
  return claimableAt === watch.dueAt;
}

/** Polls by the lists of workspaces. */
export class ListPolls {
  readonly #timeout: number;
  readonly #options: ListPollsOptions;
  readonly #credentials: Credentials;
  readonly #workspaces = new Map<string, WorkspaceTasks>();
  #added = 0;

  constructor(config: Config, options: ListPollsOptions) {
    this.#timeout = config.timeout;
    this.#options = options;
    this.#credentials = new Credentials(config);
  }

  /** Holds the claimed watches that a list is to poll; returns the others, which are polled by GET. */
  hold(claimed: readonly StoredWatch[]): StoredWatch[] {
    if (this.#added > MAX_ADDED) this.#forgetIdle();
    const groups = new Map<WorkspaceTasks, StoredWatch[]>();
    for (const stored of claimed) {
      const workspace = this.#workspaceOf(stored.watch);
      if (workspace.add(stored.watch)) this.#added++;
      const group = groups.get(workspace);
      if (group) group.push(stored);
      else groups.set(workspace, [stored]);
    }
    const { isAllowed, store } = this.#options;
    const options = { isAllowed, now: store.now() };
    return [...groups].flatMap(([workspace, group]) => workspace.hold(group, options));
  }

  /** Returns the workspaces whose list is to be read. */
  ready(): WorkspaceTasks[] {
    return [...this.#workspaces.values()].filter(({ held, isReading }) =>
      held.size > 0 && !isReading
    );
  }

  /** Returns the time of a new watch's first poll: soon after the last read of the list, or now. */
  firstPollAt(fields: Pick<Watch, "instance" | "ids">): number {
    const now = this.#options.store.now();
    const workspace = this.#workspaces.get(workspaceKey(fields));
    const wait = (workspace?.readAt ?? 0) + MIN_READ_INTERVAL_MS - now;
    // the database's clock may have been set back since
    return now + Math.min(Math.max(0, wait), MIN_READ_INTERVAL_MS);
  }

  /** Forgets a watch unless it still waits for a poll. */
  forget(watch: Watch): void {
    if (waitsForPoll(watch)) return;
    const workspace = this.#workspaceOf(watch);
    workspace.remove(watch);
    if (workspace.size === 0 && !workspace.isReading) this.#workspaces.delete(workspaceKey(watch));
  }

  /**
   * Polls the held watches of a workspace by its list, and refreshes its other open watches on the pages
   * that it reads. Returns the number of polls; rejects when the store fails.
   */
  async poll(workspace: WorkspaceTasks, signal: AbortSignal | undefined): Promise<number> {
    let polls = 0;
    workspace.isReading = true;
    try {
      while (workspace.held.size > 0) polls += await this.#pollOnce(workspace, signal);
    } finally {
      workspace.held.clear(); // after a failure of the store their leases end
      workspace.isReading = false;
    }
    return polls;
  }

  /** Forgets what is not in use: other processes may have ended the watches. */
  #forgetIdle(): void {
    this.#added = 0;
    for (const [key, { held, isReading }] of this.#workspaces) {
      if (held.size === 0 && !isReading) this.#workspaces.delete(key);
    }
  }

  #workspaceOf(watch: Watch): WorkspaceTasks {
    const workspace = this.#workspaces.get(workspaceKey(watch)) ?? new WorkspaceTasks(watch);
    this.#workspaces.set(workspaceKey(watch), workspace);
    return workspace;
  }

  async #pollOnce(workspace: WorkspaceTasks, signal: AbortSignal | undefined): Promise<number> {
    const { random = Math.random } = this.#options;
    const [next] = workspace.held.values();
    if (!next) return 0;
    const readsAll = workspace.mustReadAll || workspace.held.size > workspace.pages;
    const reading: Reading = {
      page: readsAll ? undefined : workspace.pageOf(next.watch.ids.taskId),
      tasks: new Map(),
      random: random(),
      retryAfter: 0,
      isComplete: false,
    };
    workspace.mustReadAll = false;
    workspace.loads = 0;
    if (readsAll && !workspace.isComplete) {
      await this.#scan(workspace, ({ watch }) => Promise.resolve(void workspace.add(watch)));
      workspace.isComplete = true;
    }
    let failure: { error: unknown } | undefined;
    try {
      const { fetch } = this.#options;
      await readList(workspace, reading, {
        credentials: this.#credentials,
        fetch,
        timeout: this.#timeout,
        signal,
      });
      workspace.failures = workspace.fallbackRounds = 0;
    } catch (error) {
      failure = { error };
    }
    const polls = await this.#refresh(workspace, reading);
    workspace.recordRead(reading.page, this.#options.store.now());
    if (failure) return polls + await this.#handleFailure(workspace, failure.error, signal);
    await this.#handleMissing(workspace, reading);
    return polls;
  }

  /** Polls the watches of the tasks that were read. */
  async #refresh(workspace: WorkspaceTasks, reading: Reading): Promise<number> {
    let polls = 0;
    const now = this.#options.store.now();
    const apply = async (stored: StoredWatch): Promise<void> => {
      if (await this.#apply(workspace, stored, reading)) polls++;
    };
    const { held } = workspace;
    if (reading.page === undefined) {
      await this.#scan(workspace, async (stored) => {
        workspace.add(stored.watch);
        if (isWaiting(stored) && !held.has(stored.watch.id)) await apply(stored);
      });
    } else {
      const others = [...reading.tasks.keys()].flatMap((taskId) =>
        [...workspace.watchIdsOf(taskId)].filter((id) => !held.has(id)).map((id) => ({
          id,
          taskId,
        }))
      );
      await callStoreForEach(others, async ({ id, taskId }) => {
        const stored = await this.#options.store.get(id);
        if (stored && isWaiting(stored) && isHalfway(stored.watch, now)) await apply(stored);
        if (!stored || !waitsForPoll(stored.watch)) {
          workspace.remove({ id, ids: { ...workspace.ids, taskId } });
        }
      });
    }
    await callStoreForEach(held.values(), apply);
    return polls;
  }

  /** Polls a watch by what was read. Returns `false` if it must be polled by GET, or has changed. */
  async #apply(workspace: WorkspaceTasks, stored: StoredWatch, reading: Reading): Promise<boolean> {
    const { watch } = stored;
    const { taskId } = watch.ids;
    const listed = reading.tasks.get(taskId);
    if (!listed || !waitsForPoll(watch) || !this.#options.isAllowed(watch)) return false;
    workspace.place(taskId, listed.page);
    workspace.held.delete(watch.id);
    const { info } = listed;
    if (!isInProgress(info.status)) {
      await this.#loadNow(workspace, stored);
      return false;
    }
    const now = this.#options.store.now();
    const answer = toAnswer(watch, info, { credentials: this.#credentials, now });
    const outcome = { answer, retryAfter: reading.retryAfter };
    return await this.#saveOutcome(stored, outcome, reading.random);
  }

  async #saveOutcome(stored: StoredWatch, outcome: PollOutcome, random: number): Promise<boolean> {
    const { store, onDue, log = writeLogEntry } = this.#options;
    const watch = afterPoll(stored.watch, outcome, { now: store.now(), random });
    const update = { watch, claimableAt: watch.dueAt };
    if (!await store.save(stored, update)) return false;
    logStep(watch, log);
    onDue(watch.dueAt);
    return true;
  }

  /** Makes a watch due for a GET, now or after some milliseconds. */
  async #loadNow(workspace: WorkspaceTasks, stored: StoredWatch, wait = 0): Promise<void> {
    const { store, onDue } = this.#options;
    const dueAt = store.now() + wait;
    workspace.toLoad.add(stored.watch.ids.taskId);
    workspace.held.delete(stored.watch.id);
    const update = { watch: { ...stored.watch, dueAt }, claimableAt: dueAt };
    if (await store.save(stored, update)) onDue(dueAt);
  }

  /** Reads the whole list if it has moved, otherwise polls the held tasks that were missing by GET. */
  async #handleMissing(workspace: WorkspaceTasks, { page, isComplete }: Reading): Promise<void> {
    const missing = [...workspace.held.values()].filter(({ watch }) =>
      page === undefined || workspace.pageOf(watch.ids.taskId) === page
    );
    workspace.mustReadAll = page !== undefined && missing.length > workspace.pages;
    if (workspace.mustReadAll) return;
    await callStoreForEach(missing, async (stored) => {
      const { taskId } = stored.watch.ids;
      if (isComplete) workspace.setUnlisted(taskId);
      else workspace.place(taskId, undefined);
      await this.#loadNow(workspace, stored);
    });
  }

  /** Repeats a list that has worked like a failed poll; replaces another one by GETs for a while. */
  async #handleFailure(
    workspace: WorkspaceTasks,
    error: unknown,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const { store, random = Math.random } = this.#options;
    const held = [...workspace.held.values()];
    workspace.held.clear();
    const isKnown = error instanceof DeepintHTTPError || error instanceof DeepintTimeoutError;
    const retryAfter = error instanceof DeepintHTTPError ? error.retryAfter ?? 0 : 0;
    const isPassing = isKnown && error.retryable;
    if (signal?.aborted || isPassing && ++workspace.failures < MAX_FAILURES) {
      const problem = upstreamProblem(error)?.type ?? "upstream-timeout";
      const outcome = { problem, retryAfter };
      await callStoreForEach(held, (stored) => this.#saveOutcome(stored, outcome, random()));
      return held.length;
    }
    workspace.fallbackRounds = Math.min(2 * workspace.fallbackRounds || 1, MAX_FALLBACK_ROUNDS);
    const inputs = { now: store.now(), random: 0 };
    const round = Math.min(...held.map(({ watch }) => pollInterval(watch, undefined, inputs)));
    const pause = Math.max(workspace.fallbackRounds * round, retryAfter + 1);
    workspace.notBefore = inputs.now + pause;
    await callStoreForEach(held, (stored) => this.#loadNow(workspace, stored, retryAfter));
    return 0;
  }

  async #scan(
    { ids }: WorkspaceTasks,
    handle: (stored: StoredWatch) => Promise<void>,
  ): Promise<void> {
    let after: string | undefined;
    do {
      const options = { after, limit: SCAN_SIZE };
      const page = await callStore(() => this.#options.store.openWatches(ids, options));
      await callStoreForEach(page, handle);
      after = page.length < SCAN_SIZE ? undefined : page.at(-1)?.watch.id;
    } while (after !== undefined);
  }
}
