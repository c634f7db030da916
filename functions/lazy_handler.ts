/** The endpoint of a platform's environment: for entries that may read it in the first request only. */
import {
  type Config,
  createApp,
  type ExecutionContext,
  type Handler,
  type Watches,
} from "./app.ts";
import { logLine } from "./http/log.ts";
import {
  ConfigError,
  type Environment,
  readConfig,
  type ReadConfigOptions,
  SETTINGS,
} from "./config.ts";
import { Problem, problemResponse } from "./http/problem.ts";
import { requestIdOf } from "./http/response.ts";

/** What an entry has beside the settings: an engine for watches, where its platform has one. */
export interface EntryOptions extends Pick<ReadConfigOptions, "callbacks"> {
  /** Makes the watches of a configuration that has callbacks; throws `ConfigError` when it can't. */
  watches?: (config: Config, platform: unknown) => Watches;
}

/**
 * Makes a handler that reads the settings when the first request comes, and answers 503 `misconfigured`
 * as long as they are wrong: such a platform has no start that could be refused.
 *
 * @param read gives one setting: the whole environment is nothing that this should need to see
 */
export function handlerOf(
  read: (name: string, platform: unknown) => unknown,
  options: EntryOptions = {},
): Handler["fetch"] {
  let handler: Handler["fetch"] | undefined;
  return (request: Request, platform?: unknown, context?: ExecutionContext) => {
    handler ??= make(read, platform, options);
    return handler(request, platform, context);
  };
}

function make(
  read: (name: string, platform: unknown) => unknown,
  platform: unknown,
  { callbacks, watches }: EntryOptions,
): Handler["fetch"] {
  try {
    const config = configOf((name) => read(name, platform), callbacks);
    return createApp(config, { watches: config.callbacks && watches?.(config, platform) }).fetch;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return misconfigured(error);
  }
}

/**
 * Reads the settings one by one.
 *
 * @throws {ConfigError} when one is wrong
 */
export function configOf(
  read: (name: string) => unknown,
  callbacks: ReadConfigOptions["callbacks"],
): Config {
  // nothing here listens: a PORT is the platform's own affair
  const names = SETTINGS.filter((name) => name !== "PORT");
  const environment: Environment = Object.fromEntries(names.map((name) => [name, read(name)]));
  return readConfig(environment, callbacks && { callbacks });
}

function misconfigured({ message, variable }: ConfigError): Handler["fetch"] {
  const detail = `the setting ${variable} is missing or malformed; the log says how`;
  return ({ headers, method }) => {
    const requestId = requestIdOf(headers);
    logLine({
      time: new Date().toISOString(),
      request_id: requestId,
      method,
      route: null,
      status: 503,
      ms: 0,
      auth: "none",
      problem: "misconfigured",
      hint: message,
    });
    return problemResponse(new Problem("misconfigured", detail), requestId, "");
  };
}
