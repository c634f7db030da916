/**
 * The one place that calls `fetch`: headers, redirect, deadline, size cap, retry, error
 * mapping.
 */
import { type Credentials, readToken } from "./credentials.ts";
import { type DeepintErrorCode, DeepintHTTPError, DeepintTimeoutError } from "./errors.ts";
import { MAX_WAIT_MS, parseRetryAfter } from "./schedule.ts";
import type { TaskInfo } from "./task_info.ts";
import { instanceOrigin } from "./task_url.ts";
import { outOfRange, sanitizeText } from "./internal/text.ts";
import { parseJsonRedacted, redactCause } from "./internal/redact.ts";
import { checkDuration, sleep, withTimeout } from "./internal/deadline.ts";

/** How a request is bounded. */
export interface RequestOptions {
  /** Ends the operation at once; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * Milliseconds for the whole operation: token, attempts, and the waits between them.
   *
   * @default 30000
   */
  timeout?: number | undefined;
  /**
   * Milliseconds for one attempt: connect, headers and body.
   *
   * @default 10000
   */
  requestTimeout?: number | undefined;
  /**
   * How often a failed attempt is repeated when it may succeed later. Waits between attempts are
   * `random(0, 500 ms × 2^n)`, or longer when the server asks for it.
   *
   * @default 2
   */
  retries?: number | undefined;
}

/** The function that requests go through: the global `fetch`, or one of the same form. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Whom a request goes to, and as whom. */
export interface Connection {
  credentials: Credentials;
  organizationId: string;
  fetch?: Fetch | undefined;
}

/** One request and what to make of its answer. */
export interface ApiRequest<T> {
  method: "GET" | "DELETE";
  /** Path and query, made of checked ids alone. */
  path: string;
  /** Reads the body (undefined when there is none); throws TypeError when it is not as it must be. */
  parse(body: unknown, retryAfter: number | undefined): T;
  /** When the operation began, if before this request (epoch ms): for the error of a timeout. */
  startedAt?: number | undefined;
  /** The task's information as last seen: for the error of a timeout. */
  info?: () => TaskInfo;
}

/** Options of {@linkcode failure}. */
interface FailureOptions extends ErrorOptions {
  code: DeepintErrorCode;
  message: string;
  retryable?: boolean;
  retryAfter?: number | undefined;
}

const MAX_RESPONSE_BYTES = 1_048_576;

/**
 * Makes a request, and repeats it while that may help and the time lasts.
 *
 * @throws {DeepintHTTPError} when there is no answer, or it is not a usable success
 * @throws {DeepintTimeoutError} when a deadline passes
 * @throws {DeepintCredentialsError} when the function that gives the token fails
 * @throws {RangeError} when an option is out of range
 */
export async function request<T>(
  connection: Connection,
  call: ApiRequest<T>,
  options: RequestOptions = {},
): Promise<T> {
  const { signal, timeout = 30_000, requestTimeout = 10_000, retries = 2 } = options;
  checkDuration("timeout", timeout);
  checkDuration("requestTimeout", requestTimeout);
  if (!Number.isInteger(retries) || retries < 0) {
    throw outOfRange("retries", retries, "an integer, 0 or more");
  }
  signal?.throwIfAborted();
  const startedAt = Date.now();
  const remaining = () => timeout - (Date.now() - startedAt);
  for (let attempt = 0;; attempt++) {
    const remainingBefore = remaining();
    try {
      return await withTimeout(
        (signal) => send(connection, call, { isRepeated: attempt > 0, signal }),
        {
          ms: Math.min(remainingBefore, requestTimeout),
          signal,
          onTimeout: () => {
            const elapsed = Date.now() - (call.startedAt ?? startedAt);
            const message = `${call.method} ${
              call.path.replace(/\?.*/, "")
            } took over ${elapsed} ms`;
            throw new DeepintTimeoutError(message, {
              elapsed,
              info: call.info?.(),
              retryable: remainingBefore > requestTimeout,
            });
          },
        },
      );
    } catch (error) {
      if (attempt >= retries || !isTransient(error) || signal?.aborted) throw error;
      const wait = Math.max(error.retryAfter ?? 0, Math.random() * 500 * 2 ** attempt);
      if (wait > Math.min(remaining(), MAX_WAIT_MS)) throw error;
      await sleep(wait, signal);
    }
  }
}

/** Whether a later attempt may succeed where this one failed. */
export function isTransient(error: unknown): error is DeepintHTTPError | DeepintTimeoutError {
  return (error instanceof DeepintHTTPError || error instanceof DeepintTimeoutError) &&
    error.retryable;
}

/** One attempt of a request. */
interface Attempt {
  readonly method: string;
  readonly url: string;
  readonly token: string;
  readonly signal: AbortSignal;
  /** The status of the response; 0 without one. */
  status: number;
}

/** Creates the error of an attempt. */
function failure(
  { method, url, token, status }: Attempt,
  { code, message, cause, retryable = false, retryAfter }: FailureOptions,
): DeepintHTTPError {
  return new DeepintHTTPError(code, message, {
    method,
    url: url.replace(/\?.*/, ""),
    status,
    retryable,
    retryAfter,
    ...redactCause(cause, token),
  });
}

