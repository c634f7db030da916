/**
 * Durable watches in PostgreSQL. A watch is a row. A partial index orders the open watches of each queue
 * by the time from which they may be claimed. Every time comes from the database's clock, every write
 * compares the revision, and every statement is a transaction, so that no process holds a lock.
 */
import { batched, readPages } from "./batch.ts";
import {
  type CountChanges,
  countChanges,
  hostOf,
  isActive,
  isReusable,
  queueOf,
  type Watch,
} from "./state.ts";
import { isWatch } from "./stored_state.ts";
import { PostgresClient } from "./postgres_client.ts";
import * as sql from "./postgres_sql.ts";
import type * as store from "./store.ts";

/** A row of `deepint_watches`, and what the statements read or write with it. */
interface Row extends Partial<CountChanges> {
  readonly key: string;
  readonly generation: number;
  readonly revision: string;
  /** `null` once the watch has ended. */
  readonly queue: string | null;
  readonly workspace: string;
  readonly host: string;
  readonly state: string;
  readonly started_at: number;
  /** For a finished watch, the time of its deletion. */
  readonly claimable_at: number;
  readonly watch: string;
  readonly timed_out?: number;
}

interface StartRequest {
  readonly key: string;
  readonly create: (id: string) => Watch;
}

interface StatsRow {
  readonly host: string;
  readonly open: number;
  readonly delivered: number;
  readonly failed: number;
  readonly timed_out: number;
  readonly due: number;
  readonly oldest: number | null;
}

/** Rows of one statement. */
const MAX_BATCH = 100;
/** Tries to start a watch, each after a conflict with another process. */
const MAX_START_TRIES = 100;
const RETENTION_MS = 7 * 86_400_000;
const DELETE_INTERVAL_MS = 60_000;

/** Changes of a row that cannot be read. It is kept. */
const SET_ASIDE = {
  ...{ queue: null, state: "unreadable", claimable_at: Number.MAX_VALUE },
  ...{ open: -1, delivered: 0, failed: 0, timed_out: 0 },
};

function parseId(id: string): Pick<Row, "key" | "generation"> {
  const at = id.lastIndexOf("-");
  return { key: id.slice(0, at), generation: Number(id.slice(at + 1)) };
}

const idOf = ({ key, generation }: Pick<Row, "key" | "generation">) => `${key}-${generation}`;

function toStored(row: Row): store.StoredWatch | undefined {
  try {
    const watch = JSON.parse(row.watch);
    if (!isWatch(watch) || watch.id !== idOf(row)) return undefined;
    return { watch, claimableAt: row.claimable_at, revision: row.revision };
  } catch {
    return undefined;
  }
}

const toAllStored = (rows: readonly Row[]) => rows.flatMap((row) => toStored(row) ?? []);

const workspaceOf = ({ instance, organizationId, workspaceId }: store.WatchedWorkspace) =>
  JSON.stringify([instance, organizationId, workspaceId]);

function toRow(watch: Watch, claimableAt: number, revision = "1"): Row {
  const open = isActive(watch);
  return {
    ...parseId(watch.id),
    revision,
    queue: open ? queueOf(watch) : null,
    workspace: workspaceOf({ ...watch, ...watch.ids }),
    host: hostOf(watch),
    state: watch.state,
    started_at: watch.startedAt,
    claimable_at: open ? claimableAt : watch.updatedAt + RETENTION_MS,
    watch: JSON.stringify(watch),
  };
}

/** Options of {@linkcode PostgresStore}. */
export interface PostgresStoreOptions {
  /** Maximum number of open watches. @default 10000 */
  maxWatches?: number | undefined;
}

/** A store of watches in a database. It connects, and creates its tables, when it is first used. */
export class PostgresStore implements store.WatchStore, AsyncDisposable {
  readonly #client: PostgresClient;
  readonly #maxWatches: number;
  readonly #start = batched(MAX_BATCH, (them: readonly StartRequest[]) => this.#startAll(them));
  readonly #get = batched(MAX_BATCH, (ids: readonly string[]) => this.#getAll(ids));
  readonly #save = batched(MAX_BATCH, (rows: readonly Row[]) => this.#saveAll(rows));
  #deleteAt = 0;

  /** Throws if the URL is not usable; connects later. */
  constructor(url: string, { maxWatches = 10_000 }: PostgresStoreOptions = {}) {
    this.#client = new PostgresClient(url);
    this.#maxWatches = maxWatches;
  }

  now(): number {
    return this.#client.now();
  }

  start(key: string, create: (id: string) => Watch): Promise<Watch | undefined> {
    return this.#start({ key, create });
  }

  get(id: string): Promise<store.StoredWatch | undefined> {
    return this.#get(id);
  }

  async save(
    { watch: before, revision: current }: store.StoredWatch,
    { watch, claimableAt, timedOut = false }: store.WatchUpdate,
  ): Promise<store.StoredWatch | undefined> {
    const counts = { ...countChanges(before, watch), timed_out: Number(timedOut) };
    const revision = await this.#save({ ...toRow(watch, claimableAt, current), ...counts });
    return revision === undefined ? undefined : { watch, claimableAt, revision };
  }

