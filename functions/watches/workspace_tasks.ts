/** The watched tasks of a workspace: on which page of its list each was, and who watches it. */
import type { Watch } from "./state.ts";
import type { StoredWatch, WatchedWorkspace } from "./store.ts";

/** Page of a task that the list lacks. */
const UNLISTED = -1;

/** A page with so many watched tasks is read for the first polls of several new watches at once. */
const MANY_TASKS = 50;

/** Failures of a list in a row after which GETs replace it. */
export const MAX_FAILURES = 5;

interface WatchedTask {
  /** Ids of the open watches. */
  readonly watchIds: Set<string>;
  /** Page on which the task was last. @default not known */
  page: number | undefined;
}

/** Returns a text that identifies the workspace of a watch. */
export function workspaceKey(
  { instance, ids: { organizationId, workspaceId } }: Pick<Watch, "instance" | "ids">,
): string {
  return `${instance}/${organizationId}/${workspaceId}`;
}

/** Options of {@linkcode WorkspaceTasks.hold}. */
export interface HoldOptions {
  /** Returns `true` if the settings permit a watch. */
  isAllowed: (watch: Watch) => boolean;
  /** Current time in ms since 1970. */
  now: number;
}

/** The watched tasks of a workspace, and the watches whose poll by the list is due. */
export class WorkspaceTasks {
  readonly ids: WatchedWorkspace;
  /** Claimed watches by id. */
  readonly held = new Map<string, StoredWatch>();
  /** Tasks whose next poll is a GET. */
  readonly toLoad = new Set<string>();
  /** Pages of the list. */
  pages = 1;
  pageSize: number | undefined;
  /** `true` if the newest tasks are on the last page. */
  isAscending = true;
  /** GETs since the list was last read. */
  loads = 0;
  /** `true` if the next read is one of the whole list. */
  mustReadAll = false;
  /** Time at which the page of the newest tasks was read, in ms since 1970. */
  readAt = 0;
  /** Failures of the list in a row; many before it has worked once. */
  failures = MAX_FAILURES;
  /** Rounds of GETs after the last failure. */
  fallbackRounds = 0;
  /** Time before which the list is not read again, in ms since 1970. */
  notBefore = 0;
  /** `true` once the store's open watches are known. */
  isComplete = false;
  /** `true` while the list is read. */
  isReading = false;
  readonly #tasks = new Map<string, WatchedTask>();
  readonly #onPage = new Map<number, number>();

  constructor({ instance, ids: { organizationId, workspaceId } }: Pick<Watch, "instance" | "ids">) {
    this.ids = { instance, organizationId, workspaceId };
  }

  /** Number of watched tasks. */
  get size(): number {
    return this.#tasks.size;
  }

  /** Adds an open watch. Returns `true` if it was not known. */
  add({ id, ids: { taskId } }: Pick<Watch, "id" | "ids">): boolean {
    const task = this.#tasks.get(taskId);
    if (task?.watchIds.has(id)) return false;
    if (task) task.watchIds.add(id);
    else this.#tasks.set(taskId, { watchIds: new Set([id]), page: undefined });
    return true;
  }

  /** Holds the claimed watches that the list is to poll; returns the others. */
  hold(claimed: StoredWatch[], { isAllowed, now }: HoldOptions): StoredWatch[] {
    if (now < this.notBefore) {
      this.toLoad.clear();
      return claimed;
    }
    const [listed, loads]: [StoredWatch[], StoredWatch[]] = [[], []];
    for (const stored of claimed) {
      const { taskId } = stored.watch.ids;
      const mustLoad = this.toLoad.delete(taskId) || this.isUnlisted(taskId);
      (mustLoad || !isAllowed(stored.watch) ? loads : listed).push(stored);
    }
    // as many GETs as the list has pages would have paid for the list
    const due = listed.length + (this.size > this.pages ? this.loads : 0);
    this.mustReadAll ||= due > this.pages && this.size > 1;
    for (const stored of listed) {
      const isShared = this.countOn(this.pageOf(stored.watch.ids.taskId)) > 1;
      if (this.mustReadAll || this.isReading || isShared) this.held.set(stored.watch.id, stored);
      else loads.push(stored);
    }
    this.loads += loads.length;
    return loads;
  }

  /** Removes a watch that no longer waits for a poll. */
  remove({ id, ids: { taskId } }: Pick<Watch, "id" | "ids">): void {
    const task = this.#tasks.get(taskId);
    task?.watchIds.delete(id);
    if (!task || task.watchIds.size > 0) return;
    this.place(taskId, undefined);
    this.#tasks.delete(taskId);
    this.toLoad.delete(taskId);
  }

  /** Returns `true` if there is an open watch of the task. */
  isWatched(taskId: string): boolean {
    return this.#tasks.has(taskId);
  }

  /** Returns the ids of the open watches of a task. */
  watchIdsOf(taskId: string): Iterable<string> {
    return this.#tasks.get(taskId)?.watchIds ?? [];
  }

  /** Records the page of a watched task. */
  place(taskId: string, page: number | undefined): void {
    const task = this.#tasks.get(taskId);
    if (!task || task.page === page) return;
    if (task.page !== undefined) this.#onPage.set(task.page, this.countOn(task.page) - 1);
    if (page !== undefined) this.#onPage.set(page, this.countOn(page) + 1);
    task.page = page;
  }

  /** Records that the complete list lacks a task. */
  setUnlisted(taskId: string): void {
    this.place(taskId, UNLISTED);
  }

  /** Returns `true` if the complete list lacked the task. */
  isUnlisted(taskId: string): boolean {
    return this.#tasks.get(taskId)?.page === UNLISTED;
  }

  /** Returns the page of a task: where it was, or where new tasks are. */
  pageOf(taskId: string): number {
    return this.#tasks.get(taskId)?.page ?? this.#newestPage;
  }

  /** Records the time of a read of a page, or of all. */
  recordRead(page: number | undefined, now: number): void {
    const newest = this.#newestPage;
    if ((page ?? newest) === newest && this.countOn(newest) >= MANY_TASKS) this.readAt = now;
  }

  get #newestPage(): number {
    return this.isAscending ? this.pages - 1 : 0;
  }

  /** Returns the number of watched tasks on a page. */
  countOn(page: number): number {
    return this.#onPage.get(page) ?? 0;
  }

  /** Returns the number of watched tasks that a part of the list lacks. */
  countMissing(infos: ReadonlyMap<string, unknown>): number {
    let missing = 0;
    for (const taskId of this.#tasks.keys()) {
      if (!infos.has(taskId) && !this.isUnlisted(taskId)) missing++;
    }
    return missing;
  }
}
