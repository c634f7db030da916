/** Handler for platforms that expose the environment only in the first request. */
import {
  type Config,
  createApp,
  type ExecutionContext,
  type Handler,
  type Watches,
} from "./app.ts";
import { MAX_METHOD_LENGTH, writeLogEntry } from "./http/log.ts";
import {
  ConfigError,
  type Environment,
  readConfig,
  type ReadConfigOptions,
  SETTING_NAMES,
} from "./config.ts";
import { HttpProblem, toProblemParts } from "./http/problem.ts";
import { createResponse, getRequestId } from "./http/response.ts";

/** Options of {@linkcode lazyHandler}: the engine for watches, where the platform has one. */
export interface EntryOptions extends Pick<ReadConfigOptions, "parseCallbackHosts"> {
  /** Creates the watches of a configuration with callback hosts; throws `ConfigError`. */
  watches?: (config: Config, platform: unknown) => Watches;
}

/** Options of {@linkcode lazyHandler}. */
export interface LazyHandlerOptions extends EntryOptions {
  /** Loads the other options if `RESOLVE_CALLBACK_HOSTS` is set. @default they are given */
  load?: () => Promise<EntryOptions>;
}

/**
 * Creates a handler that reads the settings in the first request. It answers 503 `misconfigured` while
 * they are wrong, because a function cannot refuse to start.
 *
 * @param read reads one setting by its name
 */
export function lazyHandler(
  read: (name: string, platform: unknown) => unknown,
  { load, ...options }: LazyHandlerOptions = {},
): Handler["fetch"] {
  let handler: Handler["fetch"] | undefined;
  let loading: Promise<Handler["fetch"]> | undefined;
  return (request: Request, platform?: unknown, context?: ExecutionContext) => {
    if (!handler && load && read("RESOLVE_CALLBACK_HOSTS", platform)) {
      loading ??= load().then((loaded) => handler = createHandler(read, platform, loaded));
      return loading.then((handle) => handle(request, platform, context));
    }
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
 * @throws {ConfigError} when a setting is missing or malformed
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
      method: method.slice(0, MAX_METHOD_LENGTH),
      route: null,
      status: 503,
      ms: 0,
      auth: "none",
      problem: "misconfigured",
      hint: message,
    });
    const problem = new HttpProblem("misconfigured", detail);
    return createResponse(requestId, toProblemParts(problem, { requestId, publicUrl: "" }));
  };
}
