/**
 * Deno and Deno Deploy: `deno serve functions/main.ts`. Refuses to start on a wrong setting, so it
 * reads the environment when it is loaded.
 */
import { type Config, ConfigError, createApp, readConfig, SETTINGS } from "./app.ts";

/** The settings that this process runs with. */
export const config: Config = readSettings();

const app = createApp(config);

export default {
  fetch: (request: Request, connection?: unknown): Response | Promise<Response> =>
    app.fetch(request, connection),
};

function readSettings(): Config {
  try {
    // one by one: the whole environment is nothing that this should be allowed to read
    const environment = Object.fromEntries(SETTINGS.map((name) => [name, Deno.env.get(name)]));
    return readConfig(environment, { allowOpen: true });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // deno-lint-ignore no-console -- why it does not start
    console.error(error.message);
    Deno.exit(1);
  }
}
