/** Cloudflare Workers: bindings are the settings, secrets come by `wrangler secret put`. */
import type { Environment, ExecutionContext } from "./app.ts";
import { readCallbacks } from "./callback.ts";
import { configOf, handlerOf } from "./handler.ts";
import type { Watch } from "./watch_state.ts";
import { createWatches } from "./watches.ts";
import { runWatch, type WorkflowStep, workflowWatches } from "./watches_workflows.ts";

const read = (name: string, bindings: unknown) => (bindings as Environment)[name];

const fetch: (request: Request, env: Environment, context: ExecutionContext) =>
  | Response
  | Promise<Response> = handlerOf(read, {
    callbacks: readCallbacks,
    watches: (config, bindings) => createWatches(config, workflowWatches(bindings as Environment)),
  });

export default { fetch };

interface Entrypoint {
  readonly env: Environment;
}

// a runtime that is not theirs has no such module; named by a variable, no bundler looks for it
const MODULE = "cloudflare:workers";
const Base: new (context: unknown, env: Environment) => Entrypoint = await import(MODULE).then(
  ({ WorkflowEntrypoint }) => WorkflowEntrypoint,
  () =>
    class {
      constructor(_context: unknown, readonly env: Environment) {}
    },
);

/** The Workflow that keeps watches: an instance is a watch. */
export class WatchWorkflow extends Base {
  /** Takes a watch to its end. */
  async run({ payload }: { payload: Watch }, steps: WorkflowStep): Promise<Watch> {
    const config = configOf((name) => read(name, this.env), readCallbacks);
    return await runWatch(config, payload, steps);
  }
}
