/** Opens the durable watches in PostgreSQL. Only loaded if `RESOLVE_CALLBACK_HOSTS` is set. */
import { parseCallbackHosts } from "./callback.ts";
import { type Config, ConfigError } from "../config.ts";
import { WatchLoop } from "./loop.ts";
import type { OpenWatches } from "./open.ts";
import { createStoreWatches } from "./operator_routes.ts";
import { PostgresStore } from "./postgres_store.ts";
import type { Watches } from "./routes.ts";

export { parseCallbackHosts };

/**
 * Opens the watches. The store connects when it is first used, and again after each failure.
 *
 * @throws {ConfigError} when no database is set, or its URL is not usable
 */
export function openDatabase(config: Config): OpenWatches {
  const { databaseUrl, maxWatches } = config;
  if (databaseUrl === undefined) {
    throw new ConfigError("RESOLVE_CALLBACK_HOSTS", "needs RESOLVE_DATABASE_URL on this platform");
  }
  try {
    const loop = new WatchLoop(new PostgresStore(databaseUrl, { maxWatches }), config);
    return { loop, routes: createStoreWatches(config, loop) };
  } catch {
    // no cause: it contains the password
    const problem = "must be a URL such as postgres://user:password@host/name";
    throw new ConfigError("RESOLVE_DATABASE_URL", problem);
  }
}

/** Options of `lazyHandler` for functions whose watches a cron sweeps. */
export const entryOptions = {
  parseCallbackHosts,
  watches: (config: Config): Watches => openDatabase(config).routes,
};
