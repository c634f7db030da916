/** The endpoint of a platform's environment: for entries that may read it in the first request only. */
import { type AppOptions, createApp, type ExecutionContext, type Handler } from "./app.ts";
import { logLine } from "./app_env.ts";
import { ConfigError, type Environment, readConfig, SETTINGS } from "./config.ts";
import { Problem, problemResponse } from "./problem.ts";
import { requestIdOf } from "./reply.ts";

/**
 * Makes a handler that reads the settings when the first request comes, and answers 503 `misconfigured`
 * as long as they are wrong: such a platform has no start that could be refused.
 *
 * @param read gives one setting: the whole environment is nothing that this should need to see
 */
export function handlerOf(
  read: (name: string, platform: unknown) => unknown,
  options: AppOptions = {},
): Handler["fetch"] {
  let handler: Handler["fetch"] | undefined;
  return (request: Request, platform?: unknown, context?: ExecutionContext) => {
    handler ??= make((name) => read(name, platform), options);
    return handler(request, platform, context);
  };
}

function make(read: (name: string) => unknown, options: AppOptions): Handler["fetch"] {
  // nothing here listens: a PORT is the platform's own affair
  const names = SETTINGS.filter((name) => name !== "PORT");
  const environment: Environment = Object.fromEntries(names.map((name) => [name, read(name)]));
  try {
    return createApp(readConfig(environment), options).fetch;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return misconfigured(error);
  }
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
