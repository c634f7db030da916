/** Cloudflare Workers: bindings are the settings, secrets come by `wrangler secret put`. */
import type { Environment, ExecutionContext } from "./app.ts";
import { handlerOf } from "./handler.ts";

const fetch: (request: Request, env: Environment, context: ExecutionContext) =>
  | Response
  | Promise<Response> = handlerOf((name, bindings) => (bindings as Environment)[name]);

export default { fetch };
