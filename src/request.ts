/** Requests to the platform. The only file that calls `fetch`: headers, deadline, size cap, errors. */
import { type Credentials, readToken } from "./credentials.ts";
import { DeepintHTTPError, DeepintTimeoutError } from "./errors.ts";
import {
  type Attempt,
  cancelBody,
  failure,
  interpret,
  networkError,
  type ResponseParser,
} from "./response.ts";
import { MAX_WAIT_MS } from "./schedule.ts";
import { kindOf, type TaskInfo } from "./task_info.ts";
import { instanceOrigin } from "./task_url.ts";
import { type Clock, startClock } from "./internal/clock.ts";
import { checkDuration, sleep, withTimeout } from "./internal/deadline.ts";
import { outOfRange } from "./internal/text.ts";
import { checkTrace, traceHeaders } from "./internal/trace.ts";
import { VERSION } from "./internal/version.ts";

/** Bounds of a request. */
export interface RequestOptions {
  /** Signal that ends the operation immediately; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * Milliseconds for the whole operation: token function, attempts and the delays between them.
   *
   * @default 30000
   */
  timeout?: number | undefined;
  /**
   * Milliseconds for one attempt: connection, headers and body.
   *
   * @default 10000
   */
  requestTimeout?: number | undefined;
  /**
   * Maximum number of repeated attempts after transient failures. The delay before the n-th one is
   * `random(0, 500 ms × 2^n)`, or longer if the server asks for it.
   *
   * @default 2
   */
  retries?: number | undefined;
  /**
   * The trace that the requests belong to, sent as headers. Ignored where OpenTelemetry adds headers of
   * its own to `fetch`, as Deno does with `OTEL_DENO=true`.
   *
   * @default none
   */
  trace?: TraceContext | undefined;
}

/** A trace in the form of W3C Trace Context. */
export interface TraceContext {
  /** The header `traceparent`. */
  traceparent: string;
  /** The header `tracestate`. */
  tracestate?: string | undefined;
}

/** The global `fetch`, or a function of the same form. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** The credentials, the organization and the `fetch` of a request. */
export interface Connection {
  credentials: Credentials;
  organizationId: string;
  fetch?: Fetch | undefined;
}

/** A request, and the parser of its response. */
export interface ApiRequest<T> extends ResponseParser<T> {
  /** Path and query, built from checked ids only. */
  path: string;
  /** The clock of the wait that this request is part of, for the error of a timeout. */
  clock?: Clock | undefined;
  /** Returns the last known information of the task, for the error of a timeout. */
  info?: (() => TaskInfo) | undefined;
}

/** A failure after which a later attempt may succeed. */
export type TransientError = DeepintHTTPError | DeepintTimeoutError;

/** Returns `true` if a later attempt may succeed. Such a failure does not end a wait. */
export function isTransient(error: unknown): error is TransientError {
  return (error instanceof DeepintHTTPError || error instanceof DeepintTimeoutError) &&
    error.retryable;
}

/** Codes, and statuses with methods, of the transient failures that `retries` repeats. */
const REPEATABLE = /^(TIMEOUT|NETWORK_ERROR|LIMIT) | (429|50[234]|500 GET)\b/;

let cacheSupport: boolean | undefined;

// frameworks cache `fetch`, and polling would see one response forever; some Workers refuse the option
function isCacheSupported(): boolean {
  try {
    cacheSupport ??= !!new Request("https://localhost", { cache: "no-store" });
  } catch {
    cacheSupport = false;
  }
  return cacheSupport;
}

function isBrowser(): boolean {
  return globalThis.navigator?.userAgent?.startsWith("Mozilla/") ?? false;
}

/** Creates the error for a `fetch` that does not work. */
function fetchError(problem: string): TypeError {
  return new TypeError(`Cannot send a request: ${problem}; check the option fetch`);
}

/** Checks that a custom `fetch` returned a response. */
function checkResponse(response: Partial<Response> | undefined | null): void {
  const { status, headers, text } = response ?? {};
  if (
    typeof status === "number" && typeof headers?.get === "function" && typeof text === "function"
  ) return;
  const wanted = "a Response with status, headers and text()";
  throw fetchError(`fetch returned ${kindOf(response)}, not ${wanted}`);
}

