/** One step of a watch, a poll or a delivery; the same for every engine. */
import { Credentials, DeepintHTTPError, type Fetch, TaskInfo } from "../../mod.ts";
import { createLinkSigner } from "../auth/link_token.ts";
import type { Config } from "../config.ts";
import { writeLogEntry } from "../http/log.ts";
import { HttpProblem } from "../http/problem.ts";
import type { TaskIds } from "../http/task_ids.ts";
import { statusPageUrl, taskBody, upstreamProblem } from "../task/response.ts";
import { pollOnce } from "../task/shared_poll.ts";
import { deliver, isAllowedCallback } from "./callback.ts";
import {
  afterDelivery,
  afterPoll,
  ended,
  type EndReason,
  type PollOutcome,
  type Watch,
  type WatchEnd,
} from "./state.ts";
import { toTaskDict } from "../../src/internal/client.ts";

/** Options of {@linkcode createStep}. */
export interface StepOptions {
  /** Sends polls. @default globalThis.fetch */
  fetch?: Fetch | undefined;
  /** Sends deliveries. @default globalThis.fetch */
  callbackFetch?: typeof globalThis.fetch | undefined;
  /** Clock, in ms since 1970. @default Date.now */
  now?: () => number;
  /** Jitter. @default Math.random */
  random?: () => number;
  /** Receives log entries. @default a line of JSON on standard output */
  log?: (entry: WatchLogEntry) => void;
}

/** Log entry of the end of a task, of a delivery or of a failure of the engine. */
export interface WatchLogEntry extends Partial<Pick<Watch, "state" | "polls" | "attempts">> {
  /** ISO 8601. */
  time: string;
  /** Id of the watch. */
  watch?: string;
  /** Type of the event. */
  event?: string;
  /** Reason for which the endpoint ended the watch. */
  reason?: EndReason;
  /** Status of the last delivery. */
  last_status?: number | undefined;
  /** Failure of the engine. */
  error?: string;
}

/** Result of a step. */
export interface StepResult {
  /** The watch after the step. */
  readonly watch: Watch;
  /** `true` if the step was a delivery that timed out. */
  readonly timedOut: boolean;
}

/** Takes an open watch one step; never rejects. An abort ends a request, as without a response. */
export type Step = (watch: Watch, signal?: AbortSignal) => Promise<StepResult>;

/** Returns the maximum duration of a step, in ms. */
export function maxStepMs({ timeout }: Config): number {
  return Math.max(timeout, 10_000);
}

function isAllowed(
  { organizationId, workspaceId }: TaskIds,
  { allowedOrganizations, allowedWorkspaces }: Config,
): boolean {
  const includes = (list: readonly string[], id: string) => list.length === 0 || list.includes(id);
  return includes(allowedOrganizations, organizationId) &&
    includes(allowedWorkspaces, workspaceId);
}

/** Creates a function that returns why the settings no longer permit a watch. */
export function createSettingsCheck(config: Config): (watch: Watch) => EndReason | undefined {
  const { instance } = new Credentials(config);
  return (watch) => {
    if (watch.instance !== instance) return "INSTANCE_CHANGED";
    if (!isAllowed(watch.ids, config)) return "NOT_ALLOWED";
    const url = new URL(watch.callbackUrl);
    return isAllowedCallback(url, config.callbackHosts ?? []) ? undefined : "HOST_REMOVED";
  };
}

/** Logs a watch after a step, unless it was a poll after which the task still runs. */
export function logStep(
  { id, state, reason, event, polls, attempts, lastStatus, updatedAt }: Watch,
  log: (entry: WatchLogEntry) => void,
): void {
  if (!event && !reason) return;
  const time = new Date(updatedAt).toISOString();
  const end = { ...(reason && { reason }), ...(event && { event: event.type }) };
  log({ time, watch: id, state, ...end, polls, attempts, last_status: lastStatus });
}

/** Creates the function that takes a watch one step. */
export function createStep(config: Config, options: StepOptions = {}): Step {
  const { fetch, callbackFetch, now = Date.now, random = Math.random, log = writeLogEntry } =
    options;
  const { timeout, publicUrl = config.basePath, callbackHosts = [] } = config;
  const { linkSecrets: secrets = [], linkTtl: ttl } = config;
  const credentials = new Credentials(config);
  const checkSettings = createSettingsCheck(config);
  const links = secrets.length > 0 ? createLinkSigner({ secrets, ttl, now }) : undefined;

  async function poll(watch: Watch, signal?: AbortSignal): Promise<PollOutcome> {
    try {
      const task = await pollOnce(watch.ids, { credentials, fetch, timeout, signal });
      return { answer: taskBody(task, { now: now() }), retryAfter: task.retryAfter };
    } catch (error) {
      const problem = error instanceof HttpProblem ? error : upstreamProblem(error);
      const retryAfter = error instanceof DeepintHTTPError ? error.retryAfter : undefined;
      if (signal?.aborted) return { problem: "upstream-timeout" };
      return { problem: problem?.type ?? "internal-error", retryAfter };
    }
  }

  /** Creates the Standard Webhooks event, whose data is the response of `/resolve`. */
  async function toWatchEvent(
    { ids, last }: Watch,
    { type, code, endedAt }: WatchEnd,
  ): Promise<unknown> {
    const info = TaskInfo.fromDict({ id: ids.taskId });
    const data = last ?? { status: "unknown", task: toTaskDict({ ...ids, info }) };
    // sign the link now: links expire sooner than deliveries
    const link = links && { status: await statusPageUrl(ids, links, publicUrl) };
    return {
      type,
      timestamp: new Date(endedAt).toISOString(),
      data: { ...data, ...(link && { links: { ...last?.links, ...link } }), ...(code && { code }) },
    };
  }

  async function takeStep(watch: Watch, signal?: AbortSignal): Promise<StepResult> {
    const reason = checkSettings(watch);
    if (reason) return { watch: ended(watch, reason, now()), timedOut: false };
    if (!watch.event) {
      const outcome = await poll(watch, signal);
      const inputs = { now: now(), random: random() };
      return { watch: afterPoll(watch, outcome, inputs), timedOut: false };
    }
    const { callbackUrl: url, eventId: id } = watch;
    const event = await toWatchEvent(watch, watch.event);
    const delivery = { url, id, event, now: now(), signal };
    const outcome = await deliver(delivery, callbackHosts, callbackFetch);
    const inputs = { now: now(), random: random() };
    return { watch: afterDelivery(watch, outcome, inputs), timedOut: outcome.timedOut };
  }

  return async (watch, signal) => {
    const result = await takeStep(watch, signal);
    logStep(result.watch, log);
    return result;
  };
}
