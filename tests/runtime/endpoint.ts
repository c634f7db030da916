// The endpoint of the suite, and the common part of the stubs for runtimes that only have a fetch handler.
import { createApp, type ExecutionContext, type Handler, readConfig } from "../../functions/app.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import { KEY, SECRET, type ServerContext, type TestResult, TOKEN } from "./harness.ts";
import { runSuite } from "./suite.ts";

/** Creates an endpoint that polls the misbehaving server. */
export function makeEndpoint({ server }: ServerContext): Handler {
  const config = readConfig({
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: server,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_WEBHOOK_SECRETS: SECRET,
    RESOLVE_TIMEOUT_MS: "1000",
  });
  return createApp(config, { log() {} });
}

/** Runs the whole suite. `origin` is the endpoint as the runtime serves it. */
export function runAll(servers: ServerContext, origin: string): Promise<TestResult[]> {
  const app = makeEndpoint(servers);
  return runSuite({ ...servers, endpoint: { origin, app, signWebhook } });
}

/** Creates a handler that runs the suite on `POST /suite` and passes other requests to the endpoint. */
export function workerHandler(): (
  request: Request,
  platform?: unknown,
  context?: ExecutionContext,
) => Promise<Response> {
  let app: Handler | undefined;
  return async (request, platform, context) => {
    const { origin, pathname } = new URL(request.url);
    if (pathname !== "/suite") {
      return await app?.fetch(request, platform, context) ?? new Response(null, { status: 503 });
    }
    const servers: ServerContext = await request.json();
    app = makeEndpoint(servers);
    return Response.json(await runAll(servers, origin));
  };
}
