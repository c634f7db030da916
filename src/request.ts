/**
 * The one place that calls `fetch`: headers, redirect, deadline, size cap, retry, error
 * mapping.
 */
import { type Credentials, readToken } from "./credentials.ts";
import {
  type DeepintErrorCode,
  DeepintHTTPError,
  DeepintTimeoutError,
  type HTTPErrorOptions,
} from "./errors.ts";
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
  started?: number | undefined;
  /** The task's information as last seen: for the error of a timeout. */
  info?: () => TaskInfo;
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
  const begun = Date.now();
  const remaining = () => timeout - (Date.now() - begun);
  for (let attempt = 0;; attempt++) {
    const remainingBefore = remaining();
    try {
      return await withTimeout((signal) => send(connection, call, attempt, signal), {
        ms: Math.min(remainingBefore, requestTimeout),
        signal,
        onTimeout: () => {
          const elapsed = Date.now() - (call.started ?? begun);
          const message = `${call.method} ${call.path.replace(/\?.*/, "")} took over ${elapsed} ms`;
          throw new DeepintTimeoutError(message, {
            elapsed,
            info: call.info?.(),
            retryable: remainingBefore > requestTimeout,
          });
        },
      });
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

async function send<T>(
  { credentials, organizationId, fetch = globalThis.fetch }: Connection,
  { method, path, parse }: ApiRequest<T>,
  attempt: number,
  signal: AbortSignal,
): Promise<T> {
  const token = await readToken(credentials);
  signal.throwIfAborted();
  const url = instanceOrigin(credentials.instance) + path;
  let response: Response | undefined;
  const fail = (
    code: DeepintErrorCode,
    message: string,
    { cause, retryable = false, retryAfter }: Partial<HTTPErrorOptions> = {},
  ) =>
    new DeepintHTTPError(code, message, {
      method,
      url: url.replace(/\?.*/, ""),
      status: response?.status ?? 0,
      retryable,
      retryAfter,
      ...redactCause(cause, token),
    });

  let body: unknown;
  try {
    response = await fetch(url, {
      method,
      headers: {
        "accept": "application/json",
        "x-auth-token": token,
        "x-deepint-organization": organizationId,
      },
      // no runtime takes the token out when it follows a redirect to another origin
      redirect: "manual",
      signal,
      ...noStore(),
    });
  } catch (cause) {
    signal.throwIfAborted(); // the outcome is settled: no error that nobody sees
    throw fail("NETWORK_ERROR", "there was no answer", { retryable: true, cause });
  }
  const { status } = response;
  // status 0: how a browser shows a redirect that it was told not to follow
  const redirects = response.redirected || status === 0 || (status >= 300 && status < 400);
  if (redirects || signal.aborted) response.body?.cancel().catch(() => {});
  signal.throwIfAborted();
  if (redirects) {
    throw fail("REDIRECT", "the server redirects, which is never followed");
  }
  const retryAfter = parseRetryAfter(response.headers.get("retry-after"));
  try {
    const text = await readText(response, signal);
    if (text === undefined && response.ok) {
      throw fail("BODY_TOO_LARGE", `the body is over ${MAX_RESPONSE_BYTES} bytes`);
    }
    body = parseJsonRedacted(text, token);
  } catch (cause) {
    if (cause instanceof DeepintHTTPError) throw cause;
    // a status that is an error says more than the cut body behind it
    if (response.ok) {
      throw fail("NETWORK_ERROR", "the body broke off", { retryable: true, cause });
    }
  }

  if (method === "DELETE" && (status === 204 || (attempt > 0 && status === 404))) {
    body = { result: "success" }; // 404: an attempt before this one has deleted it
  } else if (!response.ok || isErrorBody(body, method)) {
    const { code, message } = parseErrorBody(body, status);
    const retryable = code === "LIMIT" || [429, 502, 503, 504].includes(status) ||
      status === 500 && method === "GET";
    throw fail(code, message, { retryable, retryAfter });
  }
  try {
    return parse(body, retryAfter);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : "the body is not as it must be";
    throw fail("INVALID_RESPONSE", sanitizeText(message), { cause });
  }
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
async function readText(response: Response, signal: AbortSignal): Promise<string | undefined> {
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
