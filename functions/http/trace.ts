/** Trace context of requests (W3C Trace Context). */
import type { TraceContext } from "../../mod.ts";

/** A caller's trace. */
export interface CallerTrace {
  /** Id of the trace, for the log. */
  readonly id: string;
  /** Headers for upstream requests. */
  readonly headers: TraceContext;
}

const TRACEPARENT =
  /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-[!-~]{0,200})?$/;
const VERSION_0_LENGTH = 55;

/** Returns the trace of a caller, or `undefined` if its headers are malformed. */
export function parseTrace(headers: Headers): CallerTrace | undefined {
  const traceparent = headers.get("traceparent") ?? "";
  const [, id] = TRACEPARENT.exec(traceparent) ?? [];
  const isLong = traceparent.length > VERSION_0_LENGTH;
  if (id === undefined || (isLong && traceparent.startsWith("00"))) return undefined;
  const tracestate = headers.get("tracestate") ?? "";
  const isValid = /^[\t -~]{1,512}$/.test(tracestate);
  return { id, headers: { traceparent, ...(isValid && { tracestate }) } };
}
