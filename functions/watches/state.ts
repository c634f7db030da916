/**
 * What becomes of a watch, step by step. Pure: no clock, no request, no store, so that every engine
 * goes through the same states.
 */
import { pollDelay } from "../../mod.ts";
import type { ProblemType } from "../http/problem.ts";
import type { TaskIds } from "../http/task_ids.ts";
import type { Finished, Running } from "../task/response_schema.ts";
import { elapsedTime } from "../../src/internal/clock.ts";

/** How a watch stands. A watch whose event has not been taken yet is still `watching`. */
export type WatchState = "watching" | "delivered" | "failed" | "expired" | "cancelled";

/** What a callback is told. */
export type EventType = "task.success" | "task.failed" | "task.expired" | "task.unresolved";

/** A watch, as an engine keeps it: plain data. Times are in ms since 1970. */
export interface Watch {
  /** Its id, which is the `webhook-id` of its event too. */
  readonly id: string;
  /** The task. */
  readonly ids: TaskIds;
  /** Who is told of its end. */
  readonly callbackUrl: string;
  /** When it began. */
  readonly startedAt: number;
  /** How long it may take, in ms. */
  readonly deadline: number;
  /** How it stands. */
  readonly state: WatchState;
  /** When the next poll or delivery is due. */
  readonly dueAt: number;
  /** When it last changed. */
  readonly updatedAt: number;
  /** How many polls there were. */
  readonly polls: number;
  /** How many polls running found no such task, or an unknown status. */
  readonly consecutiveMisses: number;
  /** What the last poll that got an answer was told. */
  readonly last?: Finished | Running;
  /** What there is to tell, once that is known. */
  readonly event?: WatchEnd;
  /** How many deliveries were tried. */
  readonly attempts: number;
  /** What the last of them was answered: a status, or 0 for no answer. */
  readonly lastStatus?: number;
}

/** What there is to tell. */
export interface WatchEnd {
  /** What kind of end it was. */
  readonly type: EventType;
  /** Why the task could not be followed to its end. */
  readonly code?: string;
  /** When that was found, in ms since 1970. */
  readonly endedAt: number;
}

/** What a poll brought. */
export type PollOutcome =
  | { readonly answer: Finished | Running; readonly retryAfter?: number | undefined }
  | { readonly problem: ProblemType; readonly retryAfter?: number | undefined };

/** When a step happens, and its share of chance. */
export interface StepInputs {
  /** ms since 1970. */
  now: number;
  /** The jitter: a number in [0, 1). */
  random: number;
}

/** No task, or no known status, so many times running: it will not be found any more. */
const MAX_MISSES = 5;

const MAX_DELIVERY_MS = 86_400_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 3_600_000;

/** A new watch, whose first poll is due at once. */
export function newWatch(
  watch: Pick<Watch, "id" | "ids" | "callbackUrl" | "deadline">,
  now: number,
): Watch {
  const unchanged = { state: "watching", polls: 0, consecutiveMisses: 0, attempts: 0 } as const;
  return { ...watch, ...unchanged, startedAt: now, dueAt: now, updatedAt: now };
}

/** Returns `true` until the watch has ended. */
export function isActive({ state }: Watch): boolean {
  return state === "watching";
}

/** Returns `true` if a request for the same task and callback returns this watch. */
export function isReusable({ state }: Watch): boolean {
  return state === "watching" || state === "delivered";
}

/** The queue of watches that are polled next. */
export const POLLS = "";

/** Returns the queue of the next step: {@linkcode POLLS}, or the host of the delivery. */
export function queueOf({ event, callbackUrl }: Watch): string {
  return event ? new URL(callbackUrl).host : POLLS;
}

