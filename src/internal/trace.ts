/** W3C Trace Context: the headers that connect the requests of a trace. */
import type { TraceContext } from "../request.ts";
import { outOfRange } from "./text.ts";

/**
 * Checks the headers of a trace.
 *
 * @throws {RangeError} when one is malformed
 */
export function checkTrace({ traceparent, tracestate = "" }: TraceContext): void {
  if (!/^[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}(-[!-~]*)?$/.test(traceparent)) {
    throw outOfRange("traceparent", traceparent, "a W3C traceparent");
  }
  if (!/^[\t -~]*$/.test(tracestate)) throw outOfRange("tracestate", tracestate, "printable ASCII");
}

/**
 * Returns the headers to send. They are none where OpenTelemetry has a propagator, as under
 * `OTEL_DENO=true`: it adds its own to `fetch`, and two joined values are invalid.
 */
export function traceHeaders(trace: TraceContext | undefined): Record<string, string> {
  const api = Reflect.get(globalThis, Symbol.for("opentelemetry.js.api.1"));
  if (!trace || api?.propagation) return {};
  const { traceparent, tracestate } = trace;
  return { traceparent, ...(tracestate && { tracestate }) };
}
