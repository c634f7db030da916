/**
 * Receives the events of durable watches: verifies that a request was signed with your secret, and
 * returns its event. Uses web standards only and has no dependencies.
 *
 * ```ts
 * import { DeepintWebhookError, verifyEvent } from "@deepint/task/webhook";
 *
 * async function receive(request: Request, secret: string): Promise<Response> {
 *   try {
 *     const event = await verifyEvent(request, secret);
 *     console.log(event.type, event.data.task.info.id); // task.success t-1
 *     return new Response(null, { status: 204 });
 *   } catch (error) {
 *     if (error instanceof DeepintWebhookError) return new Response(error.code, { status: 400 });
 *     throw error;
 *   }
 * }
 * ```
 *
 * @module
 */
import { DeepintBaseError } from "./errors.ts";
import type { TaskDict, TaskResult } from "./task_options.ts";
import { lazyKeys, parseSignatureHeaders, verifySignature } from "./internal/standard_webhooks.ts";
import { splitSecrets } from "./internal/webhook_secret.ts";

/**
 * Code of a {@linkcode DeepintWebhookError}:
 *
 * - `MISSING_HEADERS`: a header of the signature is missing or too long
 * - `TIMESTAMP_OUT_OF_RANGE`: the timestamp is malformed, or too far from the clock
 * - `SIGNATURE_MISMATCH`: no signature was made with one of the secrets over this body
 * - `INVALID_SECRET`: one of your secrets is malformed, or there is none
 * - `INVALID_EVENT`: the request is verified, but its body is not an event of a watch
 */
export type WebhookErrorCode =
  | "MISSING_HEADERS"
  | "TIMESTAMP_OUT_OF_RANGE"
  | "SIGNATURE_MISMATCH"
  | "INVALID_SECRET"
  | "INVALID_EVENT";

/** Thrown when a request is not a verified event. Its message contains no secret and no signature. */
export class DeepintWebhookError extends DeepintBaseError {
  /** `"DeepintWebhookError"`. */
  override get name(): string {
    return "DeepintWebhookError";
  }
  /** The code, for programs to branch on. */
  declare readonly code: WebhookErrorCode;
}

/** Links of an event. */
export interface WatchEventLinks {
  /** The status page of the task: an absolute path, or a URL if the endpoint has a public one. */
  status?: string;
  /** The web address of the result. */
  result?: string;
}

/** Members that the data of every event has. */
export interface WatchEventData {
  /** The task as it was last seen; `Task.fromDict` reads it. */
  task: TaskDict;
  /** Links to the status page and to the result. */
  links?: WatchEventLinks;
}

/** Members that every event has. */
export interface WatchEventBase {
  /** Time of the event, ISO 8601 in UTC. */
  timestamp: string;
}

/** The task succeeded. */
export interface TaskSuccessEvent extends WatchEventBase {
  /** Type of the event. */
  type: "task.success";
  /** The task and its result by its type; `{}` if it has none. */
  data: WatchEventData & { status: "success"; result: TaskResult };
}

/** The task failed. Its `info` has the error. */
export interface TaskFailedEvent extends WatchEventBase {
  /** Type of the event. */
  type: "task.failed";
  /** The task. Its result is `{}`. */
  data: WatchEventData & { status: "failed"; result: TaskResult };
}

/** The deadline of the watch passed before the task ended. */
export interface TaskExpiredEvent extends WatchEventBase {
  /** Type of the event. */
  type: "task.expired";
  /** The task and its last known status. */
  data: WatchEventData & { status: "pending" | "running" | "unknown" };
}

/** The endpoint cannot follow the task. */
export interface TaskUnresolvedEvent extends WatchEventBase {
  /** Type of the event. */
  type: "task.unresolved";
  /** The task, its last known status and the reason. */
  data: WatchEventData & {
    status: "pending" | "running" | "unknown";
    code: "UPSTREAM_CREDENTIALS" | "TASK_NOT_FOUND" | "UNKNOWN_STATUS";
  };
}

/** An event of a durable watch. Its `type` tells the four kinds apart. */
export type WatchEvent =
  | TaskSuccessEvent
  | TaskFailedEvent
  | TaskExpiredEvent
  | TaskUnresolvedEvent;