/** What a poll makes of a watch. */
export function afterPoll(watch: Watch, outcome: PollOutcome, moment: StepInputs): Watch {
  const { now } = moment;
  const problem = "problem" in outcome ? outcome.problem : undefined;
  const missed = problem === "not-found" || problem === "unknown-status";
  const consecutiveMisses = missed ? watch.consecutiveMisses + 1 : 0;
  const polled: Watch = {
    ...watch,
    ...("answer" in outcome && { last: truncateTexts(outcome.answer) }),
    polls: watch.polls + 1,
    consecutiveMisses,
    updatedAt: now,
  };
  const finish = (type: EventType, code?: string): Watch => ({
    ...polled,
    event: { type, ...(code && { code }), endedAt: now },
    dueAt: now,
  });
  if ("answer" in outcome && outcome.answer.status === "success") return finish("task.success");
  if ("answer" in outcome && outcome.answer.status === "failed") return finish("task.failed");
  if (problem === "upstream-credentials") return finish("task.unresolved", "UPSTREAM_CREDENTIALS");
  if (missed && consecutiveMisses >= MAX_MISSES) {
    return finish(
      "task.unresolved",
      problem === "not-found" ? "TASK_NOT_FOUND" : "UNKNOWN_STATUS",
    );
  }
  const deadline = watch.startedAt + watch.deadline;
  if (now >= deadline) return finish("task.expired");
  return {
    ...polled,
    dueAt: Math.min(now + pollInterval(polled, outcome.retryAfter, moment), deadline),
  };
}

/**
 * What a delivery makes of a watch. 410 means that the receiver wants no more; anything else but a
 * 2xx is tried again for 24 hours.
 *
 * @param status of the receiver's answer; 0 for none
 */
export function afterDelivery(watch: Watch, status: number, { now, random }: StepInputs): Watch {
  const attempts = watch.attempts + 1;
  const tried: Watch = { ...watch, attempts, lastStatus: status, updatedAt: now };
  if (status >= 200 && status < 300) {
    return { ...tried, state: watch.event?.type === "task.expired" ? "expired" : "delivered" };
  }
  const end = (watch.event?.endedAt ?? now) + MAX_DELIVERY_MS;
  if (status === 410 || now >= end) return { ...tried, state: "failed" };
  const delay = Math.min(FIRST_RETRY_MS * 2 ** (attempts - 1), MAX_RETRY_MS) * (1 + 0.1 * random);
  return { ...tried, dueAt: Math.min(now + delay, end) };
}

/** A watch that nobody wants any more. */
export function cancelled(watch: Watch, now: number): Watch {
  return isActive(watch) ? { ...watch, state: "cancelled", updatedAt: now } : watch;
}

/**
 * Milliseconds until the next poll: the adaptive schedule, which for a deadline of over half a day
 * goes on to a longer interval, at most the 800th part of the deadline, and for a very long one begins
 * with a longer interval, so that no watch takes 850 polls.
 */
export function pollInterval(
  { last, startedAt, deadline }: Pick<Watch, "last" | "startedAt" | "deadline">,
  retryAfter: number | undefined,
  { now, random }: StepInputs,
): number {
  const created = last?.task.info.created;
  // a clock that differs must not make an old watch look like a young one
  const elapsed = Math.max(
    elapsedTime(created ? new Date(created) : null, startedAt, now),
    now - startedAt,
  );
  const share = Math.min(Math.max(0.1 * elapsed, deadline / 40_000), deadline / 800);
  return Math.max(pollDelay({ elapsed, retryAfter, random }), share * (1 + 0.1 * random));
}

/** An answer whose texts are cut to 4 kB each, as some stores keep them: in bytes, or two a character. */
function truncateTexts<T>(value: T): T {
  if (typeof value === "string") {
    // deno-lint-ignore no-control-regex -- the characters that a byte can hold
    const kept = value.slice(0, /^[\x00-\xff]*$/.test(value) ? 4_000 : 2_000);
    // half a character at the end is none that a receiver could keep
    return (kept === value ? kept : kept.replace(/[\ud800-\udbff]$/, "")) as T & string;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, it]) => [truncateTexts(key), truncateTexts(it)]),
  ) as T;
}
