// Not hono/secure-headers: +1,095 B for two headers.
/** The only module that creates responses, so that every response has the common headers. */
import type { Context } from "hono";
import type { AppEnv } from "./log.ts";

/** The parts of a response. */
export interface ResponseParts {
  /** HTTP status. */
  status: number;
  /** Text as it is, `null` for an empty body, anything else as JSON. */
  body: unknown;
  /** Additional headers. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** Returns the caller's `X-Request-Id` if it is safe to log, otherwise a new id. */
export function getRequestId(headers: Headers): string {
  const id = headers.get("x-request-id") ?? "";
  return /^[A-Za-z0-9_-]{1,64}$/.test(id) ? id : crypto.randomUUID();
}

function serialize(body: unknown): string | null {
  return body === null || typeof body === "string" ? body : JSON.stringify(body);
}

/** Creates a response. */
export function createResponse(
  requestId: string,
  { status, body, headers }: ResponseParts,
): Response {
  const all: Record<string, string> = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": requestId,
  };
  if (body !== null) all["content-type"] = "application/json";
  return new Response(serialize(body), { status, headers: Object.assign(all, headers) });
}

/** Creates the response to a request. */
export function sendResponse(c: Context<AppEnv>, parts: ResponseParts): Response {
  const { request_id: requestId } = c.get("entry");
  const text = c.req.method === "HEAD" ? serialize(parts.body) : null;
  if (text === null) return createResponse(requestId, parts);
  // Hono drops the body of a response to HEAD, for which servers would announce a length of 0
  const length = { "content-length": String(new TextEncoder().encode(text).length) };
  return createResponse(requestId, {
    ...parts,
    body: text,
    headers: { ...parts.headers, ...length },
  });
}
