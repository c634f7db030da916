// A signed webhook and its headers, for the tests of its verification.
import assert from "node:assert/strict";
import type { webhookVerifier } from "../../functions/auth/webhook.ts";
import { type Endpoint, IDS, isSigned, post, type Settings, setUp, signed } from "./endpoint.ts";

export const utf8 = new TextEncoder();

// The vector that the specification's own libraries are tested with.
export const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
export const ID = "msg_p5jXN8AQM9LWM0D4loKWxJek";
export const TIME = 1614265330;
export const BODY = '{"test": 2432232314}';
export const SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

export const OTHER = "whsec_" + btoa("another secret of 32 bytes, thus");
export const clock = () => TIME * 1000;
export const VECTOR = { id: ID, timestamp: TIME, body: BODY };

/** Returns the three headers, by default those of the vector; `null` removes one. */
export function headersOf(
  { id = ID, timestamp = String(TIME), signature = SIGNATURE }: {
    id?: string | null;
    timestamp?: string | null;
    signature?: string | null;
  } = {},
): Headers {
  const headers = new Headers();
  if (id !== null) headers.set("webhook-id", id);
  if (timestamp !== null) headers.set("webhook-timestamp", timestamp);
  if (signature !== null) headers.set("webhook-signature", signature);
  return headers;
}

export const verdict = (headers: Headers, { secrets = [SECRET], now = clock, body = BODY } = {}) =>
  isSigned(headers, utf8.encode(body), { secrets, now });

/** The parsed headers of a request that has all of them. */
export function signatureOf(verifier: ReturnType<typeof webhookVerifier>, headers: Headers) {
  const parsed = verifier.parse(headers);
  assert(!("problem" in parsed));
  return parsed;
}

/** Time of {@linkcode endpointAt}, in ms and in s since 1970. */
export const NOW = Date.UTC(2026, 0, 1);
export const SECONDS = NOW / 1000;

/** An endpoint at a fixed time, with a running task. */
export function endpointAt(settings: Settings = {}): Endpoint {
  const endpoint = setUp(settings, { now: () => NOW });
  endpoint.platform.add({ id: "t-1", status: "running" });
  return endpoint;
}

/** A signed request for the task, with other headers or another body; an empty header is removed. */
export async function signedRequest(
  changed: Record<string, string> = {},
  sent?: string,
): Promise<RequestInit> {
  const init = await signed(post(IDS), { timestamp: SECONDS });
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(changed)) {
    if (value === "") headers.delete(name);
    else headers.set(name, value);
  }
  return { ...init, headers, ...(sent !== undefined && { body: sent }) };
}
