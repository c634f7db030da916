/** Reads a response of the platform: size cap, JSON, error mapping. */
import { type DeepintErrorCode, DeepintHTTPError } from "./errors.ts";
import type { TraceContext } from "./request.ts";
import { parseRetryAfter } from "./internal/retry_after.ts";
import { parseJsonRedacted } from "./internal/json.ts";
import { redactCause } from "./internal/redact.ts";
import { sanitizeText } from "./internal/text.ts";

/** One attempt of a request. */
export interface Attempt {
  readonly method: string;
  readonly url: string;
  readonly token: string;
  readonly signal: AbortSignal;
  readonly trace?: TraceContext | undefined;
  response?: Response;
}

/** Options of {@linkcode failure}. */
interface FailureOptions extends ErrorOptions {
  message: string;
  retryable?: boolean | undefined;
  retryAfter?: number | undefined;
}

/** The error of a body that is not as expected; `retryable` if a later one may be. */
export interface ParseError extends TypeError {
  retryable?: boolean;
}

/** The method of a request, and the parser of its response. */
export interface ResponseParser<T> {
  method: "GET" | "DELETE";
  /** Reads the JSON body; throws a {@linkcode ParseError} if it has the wrong shape. */
  parse(body: unknown, retryAfter?: number, requestId?: string | null): T;
}

const MAX_RESPONSE_BYTES = 1_048_576;
const CODES: Record<number, DeepintErrorCode> = {
  500: "UNKNOWN_ERROR",
  502: "BAD_GATEWAY",
  504: "TIMEOUT_ERROR",
};

/** Creates the error of an attempt. */
export function failure(
  { method, url, token, response }: Attempt,
  code: DeepintErrorCode,
  { message, retryable = false, retryAfter, ...errorOptions }: FailureOptions,
): DeepintHTTPError {
  const requestId = response?.headers.get("x-request-id") ?? "";
  return new DeepintHTTPError(code, message, {
    method,
    url: url.replace(/\?.*/, ""),
    status: response?.status ?? 0,
    retryable,
    retryAfter,
    requestId: requestId.includes(token) ? "" : sanitizeText(requestId),
    ...errorOptions,
  });
}

/** Creates the error of a connection that failed, with the reason that the runtime gives. */
export function networkError(attempt: Attempt, problem: string, error: unknown): DeepintHTTPError {
  const { reason, ...options } = redactCause(error, attempt.token);
  const message = `${problem}${reason && ": "}${reason}`;
  return failure(attempt, "NETWORK_ERROR", { message, retryable: true, ...options });
}

/** Cancels an unread body. The body of a polyfill may be missing, or a stream of another kind. */
export function cancelBody({ body }: Response): void {
  if (typeof body?.cancel === "function") body.cancel().catch(() => {});
}

/** Reads the body's text; `undefined` if it is larger than the cap. */
async function readResponseText(
  response: Response,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { headers } = response;
  const length = headers.get("content-length") ?? "";
  if (Number(length) > MAX_RESPONSE_BYTES) {
    cancelBody(response);
    return undefined;
  }
  // Trust the length only if the runtime itself received the body: its type is "basic", or under Bun
  // "default" with a URL. A custom fetch may state any length, and another origin hides the encoding.
  const { type, url } = response;
  const isFromWire = type === "basic" || type === "default" && url !== "";
  const isLengthKnown = isFromWire && /^\d+$/.test(length) &&
    !headers.has("content-encoding") && !headers.has("transfer-encoding");
  // read late: some implementations create the stream on access
  const body = isLengthKnown ? undefined : response.body;
  if (typeof body?.getReader !== "function") {
    const text = await response.text();
    const isTooLarge = text.length > MAX_RESPONSE_BYTES / 3 &&
      new TextEncoder().encode(text).length > MAX_RESPONSE_BYTES;
    return isTooLarge ? undefined : text;
  }
  const reader = body.getReader();
  // a custom fetch may ignore the signal
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

/** Describes a body that is not JSON, without quoting it. */
function describeBody(text: string | undefined, { response, token }: Attempt): string {
  const header = response?.headers.get("content-type") ?? "";
  const [type] = /^[\w.+-]{1,60}\/[\w.+-]{1,60}/.exec(header) ?? [];
  const isNamed = type && text && !/json/i.test(type) && !type.includes(token);
  return `received ${isNamed ? type : text ? "malformed text" : "an empty body"}, not JSON`;
}

function isSuccessful({ status }: Response): boolean {
  return status >= 200 && status < 300;
}

/** Reads the body as JSON; `undefined` for an error response whose body is not JSON. */
async function readJson(response: Response, attempt: Attempt): Promise<unknown> {
  const isSuccess = isSuccessful(response);
  let text: string | undefined;
  try {
    text = await readResponseText(response, attempt.signal);
  } catch (cause) {
    attempt.signal.throwIfAborted();
    // the status of an error says more than its truncated body
    if (!isSuccess) return undefined;
    throw networkError(attempt, "the body broke off", cause);
  }
  if (text === undefined && isSuccess) {
    const message = `the body is over ${MAX_RESPONSE_BYTES} bytes`;
    throw failure(attempt, "BODY_TOO_LARGE", { message });
  }
  const body = parseJsonRedacted(text, attempt.token);
  if (body !== undefined || !isSuccess) return body;
  // something in front of the platform has responded
  const message = describeBody(text, attempt);
  throw failure(attempt, "INVALID_RESPONSE", { message, retryable: true });
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function isErrorBody(body: unknown, method: string): boolean {
  const { result, code, id, status } = Object(body) as Record<string, unknown>;
  // a task's `result` is an id, which may be any word
  return (result === "error" || code === "LIMIT") &&
    (method === "DELETE" || (id ?? status ?? null) === null);
}

/** Returns `true` for the status or the error code of a transient failure. */
function isPassing(status: number, code: DeepintErrorCode): boolean {
  return code === "LIMIT" || [408, 425, 429].includes(status) ||
    status >= 500 && ![501, 505].includes(status);
}

/** Reads and parses the body of a success; throws the error of any other response. */
export async function interpret<T>(
  { method, parse }: ResponseParser<T>,
  response: Response,
  attempt: Attempt,
): Promise<T> {
  const { status, headers } = response;
  const body = await readJson(response, attempt);
  const date = headers.get("date");
  const retryAfter = parseRetryAfter(headers.get("retry-after"), { date });
  if (!isSuccessful(response) || isErrorBody(body, method)) {
    const given = Object(body) as Record<string, unknown>;
    const defaultCode = status < 300 ? "UNKNOWN_ERROR" : CODES[status] ?? `HTTP_${status}`;
    const code = /^[A-Z0-9_]{1,64}$/.test(textOf(given.code)) ? textOf(given.code) : defaultCode;
    const message = sanitizeText(textOf(given.message)) ||
      `the server responded with status ${status}`;
    throw failure(attempt, code, { message, retryable: isPassing(status, code), retryAfter });
  }
  try {
    return parse(body, retryAfter, headers.get("x-request-id"));
  } catch (cause) {
    const { message, retryable } = cause as ParseError;
    const options = { message: sanitizeText(message), retryable, retryAfter, cause };
    throw failure(attempt, "INVALID_RESPONSE", options);
  }
}
