/** The endpoint of a platform's environment: for entries that may read it in the first request only. */
import {
  type Config,
  createApp,
  type ExecutionContext,
  type Handler,
  type Watches,
} from "./app.ts";
import { writeLogEntry } from "./http/log.ts";
import {
  ConfigError,
  type Environment,
  readConfig,
  type ReadConfigOptions,
  SETTING_NAMES,
} from "./config.ts";
import { HttpProblem, toProblemParts } from "./http/problem.ts";
import { createResponse, getRequestId } from "./http/response.ts";

/** What an entry has beside the settings: an engine for watches, where its platform has one. */
export interface EntryOptions extends Pick<ReadConfigOptions, "parseCallbackHosts"> {
  /** Makes the watches of a configuration that has callbacks; throws `ConfigError` when it can't. */
  watches?: (config: Config, platform: unknown) => Watches;
}

/**
 * Makes a handler that reads the settings when the first request comes, and answers 503 `misconfigured`
 * as long as they are wrong: such a platform has no start that could be refused.
 *
 * @param read gives one setting: the whole environment is nothing that this should need to see
 */
export function lazyHandler(
  read: (name: string, platform: unknown) => unknown,
  options: EntryOptions = {},
): Handler["fetch"] {
  let handler: Handler["fetch"] | undefined;
  return (request: Request, platform?: unknown, context?: ExecutionContext) => {
    handler ??= createHandler(read, platform, options);
    return handler(request, platform, context);
  };
}

function createHandler(
  read: (name: string, platform: unknown) => unknown,
  platform: unknown,
  { parseCallbackHosts, watches }: EntryOptions,
): Handler["fetch"] {
  try {
    const config = readConfigFrom((name) => read(name, platform), parseCallbackHosts);
    return createApp(config, { watches: config.callbackHosts && watches?.(config, platform) })
      .fetch;
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
export function readConfigFrom(
  read: (name: string) => unknown,
  parseCallbackHosts: ReadConfigOptions["parseCallbackHosts"],
): Config {
  // HOST and PORT belong to the platform: nothing here listens
  const names = SETTING_NAMES.filter((name) => name !== "HOST" && name !== "PORT");
  const environment: Environment = Object.fromEntries(names.map((name) => [name, read(name)]));
  return readConfig(environment, parseCallbackHosts && { parseCallbackHosts });
}

function misconfigured({ message, variable }: ConfigError): Handler["fetch"] {
  const detail = `the setting ${variable} is missing or malformed; the log says how`;
  return ({ headers, method }) => {
    const requestId = getRequestId(headers);
    writeLogEntry({
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
    const problem = new HttpProblem("misconfigured", detail);
    return createResponse(requestId, toProblemParts(problem, { requestId, basePath: "" }));
  };
}
