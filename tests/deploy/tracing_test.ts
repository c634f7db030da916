// One trace from the caller over the endpoint to the platform, with and without Deno's OpenTelemetry, whose
// spans a local OTLP receiver collects.
import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import { IDS, KEY, post, TOKEN } from "../helpers/endpoint.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";
import { listen } from "../helpers/listen.ts";
import { start } from "../helpers/process.ts";

const ID = "4b".repeat(16);
const CALLER_SPAN = "f0".repeat(8);
const TRACEPARENT = `00-${ID}-${CALLER_SPAN}-01`;

const Span = v.object({
  traceId: v.string(),
  spanId: v.string(),
  parentSpanId: v.optional(v.string()),
  kind: v.number(),
});
type Span = v.InferOutput<typeof Span>;

/** The body of an export in OTLP/JSON, as far as the test reads it. */
const Export = v.object({
  resourceSpans: v.array(v.object({ scopeSpans: v.array(v.object({ spans: v.array(Span) })) })),
});

const SERVER_KIND = 2;
const CLIENT_KIND = 3;

/** Starts the server, sends one request with a trace and stops the server, which exports its spans. */
async function callWithTrace(settings: Record<string, string>) {
  const spans: Span[] = [];
  const platform = createFakePlatform({ token: TOKEN });
  platform.add({ id: "t-1", status: "running" });
  await using upstream = listen(platform.fetch);
  await using collector = listen(async (request) => {
    if (new URL(request.url).pathname !== "/v1/traces") return Response.json({});
    const { resourceSpans } = v.parse(Export, await request.json());
    spans.push(...resourceSpans.flatMap((it) => it.scopeSpans).flatMap((it) => it.spans));
    return Response.json({});
  });
  const env = {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: upstream.origin,
    RESOLVE_API_KEYS: KEY,
    HOST: "127.0.0.1",
    PORT: "0",
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.origin,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    ...settings,
  };
  await using server = start(Deno.execPath(), ["task", "start"], env);
  const url = await server.waitForOutput(/"listening":"([^"]+)\/"/);
  const headers = { authorization: `Bearer ${KEY}`, traceparent: TRACEPARENT };
  const response = await fetch(`${url}/resolve`, post(IDS, { headers }));
  assertEquals([response.status, (await response.json()).status], [202, "running"]);
  await server.end("SIGTERM");
  const line = server.output.stdout.split("\n").find((it) => it.includes('"route":"/resolve"'));
  const sent = platform.requests[0]?.headers.traceparent;
  return { sent, traceId: JSON.parse(line ?? "{}").trace_id, spans };
}

Deno.test("without OpenTelemetry, the platform gets the caller's traceparent", async () => {
  const { sent, traceId, spans } = await callWithTrace({});
  assertEquals([sent, traceId, spans], [TRACEPARENT, ID, []]);
});

Deno.test("with OTEL_DENO=true, the spans connect the caller with the platform", async () => {
  const { sent, traceId, spans } = await callWithTrace({ OTEL_DENO: "true" });
  assertEquals(traceId, ID);
  const ofTrace = spans.filter((span) => span.traceId === ID);
  const server = ofTrace.find(({ kind }) => kind === SERVER_KIND);
  const client = ofTrace.find(({ kind }) => kind === CLIENT_KIND);
  assert(server && client, JSON.stringify(spans));
  assertEquals(server.parentSpanId, CALLER_SPAN);
  assertEquals(client.parentSpanId, server.spanId);
  assertEquals(sent, `00-${ID}-${client.spanId}-01`, "one header, Deno's own");
});