  async claim({ queue, limit, leaseMs }: store.ClaimOptions): Promise<store.ClaimResult> {
    const rows = await this.#client.query<Row>(sql.CLAIM, [queue, limit, leaseMs]);
    const broken = rows.filter((row) => !toStored(row));
    await Promise.all(broken.map((row) => this.#save({ ...row, ...SET_ASIDE })));
    return { claimed: toAllStored(rows), found: rows.length, unreadable: broken.map(idOf) };
  }

  async nextDueAt(): Promise<ReadonlyMap<string, number>> {
    if (performance.now() >= this.#deleteAt) {
      await this.#client.query(sql.DELETE_FINISHED);
      this.#deleteAt = performance.now() + DELETE_INTERVAL_MS;
    }
    const rows = await this.#client.query<Row>(sql.NEXT_DUE);
    return new Map(rows.flatMap((it) => it.queue === null ? [] : [[it.queue, it.claimable_at]]));
  }

  openWatches(
    workspace: store.WatchedWorkspace,
    { after = "-0", limit }: store.WorkspaceOptions,
  ): Promise<store.StoredWatch[]> {
    const read = (last: Pick<Row, "key" | "generation"> = parseId(after)) => {
      const values = [workspaceOf(workspace), last.key, last.generation, limit];
      return this.#client.query<Row>(sql.OPEN, values);
    };
    return readPages({ limit, read, parse: toAllStored });
  }

  list({ state, after, limit }: store.ListOptions): Promise<Watch[]> {
    const read = (last?: Row) => {
      const { key, generation } = last ?? parseId(after?.id ?? "-0");
      const startedAt = last?.started_at ?? after?.startedAt ?? null;
      const values = [state ?? null, startedAt, key, generation, limit];
      return this.#client.query<Row>(sql.LIST, values);
    };
    const parse = (rows: readonly Row[]) => toAllStored(rows).map(({ watch }) => watch);
    return readPages({ limit, read, parse });
  }

  async stats(): Promise<store.StoreStats> {
    const rows = await this.#client.query<StatsRow>(sql.STATS);
    const { open = 0, due = 0, oldest } = rows.find(({ host }) => host === "") ?? {};
    const hosts = rows.filter(({ host }) => host !== "").map((
      { host, open, delivered, failed, timed_out: timedOut },
    ) => [host, { open, delivered, failed, timedOut }] as const);
    return { open, due, oldestDueAt: oldest ?? undefined, hosts: new Map(hosts) };
  }

  async ping(): Promise<void> {
    await this.#client.query(sql.PING);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client[Symbol.asyncDispose]();
  }

  async #startAll(requests: readonly StartRequest[]): Promise<readonly (Watch | undefined)[]> {
    const waiting = new Map(requests.map(({ key, create }) => [key, create]));
    const watches = new Map<string, Watch>();
    for (let tries = 0; waiting.size > 0; tries++) {
      if (tries === MAX_START_TRIES) throw new Error("too many conflicts with other processes");
      const created: Watch[] = [];
      for (
        const head of await this.#client.query<Row>(sql.HEADS, [
          JSON.stringify([...waiting.keys()]),
        ])
      ) {
        const existing = toStored(head)?.watch;
        const create = waiting.get(head.key);
        const id = `${head.key}-${(head.generation ?? -1) + 1}`;
        if (existing && isReusable(existing)) {
          watches.set(head.key, existing);
          waiting.delete(head.key);
        } else if (create) created.push(create(id));
      }
      const input = created.map((watch, n) => ({ ...toRow(watch, watch.dueAt), n }));
      const values = [JSON.stringify(input), this.#maxWatches];
      const added = await this.#client.query<{ key: string; open: number }>(sql.INSERT, values);
      const keys = new Set(added.map(({ key }) => key));
      for (const [n, watch] of created.entries()) {
        const { key } = parseId(watch.id);
        if (keys.has(key)) watches.set(key, watch);
        const isFull = n >= this.#maxWatches - (added[0]?.open ?? 0);
        if (keys.has(key) || isFull) waiting.delete(key); // else another process was faster
      }
    }
    return requests.map(({ key }) => watches.get(key));
  }

  async #getAll(ids: readonly string[]): Promise<readonly (store.StoredWatch | undefined)[]> {
    const rows = await this.#client.query<Row>(sql.GET, [
      JSON.stringify([...new Set(ids)].map(parseId)),
    ]);
    const found = new Map(rows.map((row) => [idOf(row), toStored(row)]));
    return ids.map((id) => found.get(id));
  }

  async #saveAll(rows: readonly Row[]): Promise<readonly (string | undefined)[]> {
    // of two changes of one row the second has lost
    const first = new Map(rows.toReversed().map((row) => [idOf(row), row]));
    const saved = await this.#client.query<Row>(sql.SAVE, [JSON.stringify([...first.values()])]);
    const revisions = new Map(saved.map((row) => [first.get(idOf(row)), row.revision]));
    return rows.map((row) => revisions.get(row));
  }
}
