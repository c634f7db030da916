/**
 * Deno and Deno Deploy: `deno serve functions/main.ts`. Refuses to start on a wrong setting, so it
 * reads the environment when it is loaded, and opens the store of the watches where there are any.
 */
import { type Config, ConfigError, createApp, readConfig, SETTING_NAMES } from "./app.ts";
import { parseCallbackHosts } from "./watches/callback.ts";
import type { KvWatches } from "./watches/kv_store.ts";

/** The settings that this process runs with. */
export const config: Config = await exitOnConfigError(readSettings);

/** The watches that this process keeps, where `RESOLVE_CALLBACK_HOSTS` is set. */
export const watches: KvWatches | undefined = config.callbackHosts &&
  await exitOnConfigError(openWatches);

const app = createApp(config, {
  watches: watches && (await import("./watches/routes.ts")).createWatches(config, watches),
});

// a platform that has no timers between requests has this; what a sweep begins last takes 20 s more
if (watches && typeof Deno.cron === "function") {
  Deno.cron("watches", "* * * * *", () => watches.sweep(Date.now() + 30_000));
}

export default {
  fetch: (request: Request, connection?: unknown): Response | Promise<Response> =>
    app.fetch(request, connection),
};

function readSettings(): Config {
  // one by one: the whole environment is nothing that this should be allowed to read
  const environment = Object.fromEntries(SETTING_NAMES.map((name) => [name, Deno.env.get(name)]));
  return readConfig(environment, {
    allowUnauthenticated: true,
    parseCallbackHosts,
  });
}

async function openWatches(): Promise<KvWatches> {
  if (typeof Deno.openKv !== "function") {
    throw new ConfigError(
      "RESOLVE_CALLBACK_HOSTS",
      "this Deno has no KV: start it with --unstable-kv",
    );
  }
  try {
    const kv = await Deno.openKv(config.kvPath);
    return (await import("./watches/kv_store.ts")).createKvWatches(kv, config);
  } catch (error) {
    const reason = error instanceof Error ? error.message : "it failed";
    throw new ConfigError("RESOLVE_KV_PATH", `cannot open the store of the watches: ${reason}`);
  }
}

async function exitOnConfigError<T>(start: () => T | Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // deno-lint-ignore no-console -- why it does not start
    console.error(error.message);
    Deno.exit(1);
  }
}
