/** A store in PostgreSQL whose database follows a simulated clock. */
import postgres from "postgres";
import { PostgresStore } from "../../functions/watches/postgres_store.ts";
import type { Watch } from "../../functions/watches/state.ts";
import type { PostgresServer } from "../helpers/postgres.ts";

const MAX_WATCHES = 20_000;

/** Replaces the function of PostgreSQL in the statements of the store. */
const CLOCK = `
  create schema simulated;
  create sequence simulated.micros;
  create function simulated.clock_timestamp() returns timestamptz language sql
    as 'select to_timestamp(last_value / 1e6) from simulated.micros'`;

/** A store that sets the clock of its database before it starts or finds watches. */
class SimulatedStore extends PostgresStore {
  readonly #sql: postgres.Sql;
  readonly #now: () => number;
  #setTo = -1;

  constructor(url: string, now: () => number) {
    super(url, { maxWatches: MAX_WATCHES });
    this.#sql = postgres(url, { max: 1 });
    this.#now = now;
  }

  override now(): number {
    return this.#now();
  }

  override async start(key: string, create: (id: string) => Watch): Promise<Watch | undefined> {
    await this.#setClock();
    return await super.start(key, create);
  }

  override async nextDueAt(): Promise<ReadonlyMap<string, number>> {
    await this.#setClock();
    return await super.nextDueAt();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#sql.end();
    await super[Symbol.asyncDispose]();
  }

  async #setClock(): Promise<void> {
    const now = this.now();
    if (now === this.#setTo) return;
    this.#setTo = now;
    await this.#sql`select setval('simulated.micros', ${Math.ceil(now * 1_000)}::bigint)`;
  }
}

/** Opens a store in an empty database on a simulated clock. */
export async function openSimulated(
  server: PostgresServer,
  now: () => number,
): Promise<SimulatedStore> {
  const url = await server.createDatabase();
  const sql = postgres(url, { max: 1 });
  const name = new URL(url).pathname.slice(1);
  await sql.unsafe(`${CLOCK};
    alter database ${name} set search_path = public, simulated, pg_catalog;
    alter database ${name} set synchronous_commit = off`);
  await sql.end();
  return new SimulatedStore(url, now);
}
