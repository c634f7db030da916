/** Cloudflare Workers: bindings are the settings; `wrangler secret put` sets the secret ones. */
import { ConfigError, type Environment, type ExecutionContext, type Handler } from "./app.ts";
import { type EntryOptions, lazyHandler, readConfigFrom } from "./lazy_handler.ts";
import type { Watch } from "./watches/state.ts";
import type { WorkflowBinding, WorkflowStep } from "./watches/workflows.ts";

const readBinding = (name: string, bindings: unknown) => (bindings as Environment)[name];

const loadWorkflows = () => import("./watches/workflows.ts"); // only some Workers have watches

function isWorkflow(value: unknown): value is WorkflowBinding {
  return typeof value === "object" && value !== null && "create" in value && "get" in value;
}

async function entryOptions(): Promise<EntryOptions> {
  const { BINDING, createWatches, createWorkflowWatches, parseCallbackHosts } =
    await loadWorkflows();
  return {
    parseCallbackHosts,
    watches(config, bindings) {
      const binding = readBinding(BINDING, bindings);
      if (isWorkflow(binding)) return createWatches(config, createWorkflowWatches(binding));
      const problem = `needs a Workflow that is bound as ${BINDING}`;
      throw new ConfigError("RESOLVE_CALLBACK_HOSTS", problem);
    },
  };
}

let handler: Handler["fetch"] | undefined;

export default {
  async fetch(request: Request, env: Environment, context: ExecutionContext): Promise<Response> {
    // without `load`: a request must not await a promise of another request
    handler ??= lazyHandler(readBinding, env.RESOLVE_CALLBACK_HOSTS ? await entryOptions() : {});
    return await handler(request, env, context);
  },
};

// the module exists only on Workers; a variable keeps bundlers from resolving it elsewhere
const MODULE = "cloudflare:workers";
const Entrypoint: new (...args: unknown[]) => { readonly env?: Environment } = await import(MODULE)
  .then((module) => module.WorkflowEntrypoint, () => Object);

/** The Workflow of durable watches. Each instance is a watch. */
export class WatchWorkflow extends Entrypoint {
  /** Runs a watch to its end. */
  async run({ payload }: { payload: Watch }, steps: WorkflowStep): Promise<Watch> {
    const { parseCallbackHosts, runWatch } = await loadWorkflows();
    const config = readConfigFrom((name) => readBinding(name, this.env), parseCallbackHosts);
    return await runWatch(config, payload, steps);
  }
}
