/**
 * States of a watch and the transitions between them. Pure: it has no clock, sends no request and knows
 * no store, so that every engine goes through the same states.
 */
import { pollDelay } from "../../mod.ts";
import type { ProblemType } from "../http/problem.ts";
import type { TaskIds } from "../http/task_ids.ts";
import type { Finished, Running } from "../task/response_schema.ts";
import { elapsedTime } from "../../src/internal/clock.ts";

/** States of a watch. It stays `watching` until its event is delivered. */
export const WATCH_STATES = ["watching", "delivered", "failed", "expired", "cancelled"] as const;
/** State of a watch. */
export type WatchState = typeof WATCH_STATES[number];

/** Type of an event. */
export type EventType = "task.success" | "task.failed" | "task.expired" | "task.unresolved";

/** Reason for which the endpoint itself ended a watch: a change of its settings. */
export type EndReason = "INSTANCE_CHANGED" | "NOT_ALLOWED" | "HOST_REMOVED";

/** A watch as an engine keeps it: plain data. Times are in ms since 1970. */
export interface Watch {
  /** Version of this format. */
  readonly version: typeof STATE_VERSION;
  readonly id: string;
  /** `webhook-id` of the event: random, so that no other watch ever has it. */
  readonly eventId: string;
  /** Instance of the task, in the form of `Credentials.instance`. */
  readonly instance: string;
  readonly ids: TaskIds;
  readonly callbackUrl: string;
  readonly startedAt: number;
  /** Maximum duration in ms. */
  readonly deadline: number;
  readonly state: WatchState;
  /** Set if the state is `failed` because of the settings. */
  readonly reason?: EndReason;
  /** Time of the next poll or delivery. */
  readonly dueAt: number;
  readonly updatedAt: number;
  readonly polls: number;
  /** Number of polls in a row that found no such task, an unknown status or a refusal. */
  readonly consecutiveMisses: number;
  /** Last response about the task. */
  readonly last?: Finished | Running;
  /** The event, once the task or the watch has ended. */
  readonly event?: WatchEnd;
  /** Number of deliveries. */
  readonly attempts: number;
  /** The last request to deliver the event again, and the number of deliveries before it. */
  readonly redelivery?: { readonly at: number; readonly attempts: number };
  /** Status of the last delivery; 0 without a response. */
  readonly lastStatus?: number;
}

/** End of a task, to be delivered. */
export interface WatchEnd {
  readonly type: EventType;
  /** Reason of `task.unresolved`. */
  readonly code?: string;
  readonly endedAt: number;
}

/** Result of a poll. */
export type PollOutcome =
  | { readonly answer: Finished | Running; readonly retryAfter?: number | undefined }
  | { readonly problem: ProblemType; readonly retryAfter?: number | undefined };

/** Result of a delivery. */
export interface DeliveryOutcome {
  /** Status of the response; 0 without a response. */
  readonly status: number;
  /** `Retry-After` of the response, in ms. @default none */
  readonly retryAfter?: number | undefined;
}

/** Time and jitter of a step. */
export interface StepInputs {
  /** Milliseconds since 1970. */
  now: number;
  /** A number in [0, 1). */
  random: number;
}

/** Version of the stored format. */
export const STATE_VERSION = 1;
const MAX_MISSES = 5;
const MAX_DELIVERY_MS = 86_400_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 3_600_000;

/** Code of `task.unresolved` for each problem that counts as a miss. */
const MISS_CODES: { readonly [type in ProblemType]?: string } = {
  "not-found": "TASK_NOT_FOUND",
  "unknown-status": "UNKNOWN_STATUS",
  "upstream-credentials": "UPSTREAM_CREDENTIALS",
};

/** Creates a watch whose first poll is due immediately. */
export function newWatch(
  watch: Pick<Watch, "id" | "instance" | "ids" | "callbackUrl" | "deadline">,
  now: number,
): Watch {
  return {
    version: STATE_VERSION,
    ...watch,
    eventId: crypto.randomUUID(),
    state: "watching",
    polls: 0,
    consecutiveMisses: 0,
    attempts: 0,
    startedAt: now,
    dueAt: now,
    updatedAt: now,
  };
}

/** Returns `true` until the watch has ended. */
export function isActive({ state }: Watch): boolean {
  return state === "watching";
}

/** Returns `true` if a request for the same task and callback returns this watch. */
export function isReusable({ state }: Watch): boolean {
  return state === "watching" || state === "delivered";
}

/** Returns the host of the callback. */
export function hostOf({ callbackUrl }: Watch): string {
  return new URL(callbackUrl).host;
}

/** The queue of watches that are polled next. */
export const POLLS = "";

/** Returns the queue of the next step: {@linkcode POLLS}, or the host of the delivery. */
export function queueOf(watch: Watch): string {
  return watch.event ? hostOf(watch) : POLLS;
}

/** Returns `true` if the watch is open and its next step is a poll. */
export function waitsForPoll(watch: Watch): boolean {
  return isActive(watch) && queueOf(watch) === POLLS;
}

/** Changes of the counters of a host. */
export interface CountChanges {
  readonly open: number;
  readonly delivered: number;
  readonly failed: number;
}

