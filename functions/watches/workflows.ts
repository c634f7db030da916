/**
 * Durable watches on Cloudflare Workflows: a watch is an instance. Its steps are the polls and the
 * deliveries, and it sleeps between them; what a step gave is kept, so that an instance that is begun
 * again goes on where it was.
 */
import type { Config } from "../config.ts";
import { isActive, isWatch, newWatch, type Watch } from "./state.ts";
import { createStep, maxStepMs, type StepOptions } from "./step.ts";
import type { NewWatch, WatchEngine, WatchSnapshot } from "./store.ts";

export { parseCallbackHosts } from "./callback.ts";
export { createWatches } from "./routes.ts";

/** The part of a Workflow's binding that is used. */
export interface WorkflowBinding {
  /** Begins an instance; throws when there is one of that id. */
  create(options: { id: string; params: Watch }): Promise<WorkflowInstance>;
  /** Finds an instance; throws when there is none. */
  get(id: string): Promise<WorkflowInstance>;
}

/** The part of an instance of a Workflow that is used. */
export interface WorkflowInstance {
  /** How it stands, and what it gave once it is complete. */
  status(): Promise<{ status: string; output?: unknown }>;
  /** Ends it. */
  terminate(): Promise<void>;
}

/** The part of a Workflow's steps that is used. */
export interface WorkflowStep {
  /** Runs a step, or gives what it gave before. */
  do(name: string, config: StepConfig, run: () => Promise<Watch>): Promise<Watch>;
  /** Waits, in ms. */
  sleep(name: string, time: number): Promise<void>;
}

interface StepConfig {
  retries: { limit: number; delay: number; backoff: "exponential" };
  timeout: number;
}

/** Name of the binding of the Workflow. */
export const BINDING = "WATCHES";

/** Creates an engine from the binding of a Workflow. */
export function createWorkflowWatches(binding: WorkflowBinding): WatchEngine {
  async function findInstance(id: string): Promise<WorkflowInstance | undefined> {
    try {
      return await binding.get(id);
    } catch (error) {
      if (error instanceof Error && /not.?found/i.test(error.message)) return undefined;
      throw error;
    }
  }

  async function begin(id: string, order: NewWatch): Promise<WorkflowInstance> {
    const { key: _, ...fields } = order;
    const params = newWatch({ id, ...fields }, Date.now());
    try {
      return await binding.create({ id, params });
    } catch (error) {
      const instance = await findInstance(id); // somebody has begun it at the same time
      if (instance) return instance;
      throw error;
    }
  }

  return {
    async start(order) {
      for (let generation = 0;; generation++) {
        const id = `${order.key}-${generation}`;
        const instance = await findInstance(id) ?? await begin(id, order);
        const report = await reportOf(id, instance);
        if (report.state === "watching" || report.state === "delivered") return report;
      }
    },
    async status(id) {
      const instance = await findInstance(id);
      return instance && await reportOf(id, instance);
    },
    async cancel(id) {
      const instance = await findInstance(id);
      if (!instance) return undefined;
      const before = await reportOf(id, instance);
      if (before.state !== "watching") return before;
      const failed = await instance.terminate().catch((error) => ({ error }));
      const report = await reportOf(id, instance);
      // it may have ended by itself at the same time, and that is no failure
      if (failed && report.state === "watching") throw failed.error;
      return report;
    },
  };
}

/** Takes a watch from its beginning to its end. */
export async function runWatch(
  config: Config,
  begun: Watch,
  steps: WorkflowStep,
  options: StepOptions = {},
): Promise<Watch> {
  const step = createStep(config, options);
  const bounds: StepConfig = {
    // for what the platform itself does to a step: one of ours does not fail
    retries: { limit: 5, delay: 1_000, backoff: "exponential" },
    timeout: maxStepMs(config) + 10_000,
  };
  let watch = begun;
  for (let count = 1; isActive(watch); count++) {
    const { dueAt, updatedAt } = watch;
    // not until a time: an instance that goes on begins anew, and a time that has passed is an error
    if (dueAt > updatedAt) await steps.sleep(`wait ${count}`, dueAt - updatedAt);
    const before = watch;
    watch = await steps.do(
      `${before.event ? "deliver" : "poll"} ${count}`,
      bounds,
      async () => (await step(before)).watch,
    );
  }
  return watch;
}

/** What an instance tells: all of the watch once it has ended, else that it goes on. */
async function reportOf(id: string, instance: WorkflowInstance): Promise<WatchSnapshot> {
  const { status, output } = await instance.status();
  if (status === "complete" && isWatch(output)) return output;
  if (status === "terminated") return { id, state: "cancelled" };
  return { id, state: status === "errored" || status === "complete" ? "failed" : "watching" };
}
