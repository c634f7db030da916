/** One step of a watch: a poll, or a delivery, and what that makes of it. Every engine runs these. */
import { Credentials, DeepintHTTPError, type Fetch } from "../../mod.ts";
import { answerOf, upstreamProblem } from "../task/response.ts";
import { logLine } from "../http/log.ts";
import { deliver } from "./callback.ts";
import type { Config } from "../config.ts";
import { linksFor, linkTo } from "../auth/link_token.ts";
import { bareTask } from "../task/shared_poll.ts";
import { Problem } from "../http/problem.ts";
import { afterDelivery, afterPoll, type Outcome, type Watch, type WatchEvent } from "./state.ts";

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
export const stepTime = ({ timeout }: Config): number => Math.max(timeout, 10_000);

/** Makes the function that takes an open watch one step on. */
export function createStep(config: Config, options: StepOptions = {}): Step {
  const { fetch, callbackFetch, now = Date.now, random = Math.random, log = logLine } = options;
  const { timeout, basePath, callbacks = [] } = config;
  const credentials = new Credentials(config);
  const links = linksFor(config, now);

  async function poll(watch: Watch): Promise<Outcome> {
    const task = bareTask(watch.ids, { credentials, fetch });
    try {
      await task.load({ timeout, requestTimeout: timeout, retries: 0 });
      const answer = { raiseOnError: false, pending: "accepted", basePath, now: now() } as const;
      return { answer: (await answerOf(task, answer)).body, retryAfter: task.retryAfter };
    } catch (error) {
      const problem = error instanceof Problem ? error : upstreamProblem(error);
      const retryAfter = error instanceof DeepintHTTPError ? error.retryAfter : undefined;
      return { problem: problem?.problem ?? "internal-error", retryAfter };
    }
  }

  /** What the callback is told: the answer of `/resolve`, as a Standard Webhooks event. */
  async function eventOf(watch: Watch, { type, code, at }: WatchEvent): Promise<unknown> {
    const task = bareTask(watch.ids, { credentials, fetch });
    const data = watch.last ?? { status: "unknown", task: task.toDict() };
    // made now: a link does not last as long as deliveries are tried
    const link = links && { watch: await linkTo(task, links, basePath) };
    return {
      type,
      timestamp: new Date(at).toISOString(),
      data: {
        ...data,
        ...(link && { links: { ...watch.last?.links, ...link } }),
        ...(code && { code }),
      },
    };
  }

  async function tell(watch: Watch, event: WatchEvent): Promise<number> {
    const { id, callbackUrl: url } = watch;
    const delivery = { url, id, event: await eventOf(watch, event), now: now() };
    return await deliver(delivery, callbacks, callbackFetch);
  }

  return async (watch) => {
    const next = watch.event
      ? afterDelivery(watch, await tell(watch, watch.event), { now: now(), random: random() })
      : afterPoll(watch, await poll(watch), { now: now(), random: random() });
    const { id, state, event, polls, attempts, lastStatus } = next;
    if (event) {
      const time = new Date(next.changed).toISOString();
      log({ time, watch: id, state, event: event.type, polls, attempts, last_status: lastStatus });
    }
    return next;
  };
}