/** Sends the request. A redirect is an error. */
async function fetchResponse(
  { organizationId, fetch = globalThis.fetch }: Connection,
  attempt: Attempt,
): Promise<Response> {
  const { method, url, token, signal } = attempt;
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers: {
        "accept": "application/json",
        "x-auth-token": token,
        "x-deepint-organization": organizationId,
      },
      // every runtime forwards the token when it follows a redirect to another origin
      redirect: "manual",
      signal,
      ...noStore(),
    });
  } catch (cause) {
    // the caller has already been rejected; do not create an unhandled rejection
    signal.throwIfAborted();
    const message = "there was no answer";
    throw failure(attempt, { code: "NETWORK_ERROR", message, retryable: true, cause });
  }
  const { status } = response;
  attempt.status = status;
  // status 0: an opaque redirect, which is how browsers show one that is not followed
  const isRedirect = response.redirected || status === 0 || (status >= 300 && status < 400);
  if (isRedirect || signal.aborted) response.body?.cancel().catch(() => {});
  signal.throwIfAborted();
  if (!isRedirect) return response;
  const message = "the server redirects, which is never followed";
  throw failure(attempt, { code: "REDIRECT", message });
}

/** Reads the body as JSON; `undefined` if it is not JSON, or an error's body cannot be read. */
async function readJson(response: Response, attempt: Attempt): Promise<unknown> {
  let text: string | undefined;
  try {
    text = await readResponseText(response, attempt.signal);
  } catch (cause) {
    // the status of an error says more than its truncated body
    if (!response.ok) return undefined;
    const message = "the body broke off";
    throw failure(attempt, { code: "NETWORK_ERROR", message, retryable: true, cause });
  }
  if (text === undefined && response.ok) {
    const message = `the body is over ${MAX_RESPONSE_BYTES} bytes`;
    throw failure(attempt, { code: "BODY_TOO_LARGE", message });
  }
  return parseJsonRedacted(text, attempt.token);
}

/** Returns what `call` makes of the body, or throws the error that the response stands for. */
function interpret<T>(
  { method, parse }: ApiRequest<T>,
  { ok, status, headers }: Response,
  { attempt, body }: { attempt: Attempt; body: unknown },
): T {
  const retryAfter = parseRetryAfter(headers.get("retry-after"));
  if (!ok || isErrorBody(body, method)) {
    const retryable = [429, 502, 503, 504].includes(status) || status === 500 && method === "GET";
    const error = parseErrorBody(body, status);
    throw failure(attempt, {
      ...error,
      retryable: retryable || error.code === "LIMIT",
      retryAfter,
    });
  }
  try {
    return parse(body, retryAfter);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : "the body is not as it must be";
    throw failure(attempt, { code: "INVALID_RESPONSE", message: sanitizeText(message), cause });
  }
}

async function send<T>(
  connection: Connection,
  call: ApiRequest<T>,
  { isRepeated, signal }: { isRepeated: boolean; signal: AbortSignal },
): Promise<T> {
  const { method, path } = call;
  const token = await readToken(connection.credentials);
  signal.throwIfAborted();
  const url = instanceOrigin(connection.credentials.instance) + path;
  const attempt: Attempt = { method, url, token, signal, status: 0 };
  const response = await fetchResponse(connection, attempt);
  const { status } = response;
  const body = await readJson(response, attempt);
  // 404: an earlier attempt has deleted it
  return method === "DELETE" && (status === 204 || (isRepeated && status === 404))
    ? call.parse({ result: "success" }, undefined)
    : interpret(call, response, { attempt, body });
}

let cacheOption: RequestInit | undefined;

// frameworks cache `fetch`, and a poll would see one answer for ever; some Workers refuse the option
function noStore(): RequestInit {
  if (!cacheOption) {
    const option: RequestInit = { cache: "no-store" };
    try {
      new Request("https://localhost", option);
      cacheOption = option;
    } catch {
      cacheOption = {};
    }
  }
  return cacheOption;
}

/** The body's text, or undefined when it is larger than the limit. */
async function readResponseText(
  response: Response,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { body, headers } = response;
  const length = headers.get("content-length");
  if (Number(length) > MAX_RESPONSE_BYTES) {
    body?.cancel().catch(() => {});
    return undefined;
  }
  // the length is the body's only where the runtime has read it off the wire itself ("basic"; not
  // where a custom fetch made the response, nor across origins, which hide the encoding)
  if (length && response.type === "basic" && !headers.has("content-encoding")) {
    return await response.text();
  }
  if (!body) return "";
  const reader = body.getReader();
  // a custom fetch need not have listened
  signal.addEventListener("abort", () => reader.cancel(signal.reason).catch(() => {}));
  const decoder = new TextDecoder();
  let text = "";
  for (let size = 0;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    size += value.byteLength;
    if (size > MAX_RESPONSE_BYTES) {
      reader.cancel().catch(() => {});
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}

function isErrorBody(body: unknown, method: string): boolean {
  const { result, id, status } = (body ?? {}) as Record<string, unknown>;
  // a task's `result` is an id, which may be any word
  return result === "error" && (method === "DELETE" || (id ?? status ?? null) === null);
}

const CODES: Record<number, DeepintErrorCode> = {
  500: "UNKNOWN_ERROR",
  502: "BAD_GATEWAY",
  504: "TIMEOUT_ERROR",
};

function parseErrorBody(
  body: unknown,
  status: number,
): { code: DeepintErrorCode; message: string } {
  const { code, message } = (body ?? {}) as Record<string, unknown>;
  const ofStatus = status < 300 ? "UNKNOWN_ERROR" : CODES[status] ?? `HTTP_${status}`;
  return {
    code: typeof code === "string" && /^[A-Z0-9_]{1,64}$/.test(code) ? code : ofStatus,
    message: typeof message === "string" && message
      ? sanitizeText(message)
      : `the server answered ${status}`,
  };
}