/** Sends the request. A redirect is an error. */
async function fetchResponse(
  { organizationId, fetch = globalThis.fetch }: Connection,
  attempt: Attempt,
): Promise<Response> {
  const { method, url, token, signal, trace } = attempt;
  if (typeof fetch !== "function") {
    throw fetchError(fetch ? "fetch is not a function" : "this runtime has no fetch");
  }
  const headers: Record<string, string> = {
    "accept": "application/json",
    "x-auth-token": token,
    "x-deepint-organization": organizationId,
  };
  // in browsers the header would cause a CORS preflight, or is dropped
  if (!isBrowser()) headers["user-agent"] = `deepint-task/${VERSION}`;
  if (trace) Object.assign(headers, traceHeaders(trace));
  // every runtime forwards the token when it follows a redirect to another origin
  const init: RequestInit = { method, headers, redirect: "manual", signal };
  if (isCacheSupported()) init.cache = "no-store";
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (cause) {
    // the caller has already been rejected; do not create an unhandled rejection
    signal.throwIfAborted();
    const hint = isBrowser() ? " (CORS may not allow the origin of this page)" : "";
    throw networkError(attempt, `no response${hint}`, cause);
  }
  checkResponse(response);
  attempt.response = response;
  const { status } = response;
  // status 0: an opaque redirect, which is how browsers show one that is not followed
  const isRedirect = response.redirected || status === 0 || status >= 300 && status < 400;
  if (isRedirect || signal.aborted) cancelBody(response);
  signal.throwIfAborted();
  if (!isRedirect) return response;
  throw failure(attempt, "REDIRECT", { message: "redirects are never followed" });
}

/** Makes one attempt, and another one after a 401 if there is a new token. It ends when `fetch` does. */
export async function send<T>(
  connection: Connection,
  call: ApiRequest<T>,
  { isRepeated, signal, trace }: Pick<Attempt, "signal" | "trace"> & { isRepeated: boolean },
): Promise<T> {
  const { credentials } = connection;
  const { method, path } = call;
  const url = instanceOrigin(credentials.instance) + path;
  let token = await readToken(credentials);
  for (let isSecond = false;; isSecond = true) {
    signal.throwIfAborted();
    const attempt: Attempt = { method, url, token, signal, trace };
    try {
      const response = await fetchResponse(connection, attempt);
      const { status } = response;
      // 404: an earlier attempt has succeeded
      if (method === "DELETE" && (status === 204 || isRepeated && status === 404)) {
        cancelBody(response);
        return call.parse({ result: "success" });
      }
      return await interpret(call, response, attempt);
    } catch (error) {
      if (isSecond || !(error instanceof DeepintHTTPError) || error.status !== 401) throw error;
      const newToken = await readToken(credentials);
      if (newToken === token) throw error;
      token = newToken;
    }
  }
}

/**
 * Checks the options of a request.
 *
 * @throws {RangeError} when one is out of range
 */
export function checkRequestOptions(
  { timeout = 0, requestTimeout = 0, retries = 0, trace }: RequestOptions,
): void {
  checkDuration("timeout", timeout);
  checkDuration("requestTimeout", requestTimeout);
  if (!Number.isInteger(retries) || retries < 0) {
    throw outOfRange("retries", retries, "an integer, 0 or more");
  }
  if (trace) checkTrace(trace);
}

/**
 * Sends a request, and repeats it after a transient failure while time is left.
 *
 * @throws {DeepintHTTPError} without a response, or it cannot be used
 * @throws {DeepintTimeoutError} when a deadline passes
 * @throws {DeepintCredentialsError} when the token function fails
 * @throws {RangeError} when an option is out of range
 * @throws {TypeError} without a `fetch` function, or it does not return a response
 */
export async function request<T>(
  connection: Connection,
  call: ApiRequest<T>,
  options: RequestOptions,
): Promise<T> {
  const { signal, timeout = 30_000, requestTimeout = 10_000, retries = 2 } = options;
  checkRequestOptions(options);
  signal?.throwIfAborted();
  const clock = startClock(timeout);
  for (let attempt = 0;; attempt++) {
    const remaining = clock.remaining();
    const onTimeout = () => {
      const elapsed = (call.clock ?? clock).elapsedWithSleep();
      const path = call.path.replace(/\?.*/, "");
      throw new DeepintTimeoutError(`${call.method} ${path} took over ${elapsed} ms`, {
        elapsed,
        info: call.info?.(),
        retryable: remaining > requestTimeout,
      });
    };
    try {
      const ms = Math.min(remaining, requestTimeout);
      const work = (signal: AbortSignal) =>
        send(connection, call, { isRepeated: attempt > 0, signal, trace: options.trace });
      return await withTimeout(work, { ms, signal, onTimeout });
    } catch (error) {
      if (attempt >= retries || !isTransient(error) || signal?.aborted) throw error;
      const { code, status } = error as DeepintHTTPError;
      if (!REPEATABLE.test(`${code} ${status} ${call.method}`)) throw error;
      const delay = Math.max(error.retryAfter ?? 0, Math.random() * 500 * 2 ** attempt);
      if (delay > Math.min(clock.remaining(), MAX_WAIT_MS)) throw error;
      await sleep(delay, signal);
    }
  }
}
