/** Cloudflare Workers: bindings are the settings, secrets come by `wrangler secret put`. */
import type { Environment, ExecutionContext, Handler } from "./app.ts";
import { lazyHandler, readConfigFrom } from "./lazy_handler.ts";
import type { Watch } from "./watches/state.ts";
import type { WorkflowStep } from "./watches/workflows.ts";

const readBinding = (name: string, bindings: unknown) => (bindings as Environment)[name];

let handler: Handler["fetch"] | undefined;

export default {
  async fetch(request: Request, env: Environment, context: ExecutionContext): Promise<Response> {
    handler ??= lazyHandler(
      readBinding,
      env.RESOLVE_CALLBACK_HOSTS ? (await loadWatches()).entryOptions : {},
    );
    return await handler(request, env, context);
  },
};

const loadWatches = () => import("./watches/workflows.ts"); // not every Worker has watches

// a runtime that is not theirs has no such module; named by a variable, no bundler looks for it
const MODULE = "cloudflare:workers";
const Entrypoint: new (...args: unknown[]) => { readonly env?: Environment } = await import(MODULE)
  .then((module) => module.WorkflowEntrypoint, () => Object);

/** The Workflow that keeps watches: an instance is a watch. */
export class WatchWorkflow extends Entrypoint {
  /** Takes a watch to its end. */
  async run({ payload }: { payload: Watch }, steps: WorkflowStep): Promise<Watch> {
    const { entryOptions, runWatch } = await loadWatches();
    const config = readConfigFrom(
      (name) => readBinding(name, this.env),
      entryOptions.parseCallbackHosts,
    );
    return await runWatch(config, payload, steps);
  }
}
