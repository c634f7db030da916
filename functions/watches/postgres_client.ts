/** Connections to PostgreSQL, with a deadline for each statement and the database's clock. */
import postgres from "postgres";
import * as sql from "./postgres_sql.ts";
import { withTimeout } from "../../src/internal/deadline.ts";

/** Parameters of a statement. */
export type Values = readonly (string | number | null)[];

const OPTIONS = {
  ...{ max: 4, connect_timeout: 5, idle_timeout: 60, backoff: () => 0.1 },
  ...{ prepare: false, fetch_types: false, onnotice() {} }, // for poolers, no queries of its own
};
const QUERY_TIMEOUT_MS = 10_000;
/** Failures after which a statement is repeated once: a lost connection, a shutdown, a deadlock. */
const REPEATABLE = /^(CONNECTION_CLOSED|ECONNRESET|EPIPE|57P01|40P01)$/;

const codeOf = (error: unknown) =>
  error instanceof Error && "code" in error ? String(error.code) : "";

function connect(url: string) {
  const name = `deepint-task ${crypto.randomUUID()}`;
  return { name, client: postgres(url, { ...OPTIONS, connection: { application_name: name } }) };
}

/** A client that connects, and creates the tables, when it is first used. */
export class PostgresClient implements AsyncDisposable {
  readonly #url: string;
  #connected: ReturnType<typeof connect>;
  /** Names of connections that were closed although the database had not responded. */
  readonly #abandoned = new Set<string>();
  #created: Promise<void> | undefined;
  #clockOffset = -Infinity;

  /** Throws if the URL is not usable. */
  constructor(url: string) {
    this.#url = url;
    this.#connected = connect(url);
  }

  /**
   * Returns the time on the database's clock, in whole ms since 1970; before the first query the local
   * time.
   */
  now(): number {
    const now = Math.floor(performance.now() + this.#clockOffset);
    return Number.isFinite(now) ? now : Date.now();
  }

  /** Sends a statement, the first one after a failure only once the tables exist. */
  async query<T extends object>(text: string, values: Values = []): Promise<T[]> {
    try {
      await (this.#created ??= this.#create());
      return await this.#send<T>(text, values);
    } catch (error) {
      this.#created = undefined;
      // a host name with several addresses fails without a message
      throw error instanceof Error && error.message ? error : new Error(codeOf(error) || "failed");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connected.client.end({ timeout: 1 });
  }

  async #create(): Promise<void> {
    const names = [...this.#abandoned];
    if (names.length > 0) await this.#send(sql.TERMINATE, [JSON.stringify(names)]);
    for (const name of names) this.#abandoned.delete(name);
    const [row] = await this.#send<{ exists: boolean }>(sql.EXISTS);
    if (!row?.exists) await this.#send(sql.SCHEMA);
  }

  async #send<T extends object>(text: string, values: Values = [], isLast = false): Promise<T[]> {
    const connected = this.#connected;
    const query = connected.client.unsafe<(T & { now?: number })[]>(text, [...values]);
    const onTimeout = () => {
      if (this.#connected === connected) {
        this.#connected = connect(this.#url);
        this.#abandoned.add(connected.name);
      }
      connected.client.end({ timeout: 0 }).catch(() => {});
      throw new Error("the database does not respond");
    };
    const sentAt = performance.now();
    try {
      const rows = await withTimeout(async () => await query, { ms: QUERY_TIMEOUT_MS, onTimeout });
      this.#setClock(rows[0]?.now, sentAt);
      return rows;
    } catch (error) {
      if (isLast || !REPEATABLE.test(codeOf(error))) throw error;
      return await this.#send(text, values, true);
    }
  }

  /** Corrects the clock if it contradicts a time that the database told between now and `sentAt`. */
  #setClock(time: number | undefined, sentAt: number): void {
    if (time === undefined) return;
    const [earliest, latest] = [time - performance.now(), time - sentAt];
    this.#clockOffset = Math.min(Math.max(this.#clockOffset, earliest), latest);
  }
}
