/** `GET /metrics` in the Prometheus text format. Loaded on demand. */
import type { Counter, Counters } from "./counters.ts";
import type { ResponseParts } from "./response.ts";

/** The part of the watches that has figures. */
export interface MetricsSource {
  /** Reads the figures. @default the engine has none */
  operator?: { metrics(): Promise<readonly string[]> } | undefined;
}

function format(name: string, help: string, counter: Counter, toLabels: (key: string) => string) {
  const samples = [...counter].map(([key, count]) => `${name}{${toLabels(key)}} ${count}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} counter`, ...samples.sort()];
}

function requestLabels(key: string): string {
  const [route, status] = key.split(" ");
  return `route="${route}",status="${status}"`;
}

/** Returns the response with the counters and the figures of the watches. */
export async function metricsParts(
  { requests, polls }: Counters,
  watches: MetricsSource | undefined,
): Promise<ResponseParts> {
  const lines = [
    ...format("deepint_requests_total", "Responses.", requests, requestLabels),
    ...format(
      "deepint_upstream_requests_total",
      "Polls of callers.",
      polls,
      (outcome) => `outcome="${outcome}"`,
    ),
    ...await watches?.operator?.metrics() ?? [],
  ];
  const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
  return { status: 200, body: `${lines.join("\n")}\n`, headers };
}
