/** Opens the durable watches in the store that the settings name. */
import { type Config, ConfigError } from "../config.ts";
import type { WatchLoop } from "./loop.ts";
import { createStoreWatches } from "./operator_routes.ts";
import type { Watches } from "./routes.ts";

export { parseCallbackHosts } from "./callback.ts";

/** Options of {@linkcode openWatches}: what the runtime offers. */
export interface OpenWatchesOptions {
  /** Opens a KV, or the default one without a path. @default the runtime has none */
  openKv?: ((path: string | undefined) => Promise<Deno.Kv>) | undefined;
  /** Resolves with `false` if the file of the KV was deleted. @default always present */
  isPresent?: (path: string) => Promise<boolean>;
}

/** Open watches. */
export interface OpenWatches {
  /** Polls and delivers. */
  readonly loop: WatchLoop;
  /** The routes. */
  readonly routes: Watches;
}

/**
 * Opens the store of the watches.
 *
 * @throws {ConfigError} when the store cannot be opened
 */
export async function openWatches(
  config: Config,
  { openKv, isPresent }: OpenWatchesOptions,
): Promise<OpenWatches> {
  if (config.databaseUrl !== undefined) {
    return (await import("./database.ts")).openDatabase(config);
  }
  if (!openKv) {
    const problem = "this Deno has no KV: start it with --unstable-kv";
    throw new ConfigError("RESOLVE_CALLBACK_HOSTS", problem);
  }
  const [{ KvStore }, { WatchLoop }] = await Promise.all([
    import("./kv_store.ts"),
    import("./loop.ts"),
  ]);
  try {
    const { kvPath, maxWatches } = config;
    const kv = await openKv(kvPath);
    // SQLite keeps writing to a deleted file
    const isDeleted = async () => kvPath !== undefined && await isPresent?.(kvPath) === false;
    const loop = new WatchLoop(new KvStore(kv, { maxWatches, isDeleted }), config);
    return { loop, routes: createStoreWatches(config, loop) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : "it failed";
    throw new ConfigError("RESOLVE_KV_PATH", `cannot open the store of the watches: ${reason}`);
  }
}