/** A received request, for frameworks without `Request`. */
export interface ReceivedRequest {
  /** The headers. Names of a plain object may be in any case. */
  headers: Pick<Headers, "get"> | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body exactly as received, not parsed. */
  body: string | Uint8Array;
}

/** Options of {@linkcode verifyEvent}. */
export interface VerifyEventOptions {
  /**
   * Maximum difference between the timestamp of the signature and the clock, in seconds.
   *
   * @default 300
   */
  tolerance?: number | undefined;
}

function refuse(code: WebhookErrorCode, problem: string): DeepintWebhookError {
  return new DeepintWebhookError(code, `Cannot verify the event: ${problem}`);
}

function readHeaders(headers: ReceivedRequest["headers"]): Pick<Headers, "get"> {
  if (typeof headers.get === "function") return headers as Pick<Headers, "get">;
  const entries = Object.entries(headers);
  return {
    get(name) {
      const [, value = null] = entries.find(([key]) => key.toLowerCase() === name) ?? [];
      return value && [value].flat().join(" ");
    },
  };
}

async function readBody(request: Request | ReceivedRequest): Promise<Uint8Array> {
  if ("arrayBuffer" in request) return new Uint8Array(await request.arrayBuffer());
  const { body } = request;
  if (typeof body === "string") return new TextEncoder().encode(body);
  if (ArrayBuffer.isView(body)) return body;
  throw new TypeError(
    "Cannot verify the event: body must be text or bytes, not parsed",
  );
}

/** Parses an event and checks every member that its type declares. */
function parseEvent(body: Uint8Array): WatchEvent {
  try {
    const event = JSON.parse(new TextDecoder().decode(body));
    const { type, timestamp, data: { status, result, code, task } } = event;
    const texts = [timestamp, task.organization_id, task.workspace_id, task.info.id];
    if (type === "task.unresolved") texts.push(code);
    const isKnown = result === Object(result)
      ? /^task\.(success|failed) \1$/.test(`${type} ${status}`)
      : /^task\.(expired|unresolved) (pending|running|unknown)$/.test(`${type} ${status}`);
    if (isKnown && texts.every((text) => typeof text === "string")) return event;
  } catch {
    // not JSON, or a member is missing
  }
  throw refuse("INVALID_EVENT", "the body is not an event of a watch");
}

/**
 * Verifies that a request is an event of a durable watch, and returns the event. An event can arrive more
 * than once, always with the same `webhook-id` header.
 *
 * @param request a `Request` whose body has not been read, or the received headers and body
 * @param secrets the secret of your host in `RESOLVE_CALLBACK_HOSTS`; several, also comma-separated, for
 * rotation
 * @throws {DeepintWebhookError} when the request cannot be verified, or is not an event
 * @throws {TypeError} when the body is parsed or has been read
 * @throws {RangeError} when `tolerance` is negative or not a number
 *
 * @example
 * ```ts
 * import { verifyEvent } from "@deepint/task/webhook";
 *
 * async function receive(request: Request, secret: string): Promise<void> {
 *   const event = await verifyEvent(request, secret);
 *   if (event.type === "task.success") console.log(event.data.result); // { source: "s-1" }
 * }
 * ```
 */
export async function verifyEvent(
  request: Request | ReceivedRequest,
  secrets: string | readonly string[],
  { tolerance }: VerifyEventOptions = {},
): Promise<WatchEvent> {
  if (tolerance !== undefined && !(tolerance >= 0)) {
    throw new RangeError(`Cannot use tolerance ${tolerance}: it must be 0 or more`);
  }
  let importKeys;
  try {
    importKeys = lazyKeys(splitSecrets([secrets].flat().join())); // no secret is an empty one
  } catch (error) {
    throw new DeepintWebhookError("INVALID_SECRET", (error as Error).message);
  }
  const headers = readHeaders(request.headers);
  const signature = parseSignatureHeaders(headers, { now: Date.now(), tolerance });
  if ("problem" in signature) throw refuse(signature.code, signature.problem);
  const body = await readBody(request);
  if (await verifySignature(signature, body, await importKeys())) return parseEvent(body);
  throw refuse("SIGNATURE_MISMATCH", "no signature matches the body and a secret");
}
