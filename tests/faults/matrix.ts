/**
 * The ways in which a platform can fail a client. Where a response can say something wrong, it echoes the
 * token, or contains a task that has ended.
 */
import type { ProblemType } from "../../functions/http/problem.ts";
import {
  bomb,
  chunk,
  ended,
  type FaultRequest,
  half,
  head,
  HTML,
  JSON_TYPE,
  MEGABYTE,
  notServed,
  nulls,
  pour,
  reply,
  type Socket,
  type Text,
  trickle,
} from "./responses.ts";

/** Result of `load({ retries: 0 })`. */
export type ClientOutcome = "success" | {
  code: string;
  /** The status of the answer; undefined for the error of a timeout, which has none. */
  status?: number;
  retryable: boolean;
  /** Seconds, give or take one. */
  retryAfter?: number;
};

/** Result of `POST /resolve`: a problem, or a status without one. */
export type EndpointOutcome = 202 | ProblemType;

/** One way to fail, with its documented outcomes. */
export interface Fault {
  readonly name: string;
  /** The task's id that asks the server for it. */
  readonly id: string;
  readonly client: ClientOutcome;
  readonly endpoint: EndpointOutcome;
  /** Fails a request: what it returns is sent, then the server's side of the connection is closed. */
  readonly answer: (socket: Socket, request: FaultRequest) => Text | Promise<Text>;
}

const unusable = { code: "INVALID_RESPONSE", status: 200, retryable: false };
const notJson = { ...unusable, retryable: true };
const tooLarge = { code: "BODY_TOO_LARGE", status: 200, retryable: false };
const brokenOff = { code: "NETWORK_ERROR", status: 200, retryable: true };
const noAnswer = { code: "NETWORK_ERROR", status: 0, retryable: true };
const late = { code: "TIMEOUT", retryable: true };
const limited = { code: "HTTP_429", status: 429, retryable: true };

function status(code: string, status: number, retryable = false): ClientOutcome {
  return { code, status, retryable };
}

function fault(
  name: string,
  client: ClientOutcome,
  endpoint: EndpointOutcome,
  answer: Fault["answer"],
): Fault {
  return { name, id: name.replaceAll(/[^A-Za-z0-9]+/g, "-"), client, endpoint, answer };
}

/** A JSON body with 200 that does not describe a task. */
function body(
  name: string,
  client: ClientOutcome,
  make: (request: FaultRequest) => unknown,
): Fault {
  return fault(
    name,
    client,
    "upstream-unavailable",
    (_, request) => reply(200, JSON.stringify(make(request))),
  );
}

/** A status that is an error, with a body as the platform sends it. */
function refusal(code: number, name: string, endpoint: EndpointOutcome, retryable = false): Fault {
  return fault(
    String(code),
    status(name, code, retryable),
    endpoint,
    (_, { token }) => reply(code, JSON.stringify({ message: `no, ${token}` })),
  );
}

function limit(
  name: string,
  retryAfter: number | undefined,
  header?: (request: FaultRequest) => string,
): Fault {
  const client = retryAfter === undefined ? limited : { ...limited, retryAfter };
  return fault(
    name,
    client,
    "rate-limited",
    (_, request) => reply(429, "{}", header && { "retry-after": header(request) }),
  );
}

