/** One step of a watch: a poll, or a delivery, and what that makes of it. Every engine runs these. */
import { Credentials, DeepintHTTPError, type Fetch } from "../../mod.ts";
import { statusPagePath, taskBody, upstreamProblem } from "../task/response.ts";
import { writeLogEntry } from "../http/log.ts";
import { deliver } from "./callback.ts";
import type { Config } from "../config.ts";
import { createLinkSigner } from "../auth/link_token.ts";
import { unloadedTask } from "../task/shared_poll.ts";
import { HttpProblem } from "../http/problem.ts";
import { afterDelivery, afterPoll, type PollOutcome, type Watch, type WatchEnd } from "./state.ts";

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
  /** Where log entries go, from the end of a task on. @default a JSON line to standard output */
  log?: (entry: WatchLogEntry) => void;
}

/** What the log is told of a watch: its end, each delivery; or what an engine failed of. */
export interface WatchLogEntry extends Partial<Pick<Watch, "state" | "polls" | "attempts">> {
  /** ISO 8601. */
  time: string;
  /** The watch's id. */
  watch?: string;
  /** What there is to tell. */
  event?: string;
  /** What the last delivery was answered. */
  last_status?: number | undefined;
  /** What failed outside of any watch. */
  error?: string;
}

/** Takes a watch one step on; never rejects for what a poll or a delivery meets. */
export type Step = (watch: Watch) => Promise<Watch>;

/** How long a step takes at most, in ms: a poll, or a callback. */
export const maxStepMs = ({ timeout }: Config): number => Math.max(timeout, 10_000);

/** Makes the function that takes an open watch one step on. */
export function createStep(config: Config, options: StepOptions = {}): Step {
  const { fetch, callbackFetch, now = Date.now, random = Math.random, log = writeLogEntry } =
    options;
  const { timeout, basePath, callbackHosts = [], linkSecrets: secrets = [], linkTtl: ttl } = config;
  const credentials = new Credentials(config);
  const links = secrets.length > 0 ? createLinkSigner({ secrets, ttl, now }) : undefined;

  async function pollOnce(watch: Watch): Promise<PollOutcome> {
    const task = unloadedTask(watch.ids, { credentials, fetch });
    try {
      await task.load({ timeout, requestTimeout: timeout, retries: 0 });
      return { answer: await taskBody(task, { now: now() }), retryAfter: task.retryAfter };
    } catch (error) {
      const problem = error instanceof HttpProblem ? error : upstreamProblem(error);
      const retryAfter = error instanceof DeepintHTTPError ? error.retryAfter : undefined;
      return { problem: problem?.type ?? "internal-error", retryAfter };
    }
  }

  /** What the callback is told: the answer of `/resolve`, as a Standard Webhooks event. */
  async function toWatchEvent(
    watch: Watch,
    { type, code, endedAt }: WatchEnd,
  ): Promise<unknown> {
    const task = unloadedTask(watch.ids, { credentials, fetch });
    const data = watch.last ?? { status: "unknown", task: task.toDict() };
    // made now: a link does not last as long as deliveries are tried
    const link = links && { status: await statusPagePath(task, links, basePath) };
    return {
      type,
      timestamp: new Date(endedAt).toISOString(),
      data: {
        ...data,
        ...(link && { links: { ...watch.last?.links, ...link } }),
        ...(code && { code }),
      },
    };
  }

  async function deliverEvent(watch: Watch, event: WatchEnd): Promise<number> {
    const { id, callbackUrl: url } = watch;
    const delivery = { url, id, event: await toWatchEvent(watch, event), now: now() };
    return await deliver(delivery, callbackHosts, callbackFetch);
  }

  return async (watch) => {
    const next = watch.event
      ? afterDelivery(watch, await deliverEvent(watch, watch.event), {
        now: now(),
        random: random(),
      })
      : afterPoll(watch, await pollOnce(watch), { now: now(), random: random() });
    const { id, state, event, polls, attempts, lastStatus } = next;
    if (event) {
      const time = new Date(next.updatedAt).toISOString();
      log({ time, watch: id, state, event: event.type, polls, attempts, last_status: lastStatus });
    }
    return next;
  };
}
