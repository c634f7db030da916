/** The one place that makes answers, so that none lacks the headers that all carry. */

/** The id of a request: the caller's own where it is fit for a log, else a new one. */
export function getRequestId(headers: Headers): string {
  const given = headers.get("x-request-id") ?? "";
  return /^[A-Za-z0-9_-]{1,64}$/.test(given) ? given : crypto.randomUUID();
}

/** Makes an answer: text as it is, anything else as JSON, null as no body. */
export function createResponse(
  requestId: string,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(body === null || typeof body === "string" ? body : JSON.stringify(body), {
    status,
    headers: {
      ...(body !== null && { "content-type": "application/json" }),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-request-id": requestId,
      ...headers,
    },
  });
}
