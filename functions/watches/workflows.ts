/**
 * Durable watches on Cloudflare Workflows. Each instance is a watch: it polls and delivers in steps and
 * sleeps between them. The platform keeps the result of each step, so that a restarted instance resumes
 * where it was.
 */
import type { Config } from "../config.ts";
import { isActive, newWatch, type Watch } from "./state.ts";
import { isWatch } from "./stored_state.ts";
import { createStep, maxStepMs, type StepOptions } from "./step.ts";
import type { NewWatch, WatchEngine, WatchSnapshot } from "./store.ts";

export { parseCallbackHosts } from "./callback.ts";
export { createWatches } from "./routes.ts";

/** The used part of a Workflow's binding. */
export interface WorkflowBinding {
  /** Starts an instance; throws if the id exists. */
  create(options: { id: string; params: Watch }): Promise<WorkflowInstance>;
  /** Returns an instance; throws if the id is unknown. */
  get(id: string): Promise<WorkflowInstance>;
}

/** The used part of an instance. */
export interface WorkflowInstance {
  /** Returns the status, and the output of a complete instance. */
  status(): Promise<{ status: string; output?: unknown }>;
  /** Stops the instance. */
  terminate(): Promise<void>;
}

/** The used part of a Workflow's steps. */
export interface WorkflowStep {
  /** Runs a step, or returns its stored result. */
  do(name: string, config: StepConfig, run: () => Promise<Watch>): Promise<Watch>;
  /** Sleeps for a number of milliseconds. */
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

  async function create(id: string, order: NewWatch): Promise<WorkflowInstance> {
    const { key: _, ...fields } = order;
    const params = newWatch({ id, ...fields }, Date.now());
    try {
      return await binding.create({ id, params });
    } catch (error) {
      const instance = await findInstance(id); // a concurrent request started it
      if (instance) return instance;
      throw error;
    }
  }

  return {
    async start(order) {
      for (let generation = 0;; generation++) {
        const id = `${order.key}-${generation}`;
        const instance = await findInstance(id) ?? await create(id, order);
        const report = await toSnapshot(id, instance);
        if (report.state === "watching" || report.state === "delivered") return report;
      }
    },
    async status(id) {
      const instance = await findInstance(id);
      return instance && await toSnapshot(id, instance);
    },
    async cancel(id) {
      const instance = await findInstance(id);
      if (!instance) return undefined;
      const before = await toSnapshot(id, instance);
      if (before.state !== "watching") return before;
      const failed = await instance.terminate().catch((error) => ({ error }));
      const report = await toSnapshot(id, instance);
      // an instance that ended meanwhile cannot be terminated
      if (failed && report.state === "watching") throw failed.error;
      return report;
    },
  };
}

/** Runs a watch to its end. */
export async function runWatch(
  config: Config,
  started: Watch,
  steps: WorkflowStep,
  options: StepOptions = {},
): Promise<Watch> {
  const step = createStep(config, options);
  const bounds: StepConfig = {
    // for failures of the platform; our steps do not throw
    retries: { limit: 5, delay: 1_000, backoff: "exponential" },
    timeout: maxStepMs(config) + 10_000,
  };
  let watch = started;
  for (let count = 1; isActive(watch); count++) {
    const { dueAt, updatedAt } = watch;
    // a duration: sleeping until a time that has passed is an error after a restart
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

/** Returns the whole watch of a complete instance, otherwise only its state. */
async function toSnapshot(id: string, instance: WorkflowInstance): Promise<WatchSnapshot> {
  const { status, output } = await instance.status();
  if (status === "complete" && isWatch(output)) return output;
  if (status === "terminated") return { id, state: "cancelled" };
  return { id, state: status === "errored" || status === "complete" ? "failed" : "watching" };
}
