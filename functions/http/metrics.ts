/** `GET /metrics` in the Prometheus text format. Loaded on demand. */
import type { Counter, Counters } from "./counters.ts";
import type { ResponseParts } from "./response.ts";

function format(name: string, help: string, counter: Counter, toLabels: (key: string) => string) {
  const samples = [...counter].map(([key, count]) => `${name}{${toLabels(key)}} ${count}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} counter`, ...samples.sort()];
}

function requestLabels(key: string): string {
  const [route, status] = key.split(" ");
  return `route="${route}",status="${status}"`;
}

/** Returns the response with the counters and more lines of the same format. */
export function metricsParts(
  { requests, polls }: Counters,
  more: readonly string[],
): ResponseParts {
  const lines = [
    ...format("deepint_requests_total", "Responses.", requests, requestLabels),
    ...format(
      "deepint_upstream_requests_total",
      "Polls of callers.",
      polls,
      (outcome) => `outcome="${outcome}"`,
    ),
    ...more,
  ];
  const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
  return { status: 200, body: `${lines.join("\n")}\n`, headers };
}
