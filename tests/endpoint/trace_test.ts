// The trace context of callers: its id in the log, and its headers to the platform.
import { assertEquals } from "@std/assert";
import { IDS, RUNNING, setUp, TASK_PATH } from "../helpers/endpoint.ts";

const ID = "4b".repeat(16);
const TRACEPARENT = `00-${ID}-${"f0".repeat(8)}-01`;

Deno.test("the log has the trace id of a valid traceparent on every route", async () => {
  const { send, bearer, log } = setUp();
  const headers = { traceparent: TRACEPARENT };
  await send("/openapi.json", { headers });
  await send("/none", { headers });
  await bearer(IDS, { headers });
  await bearer({}, { headers });
  assertEquals(log.map(({ trace_id: id }) => id), [ID, ID, ID, ID]);
  await bearer({});
  assertEquals(log.at(-1)?.trace_id, undefined);
});

const INVALID = [
  "",
  ID,
  TRACEPARENT.toUpperCase(),
  `ff${TRACEPARENT.slice(2)}`,
  `00-${"0".repeat(32)}-${"f0".repeat(8)}-01`,
  `00-${ID}-${"0".repeat(16)}-01`,
  `${TRACEPARENT}-more`,
  `${TRACEPARENT}, ${TRACEPARENT}`,
  TRACEPARENT.replace("4b", "4g"),
  TRACEPARENT.slice(0, -1),
  `01${TRACEPARENT.slice(2)}more`,
  `01${TRACEPARENT.slice(2)}-${"m".repeat(60_000)}`,
];

Deno.test("a malformed traceparent is neither logged nor passed on", async () => {
  for (const traceparent of INVALID) {
    const { platform, bearer, log } = setUp();
    await bearer(IDS, { headers: { traceparent, tracestate: "a=1" } });
    const { headers } = platform.requests[0] ?? {};
    assertEquals([headers?.traceparent, headers?.tracestate], [undefined, undefined], traceparent);
    assertEquals(log.at(-1)?.trace_id, undefined, traceparent);
  }
});

Deno.test("the platform gets the caller's traceparent and tracestate", async () => {
  const later = `cc${TRACEPARENT.slice(2)}-what-comes-later`;
  const cases: [traceparent: string, tracestate?: string, passed?: string][] = [
    [TRACEPARENT],
    [
      TRACEPARENT,
      "congo=t61rcWkgMzE, rojo=00f067aa0ba902b7",
      "congo=t61rcWkgMzE, rojo=00f067aa0ba902b7",
    ],
    [TRACEPARENT, "a=\u00e9"],
    [TRACEPARENT, `a=${"1".repeat(511)}`],
    [later, "a=1", "a=1"],
  ];
  for (const [traceparent, tracestate, passed] of cases) {
    const { platform, get, bearer, log } = setUp();
    const headers = { traceparent, ...(tracestate && { tracestate }) };
    await bearer(IDS, { headers });
    await get(TASK_PATH, { headers });
    const sent = platform.requests.map(({ headers }) => [headers.traceparent, headers.tracestate]);
    assertEquals(sent, [[traceparent, passed], [traceparent, passed]]);
    assertEquals(log.map(({ trace_id: id }) => id), [ID, ID]);
  }
  const { platform, bearer } = setUp();
  await bearer(IDS, { headers: { tracestate: "a=1" } });
  assertEquals(platform.requests[0]?.headers.tracestate, undefined, "only with traceparent");
});

Deno.test("a shared poll has the trace of the request that started it", async () => {
  const { platform, bearer, log } = setUp();
  platform.inject(() => Response.json(RUNNING));
  const other = TRACEPARENT.replaceAll("4b", "5c");
  const callers = [TRACEPARENT, other].map((traceparent) =>
    bearer(IDS, { headers: { traceparent } })
  );
  await Promise.all(callers);
  assertEquals(platform.requests.map(({ headers }) => headers.traceparent), [TRACEPARENT]);
  assertEquals(log.map(({ upstream, trace_id: id }) => [upstream, id]), [
    ["fetched", ID],
    ["shared", "5c".repeat(16)],
  ]);
});

Deno.test("the caller's traceparent is only logged if OpenTelemetry adds its own", async () => {
  const api = Symbol.for("opentelemetry.js.api.1"); // where its packages register themselves
  Object.assign(globalThis, { [api]: { version: "1.9.0", propagation: {} } });
  try {
    const { platform, bearer, log } = setUp();
    await bearer(IDS, { headers: { traceparent: TRACEPARENT } });
    assertEquals(platform.requests[0]?.headers.traceparent, undefined);
    assertEquals(log.at(-1)?.trace_id, ID);
  } finally {
    Reflect.deleteProperty(globalThis, api);
  }
});
