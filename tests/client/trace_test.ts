// The option `trace`: the headers that each request carries.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Credentials, type RequestOptions, resolveAll, Task } from "../../mod.ts";
import { taskWith, TOKEN } from "../helpers/client.ts";
import { listen } from "../helpers/listen.ts";
import { start } from "../helpers/process.ts";
import { root } from "../helpers/run_deno.ts";

const traceparent = `00-${"4b".repeat(16)}-${"f0".repeat(8)}-01`;
const TRACE = { traceparent, tracestate: "vendor=value,other=1" };

async function read<T>(items: AsyncIterable<T>): Promise<void> {
  for await (const _ of items);
}

type Setup = ReturnType<typeof taskWith>;

/** Every method that sends requests. */
const METHODS: Record<string, (setup: Setup, options: RequestOptions) => Promise<unknown>> = {
  load: ({ task }, options) => task.load(options),
  watch: ({ task }, options) => read(task.watch(options)),
  resolve: ({ task }, options) => task.resolve(options),
  fetchResult: ({ task }, options) => task.fetchResult({ ...options, forceReload: true }),
  isErrored: ({ task }, options) => task.isErrored({ ...options, forceReload: true }),
  isFinished: ({ task }, options) => task.isFinished({ ...options, forceReload: true }),
  delete: ({ task }, options) => task.delete(options),
  build: ({ task, platform }, options) =>
    Task.build({ ...task, taskId: task.taskId, ...options, fetch: platform.fetch }),
  fromUrl: ({ task, platform }, options) =>
    Task.fromUrl(
      `https://app.deepint.net/api/v1/workspace/${task.workspaceId}/task/${task.taskId}`,
      { ...task, ...options, fetch: platform.fetch },
    ),
  list: ({ task, platform }, options) =>
    read(Task.list({ ...task, ...options, fetch: platform.fetch })),
  resolveAll: ({ task }, options) => read(resolveAll([task], options)),
  "resolveAll by list": ({ task, platform }, options) => {
    platform.add({ id: "t-2", status: "success" });
    const dict = { ...task.toDict(), info: { id: "t-2", status: "running" } };
    const other = Task.fromDict(dict, { credentials: task.credentials, fetch: platform.fetch });
    return read(resolveAll([task, other], options));
  },
};

for (const [name, call] of Object.entries(METHODS)) {
  Deno.test(`${name} sends the headers of the trace`, async () => {
    const setup = taskWith();
    await call(setup, { trace: TRACE });
    const { requests } = setup.platform;
    assert(requests.length > 0);
    for (const { headers } of requests) {
      assertEquals([headers.traceparent, headers.tracestate], [traceparent, TRACE.tracestate]);
    }
  });

  Deno.test(`${name} refuses a malformed trace without a request`, async () => {
    const setup = taskWith();
    const options = { trace: { traceparent: "00-abc" } };
    await assertRejects(async () => await call(setup, options), RangeError, 'traceparent "00-abc"');
    assertEquals(setup.platform.requests, []);
  });
}

Deno.test("without a trace, or without a tracestate, no such header is sent", async () => {
  const { task, platform } = taskWith();
  await task.load();
  await task.load({ trace: undefined });
  await task.load({ trace: { traceparent } });
  await task.load({ trace: { traceparent, tracestate: "" } });
  assertEquals(platform.requests.map(({ headers }) => [headers.traceparent, headers.tracestate]), [
    [undefined, undefined],
    [undefined, undefined],
    [traceparent, undefined],
    [traceparent, undefined],
  ]);
});

Deno.test("a traceparent has the form of W3C Trace Context", () => {
  const { task } = taskWith();
  for (const later of [`01${traceparent.slice(2)}`, `cc${traceparent.slice(2)}-more`]) {
    task.watch({ trace: { traceparent: later } });
  }
  const malformed = [
    "",
    traceparent.toUpperCase(),
    traceparent.slice(1),
    `${traceparent}\n`,
    `${traceparent}, ${traceparent}`,
    ` ${traceparent}`,
  ];
  for (const text of malformed) {
    assertThrows(() => task.watch({ trace: { traceparent: text } }), RangeError, "traceparent");
  }
  const wrong = { traceparent, tracestate: "a=b\nx-auth-token: c" };
  assertThrows(() => task.watch({ trace: wrong }), RangeError, "tracestate");
});

for (const [setting, expected] of [["false", traceparent], ["true", /^00-[\da-f]{32}-/]] as const) {
  Deno.test(`with OTEL_DENO=${setting} a request has one traceparent`, async () => {
    const received: (string | null)[] = [];
    await using server = listen((request) => {
      received.push(request.headers.get("traceparent"));
      return Response.json({ id: "t-1", status: "success" });
    });
    const code = `import { Credentials, Task } from "${new URL("mod.ts", root).href}";
const credentials = new Credentials({ token: "${TOKEN}", instance: "${server.origin}" });
const ids = { organization_id: "o-1", workspace_id: "w-1", task_id: "t-1" };
await Task.fromDict(ids, { credentials }).load({ trace: ${JSON.stringify(TRACE)} });`;
    const args = ["run", "--no-prompt", "--quiet", `--allow-net=127.0.0.1:${server.port}`, "-"];
    const settings = {
      OTEL_DENO: setting,
      OTEL_EXPORTER_OTLP_ENDPOINT: server.origin,
      OTEL_METRIC_EXPORT_INTERVAL: "60000",
    };
    await using process = start(Deno.execPath(), args, settings, code);
    assertEquals((await process.status).code, 0, process.output.stderr);
    const [first] = received.filter((value) => value !== null);
    assert(typeof expected === "string" ? first === expected : expected.test(first ?? ""), first);
    assert(!first?.includes(setting === "true" ? "4b4b" : ","), first);
  });
}

Deno.test("a trace reaches a custom fetch and no other option does", async () => {
  const credentials = new Credentials({ token: TOKEN });
  let headers: HeadersInit = {};
  const fetch = (_url: string, init: RequestInit) => {
    headers = init.headers ?? {};
    return Promise.resolve(Response.json({ id: "t-1", status: "success" }));
  };
  const ids = { organization_id: "o-1", workspace_id: "w-1", task_id: "t-1" };
  const options = { trace: { ...TRACE, cookie: "a=b" } };
  await Task.fromDict(ids, { credentials, fetch }).load(options);
  assertEquals(Object.keys(headers).toSorted(), [
    "accept",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-auth-token",
    "x-deepint-organization",
  ]);
});