/** Returns how a change of a watch changes the counters of its host. */
export function countChanges(before: Watch | undefined, after: Watch): CountChanges {
  const wasOpen = before !== undefined && isActive(before);
  const hasEnded = wasOpen && !isActive(after);
  const isDelivered = after.state === "delivered" || after.state === "expired";
  return {
    open: Number(isActive(after)) - Number(wasOpen),
    delivered: Number(hasEnded && isDelivered),
    failed: Number(hasEnded && after.state === "failed"),
  };
}

/** Truncates texts to 4 kB: stores keep a character as one byte or as two. */
function truncateTexts<T>(value: T): T {
  if (typeof value === "string") {
    // deno-lint-ignore no-control-regex -- the characters that fit into a byte
    const kept = value.slice(0, /^[\x00-\xff]*$/.test(value) ? 4_000 : 2_000);
    // don't end in half a surrogate pair, which is not valid Unicode
    return (kept === value ? kept : kept.replace(/[\ud800-\udbff]$/, "")) as T & string;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, it]) => [truncateTexts(key), truncateTexts(it)]),
  ) as T;
}

/**
 * Returns the milliseconds until the next poll: the adaptive schedule, with the upper bound max(60 s,
 * deadline / 800) and the lower bound deadline / 40,000, so that no watch takes 850 polls.
 */
export function pollInterval(
  { last, startedAt, deadline }: Pick<Watch, "last" | "startedAt" | "deadline">,
  retryAfter: number | undefined,
  { now, random }: StepInputs,
): number {
  const created = last?.task.info.created;
  // a platform whose clock differs must not make an old watch look young
  const elapsed = Math.max(
    elapsedTime(created ? new Date(created) : null, startedAt, now),
    now - startedAt,
  );
  const share = Math.min(Math.max(0.1 * elapsed, deadline / 40_000), deadline / 800);
  return Math.max(pollDelay({ elapsed, retryAfter, random }), share * (1 + 0.1 * random));
}

/** Returns `true` if half of the interval before the next poll has passed. */
export function isHalfway({ dueAt, updatedAt }: Watch, now: number): boolean {
  return now - updatedAt >= dueAt - now;
}

function endOf(outcome: PollOutcome, misses: number): Omit<WatchEnd, "endedAt"> | undefined {
  if ("answer" in outcome) {
    const { status } = outcome.answer;
    return status === "success" || status === "failed" ? { type: `task.${status}` } : undefined;
  }
  const code = MISS_CODES[outcome.problem];
  return code && misses >= MAX_MISSES ? { type: "task.unresolved", code } : undefined;
}

/** Returns the watch after a poll. */
export function afterPoll(watch: Watch, outcome: PollOutcome, inputs: StepInputs): Watch {
  const { now } = inputs;
  const isMiss = "problem" in outcome && MISS_CODES[outcome.problem] !== undefined;
  const consecutiveMisses = isMiss ? watch.consecutiveMisses + 1 : 0;
  const polled: Watch = {
    ...watch,
    ...("answer" in outcome && { last: truncateTexts(outcome.answer) }),
    polls: watch.polls + 1,
    consecutiveMisses,
    updatedAt: now,
  };
  const deadlineAt = watch.startedAt + watch.deadline;
  const end = endOf(outcome, consecutiveMisses) ??
    (now >= deadlineAt ? { type: "task.expired" as const } : undefined);
  if (end) return { ...polled, event: { ...end, endedAt: now }, dueAt: now };
  const dueAt = now + pollInterval(polled, outcome.retryAfter, inputs);
  return { ...polled, dueAt: Math.min(dueAt, deadlineAt) };
}

/**
 * Returns the watch after a delivery. A 2xx is success, 410 ends the watch. Anything else is retried for
 * 24 hours, not before the `Retry-After` of a 429 or 503.
 */
export function afterDelivery(
  watch: Watch,
  { status, retryAfter = 0 }: DeliveryOutcome,
  { now, random }: StepInputs,
): Watch {
  const attempts = watch.attempts + 1;
  const { redelivery, event } = watch;
  const tried: Watch = { ...watch, attempts, lastStatus: status, updatedAt: now };
  if (status >= 200 && status < 300) {
    return { ...tried, state: event?.type === "task.expired" ? "expired" : "delivered" };
  }
  const end = (redelivery?.at ?? event?.endedAt ?? now) + MAX_DELIVERY_MS;
  if (status === 410 || now >= end) return { ...tried, state: "failed" };
  const failures = attempts - (redelivery?.attempts ?? 0);
  const backoff = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), MAX_RETRY_MS);
  const asked = status === 429 || status === 503 ? retryAfter : 0;
  return { ...tried, dueAt: Math.min(now + Math.max(backoff * (1 + 0.1 * random), asked), end) };
}

/** Reopens a watch that has ended, so that its event is delivered again. */
export function redelivered(watch: Watch, now: number): Watch {
  const redelivery = { at: now, attempts: watch.attempts };
  return { ...watch, state: "watching", redelivery, dueAt: now, updatedAt: now };
}

/** Returns the watch after its cancellation; unchanged if it has ended. */
export function cancelled(watch: Watch, now: number): Watch {
  return isActive(watch) ? { ...watch, state: "cancelled", updatedAt: now } : watch;
}

/** Returns a watch that the endpoint has ended. */
export function ended(watch: Watch, reason: EndReason, now: number): Watch {
  return { ...watch, state: "failed", reason, updatedAt: now };
}