/** Every way to fail: the cases of the fault matrix. */
export const FAULTS: readonly Fault[] = [
  fault("connection refused", noAnswer, "upstream-unavailable", notServed),
  fault("connection closed without a response", noAnswer, "upstream-unavailable", () => ""),
  fault("connection reset", noAnswer, "upstream-unavailable", (socket) => {
    socket.reset();
    return undefined;
  }),
  fault("no response headers", late, "upstream-timeout", async (socket) => {
    await socket.left;
    return undefined;
  }),
  fault(
    "headers, then half a body that never ends",
    late,
    "upstream-timeout",
    async (socket, request) => {
      await socket.send(head(200, { ...JSON_TYPE, "content-length": "1000" }) + half(request));
      await socket.left;
      return undefined;
    },
  ),
  fault("one byte at a time", late, "upstream-timeout", trickle),
  fault(
    "body shorter than its length",
    brokenOff,
    "upstream-unavailable",
    (_, request) => head(200, { ...JSON_TYPE, "content-length": "1000" }) + ended(request),
  ),
  fault(
    "chunked body that breaks off",
    brokenOff,
    "upstream-unavailable",
    (_, request) =>
      head(200, { ...JSON_TYPE, "transfer-encoding": "chunked" }) + chunk(ended(request)),
  ),
  fault(
    "half of a JSON body",
    notJson,
    "upstream-unavailable",
    (_, request) => reply(200, half(request)),
  ),
  fault(
    "HTML with 200",
    notJson,
    "upstream-unavailable",
    (_, { token }) => reply(200, `<html><title>Sign in, ${token}</title></html>`, HTML),
  ),
  fault(
    "HTML with 502",
    status("BAD_GATEWAY", 502, true),
    "upstream-unavailable",
    (_, { token }) => reply(502, `<html><h1>Bad gateway for ${token}</h1></html>`, HTML),
  ),
  fault(
    "204 without a body",
    { ...notJson, status: 204 },
    "upstream-unavailable",
    () => head(204, {}),
  ),
  fault("200 with an empty body", notJson, "upstream-unavailable", () => reply(200, "")),
  ...[301, 302, 303, 307, 308].map((code) =>
    fault(
      `${code} to another path`,
      status("REDIRECT", code),
      "upstream-unavailable",
      (_, request) =>
        reply(code, ended(request), { location: `/elsewhere?token=${request.token}` }),
    )
  ),
  fault(
    "304 to an unconditional request",
    status("REDIRECT", 304),
    "upstream-unavailable",
    () => head(304, {}),
  ),
  refusal(401, "HTTP_401", "upstream-credentials"),
  refusal(402, "HTTP_402", "upstream-credentials"),
  refusal(403, "HTTP_403", "upstream-credentials"),
  refusal(404, "HTTP_404", "not-found"),
  refusal(408, "HTTP_408", "upstream-unavailable", true),
  refusal(425, "HTTP_425", "upstream-unavailable", true),
  limit("429 without Retry-After", undefined),
  limit("429 with Retry-After in seconds", 30, () => "30"),
  limit("429 with Retry-After as a date", 60, () => new Date(Date.now() + 60_500).toUTCString()),
  limit("429 with a negative Retry-After", undefined, () => "-30"),
  limit("429 with a Retry-After of 1e9", 1e9, () => "1000000000"),
  limit("429 with an unreadable Retry-After", undefined, ({ token }) => `soon, ${token}`),
  refusal(500, "UNKNOWN_ERROR", "upstream-unavailable", true),
  refusal(502, "BAD_GATEWAY", "upstream-unavailable", true),
  refusal(503, "HTTP_503", "upstream-unavailable", true),
  refusal(504, "TIMEOUT_ERROR", "upstream-unavailable", true),
  refusal(501, "HTTP_501", "upstream-unavailable"),
  refusal(524, "HTTP_524", "upstream-unavailable", true),
  fault(
    "50 MB body with a content-length",
    tooLarge,
    "upstream-unavailable",
    (socket, request) => pour(socket, request, { "content-length": String(50 * MEGABYTE) }),
  ),
  fault(
    "50 MB body in chunks",
    tooLarge,
    "upstream-unavailable",
    (socket, request) => pour(socket, request, { "transfer-encoding": "chunked" }),
  ),
  fault(
    "50 MB body in chunks that says it has 5 B",
    tooLarge,
    "upstream-unavailable",
    (socket, request) =>
      pour(socket, request, { "content-length": "5", "transfer-encoding": "chunked" }),
  ),
  fault("100 MB gzip bomb", tooLarge, "upstream-unavailable", async (socket) => {
    const bytes = await bomb();
    const length = String(bytes.length);
    await socket.send(
      head(200, { ...JSON_TYPE, "content-encoding": "gzip", "content-length": length }),
    );
    await socket.send(bytes);
    return "";
  }),
  body("another task's id", unusable, ({ token }) => ({ id: token, status: "success" })),
  body("fields of the wrong types", unusable, ({ id, token }) => ({
    id,
    status: "success",
    name: [token],
    progress: {},
  })),
  body("null in every field", unusable, () => nulls()),
  fault(
    "null in every field but id and status",
    "success",
    202,
    (_, { id }) => reply(200, JSON.stringify({ ...nulls(), id, status: "running" })),
  ),
  body("null", unusable, () => null),
  body("an empty array", unusable, () => []),
];
