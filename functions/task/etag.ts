/** Conditional requests (RFC 9110, 13): a weak entity tag over what a caller sees. */
import type { TaskResponse } from "./response.ts";
import { createResponse } from "../http/response.ts";

/**
 * Replies with an `ETag`, or 304 when the caller has the answer already. `retry_after` does not count: it
 * has jitter, and stands in a header too.
 */
export async function conditionalResponse(
  requestId: string,
  answer: TaskResponse,
  ifNoneMatch = "",
): Promise<Response> {
  const tag = await weakETag({ ...answer.body, retry_after: undefined });
  const headers = { ...answer.headers, "cache-control": "private, no-cache", "etag": tag };
  const known = ifNoneMatch.split(",").map((one) => one.trim());
  const has = known.some((one) => one === "*" || one.replace(/^(W\/)?/, "W/") === tag);
  return has
    ? createResponse(requestId, 304, null, headers)
    : createResponse(requestId, answer.status, answer.body, headers);
}

async function weakETag(seen: unknown): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(seen));
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return `W/"${btoa(String.fromCharCode(...new Uint8Array(digest, 0, 12)))}"`;
}
