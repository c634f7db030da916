/**
 * Deno and Deno Deploy: `deno serve functions/main.ts`. Reads the settings and opens the store of the
 * watches when it is loaded, so that it refuses to start on a wrong setting.
 */
import {
  type AppOptions,
  type Config,
  ConfigError,
  createApp,
  type Handler,
  readConfig,
  SETTING_NAMES,
} from "./app.ts";
import type { WatchLoop } from "./watches/loop.ts";

/** Limit of a sweep, within the minute. */
const SWEEP_MS = 50_000;
const FILE_MODE = 0o600;

async function exitOnConfigError<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // deno-lint-ignore no-console -- for the person who starts it
    console.error(error.message);
    Deno.exit(1);
  }
}

const isUrl = (path: string) => /^https?:/.test(path);

const loadWatches = () => import("./watches/open.ts");

async function readSettings(): Promise<Config> {
  // one by one: the permissions need not include the whole environment
  const environment = Object.fromEntries(SETTING_NAMES.map((name) => [name, Deno.env.get(name)]));
  const { parseCallbackHosts } = await loadWatches();
  const settings = readConfig(environment, { allowUnauthenticated: true, parseCallbackHosts });
  const [kvPath] = Deno.args; // `deno task start` passes RESOLVE_KV_PATH, or a file in dist/
  return kvPath && settings.databaseUrl === undefined ? { ...settings, kvPath } : settings;
}

/** Opens a KV: a service, or files that only the owner may read, also those of an earlier release. */
async function openKv(path: string | undefined): Promise<Deno.Kv> {
  if (path === undefined || isUrl(path)) return await Deno.openKv(path);
  const file = await Deno.open(path, { create: true, write: true, mode: FILE_MODE });
  file.close();
  if (Deno.build.os !== "windows") {
    for (const name of [path, `${path}-wal`, `${path}-shm`]) {
      await Deno.chmod(name, FILE_MODE).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
  }
  return await Deno.openKv(path); // SQLite creates the other files with the mode of the first
}

const isPresent = async (path: string) =>
  isUrl(path) || await Deno.stat(path).then(() => true, () => false);

/** The settings of this process. */
export const config: Config = await exitOnConfigError(readSettings);

const open = config.callbackHosts && await exitOnConfigError(async () => {
  const { openWatches } = await loadWatches();
  const hasKv = typeof Deno.openKv === "function";
  return await openWatches(config, { openKv: hasKv ? openKv : undefined, isPresent });
});

/** The loop of the watches, if `RESOLVE_CALLBACK_HOSTS` is set. */
export const watches: WatchLoop | undefined = open?.loop;

/** Creates the handler of this process, with the log writer of the entry. */
export function createHandler(options: Pick<AppOptions, "log"> = {}): Handler {
  return createApp(config, { ...options, watches: open?.routes });
}

const app = createHandler();

// Deno Deploy runs no timers between requests
if (watches && typeof Deno.cron === "function") {
  Deno.cron("watches", "* * * * *", () => watches.sweep(SWEEP_MS).then(() => {}));
}

export default {
  fetch: (request: Request, connection?: unknown): Response | Promise<Response> =>
    app.fetch(request, connection),
};
