/** The endpoint of a platform's environment: for entries that may read it in the first request only. */
import { type AppOptions, createApp, type ExecutionContext, type Handler } from "./app.ts";
import { ConfigError, type Environment, readConfig } from "./config.ts";
import { Problem, problemResponse } from "./problem.ts";
import { requestIdOf } from "./reply.ts";

/**
 * Makes a handler that reads the settings when the first request comes, and answers 503 `misconfigured`
 * as long as they are wrong: such a platform has no start that could be refused.
 */
export function handlerOf(
  environment: (platform: unknown) => Environment,
  options: AppOptions = {},
): Handler["fetch"] {
  let handler: Handler["fetch"] | undefined;
  return (request: Request, platform?: unknown, context?: ExecutionContext) => {
    handler ??= make(environment(platform), options);
    return handler(request, platform, context);
  };
}

function make(environment: Environment, options: AppOptions): Handler["fetch"] {
  try {
    return createApp(readConfig(environment), options).fetch;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return misconfigured(error);
  }
}

function misconfigured({ message, variable }: ConfigError): Handler["fetch"] {
  const detail = `the setting ${variable} is missing or malformed; the log says how`;
  return ({ headers }) => {
    const requestId = requestIdOf(headers);
    const entry = { time: new Date().toISOString(), request_id: requestId, status: 503 };
    // deno-lint-ignore no-console -- the log is standard output
    console.log(JSON.stringify({ ...entry, problem: "misconfigured", hint: message }));
    return problemResponse(new Problem("misconfigured", detail), requestId, "");
  };
}
