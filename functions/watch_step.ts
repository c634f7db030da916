/** One step of a watch: a poll, or a delivery, and what that makes of it. Every engine runs these. */
import { Credentials, DeepintHTTPError, type Fetch, Task } from "../mod.ts";
import { answerOf, upstreamProblem } from "./answer.ts";
import { deliver } from "./callback.ts";
import type { Config } from "./config.ts";
import { linksFor } from "./link.ts";
import { Problem } from "./problem.ts";
import {
  afterDelivery,
  afterPoll,
  type Outcome,
  type Watch,
  type WatchEvent,
} from "./watch_state.ts";

/** What {@linkcode createStep} takes beside the configuration. */
export interface StepOptions {
  /** The function that polls go through. @default globalThis.fetch */
  fetch?: Fetch | undefined;
  /** The function that callbacks go through. @default globalThis.fetch */
  callbackFetch?: typeof globalThis.fetch | undefined;
  /** The clock, in ms since 1970. @default Date.now */
  now?: () => number;
  /** The jitter. @default Math.random */
  random?: () => number;
}

/** Takes a watch one step on; never rejects for what a poll or a delivery meets. */
export type Step = (watch: Watch) => Promise<Watch>;

/** How long a step takes at most, in ms: a poll, or a callback. */
export const stepTime = ({ timeout }: Config): number => Math.max(timeout, 10_000);

/** Makes the function that takes an open watch one step on. */
export function createStep(config: Config, options: StepOptions = {}): Step {
  const { fetch, callbackFetch, now = Date.now, random = Math.random } = options;
  const { timeout, basePath, callbacks = [] } = config;
  const credentials = new Credentials(config);
  const links = linksFor(config, now);

  async function poll(watch: Watch): Promise<Outcome> {
    const task = bareTask(watch, credentials, fetch);
    try {
      await task.load({ timeout, requestTimeout: timeout, retries: 0 });
      const { body } = await answerOf(task, {
        raiseOnError: false,
        pending: "accepted",
        basePath,
        watch: links && `${basePath}/watch/${await links.mint(task)}`,
        now: now(),
      });
      return { answer: body, retryAfter: task.retryAfter };
    } catch (error) {
      const problem = error instanceof Problem ? error : upstreamProblem(error);
      const retryAfter = error instanceof DeepintHTTPError ? error.retryAfter : undefined;
      return { problem: problem?.problem ?? "internal-error", retryAfter };
    }
  }

  return async (watch) => {
    if (watch.event) {
      const event = eventOf(watch, watch.event);
      const delivery = { url: watch.callbackUrl, id: watch.id, event, now: now() };
      const status = await deliver(delivery, callbacks, callbackFetch);
      return afterDelivery(watch, status, { now: now(), random: random() });
    }
    const outcome = await poll(watch);
    return afterPoll(watch, outcome, { now: now(), random: random() });
  };

  /** What the callback is told: the answer of `/resolve`, as a Standard Webhooks event. */
  function eventOf(watch: Watch, { type, code, at }: WatchEvent): unknown {
    const task = bareTask(watch, credentials, fetch).toDict();
    const data = watch.last ?? { status: "unknown", task };
    return { type, timestamp: new Date(at).toISOString(), data: code ? { ...data, code } : data };
  }
}

function bareTask({ ids }: Watch, credentials: Credentials, fetch: Fetch | undefined): Task {
  return Task.fromDict({
    organization_id: ids.organizationId,
    workspace_id: ids.workspaceId,
    task_id: ids.taskId,
  }, { credentials, fetch });
}
