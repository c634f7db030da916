/** The examples in `/openapi.json`: responses of the real endpoint to requests made here. */
import { createApp } from "../../functions/app.ts";
import { lazyHandler } from "../../functions/lazy_handler.ts";
import { PROBLEMS, type ProblemType } from "../../functions/http/problem.ts";
import { WatchLoop } from "../../functions/watches/loop.ts";
import { createStoreWatches } from "../../functions/watches/operator_routes.ts";
// the app loads it on demand, which would not finish while the clock stands still
import "../../functions/http/problem_docs.ts";
import "../../functions/status_page/page.ts";
import {
  captureConsole,
  type Endpoint,
  IDS,
  KEY,
  post,
  SECRET,
  setUp,
  TASK_PATH,
} from "../helpers/endpoint.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { MemoryStore } from "../helpers/memory_store.ts";
import { configWith } from "../helpers/watches.ts";

/** A request whose response is an example. */
interface Example {
  /** Name in the document. Operations that share a name have the same body. */
  name: string;
  /** The operation; a problem is an example of every operation that has it. */
  operation?: string;
  status: number;
  ask: (endpoint: Endpoint) => Promise<Response>;
}

/** An example and the body of its response. */
export interface Answered extends Omit<Example, "ask"> {
  type: string;
  body: unknown;
}

/** The caller's request id, so that the examples do not change. */
const headers = { "x-request-id": "request-1" };

/** `POST /resolve` for this task. It was just created: the clock stands still. */
const resolve = (task: Record<string, unknown>, more = {}) => (endpoint: Endpoint) => {
  hold(endpoint, task);
  return endpoint.bearer({ ...IDS, ...more }, { headers });
};
const follow = (task: Record<string, unknown>) => (endpoint: Endpoint) => {
  hold(endpoint, task);
  return endpoint.get(TASK_PATH, { headers });
};
/** Requests the JSON of the status page that a response links to. */
const look = (task: Record<string, unknown>) => async (endpoint: Endpoint) => {
  hold(endpoint, RUNNING);
  const { links } = await (await endpoint.bearer(IDS)).json();
  hold(endpoint, task);
  return await endpoint.send(links.status, { headers: { ...headers, accept: "application/json" } });
};
/** Response to `POST /watches`, or to a request about that watch after its steps. */
const watching = (
  request?: (location: string) => string,
  { broken = false, sweeps = 1 } = {},
) =>
async ({ platform }: Endpoint) => {
  const config = configWith("hooks.example");
  const store = new MemoryStore();
  if (broken) store.start = () => Promise.reject(new Error());
  const callbackFetch = () => Promise.resolve(new Response(null, { status: 204 }));
  const loop = new WatchLoop(store, config, { fetch: platform.fetch, callbackFetch, log() {} });
  const app = createApp(config, { watches: createStoreWatches(config, loop), log() {} });
  const authorized = { ...headers, authorization: `Bearer ${KEY}` };
  const order = { ...IDS, callback_url: "https://hooks.example/ended" };
  const created = await app.request("/watches", post(order, { headers: authorized }));
  if (!request) return created;
  const { location } = await created.json();
  const body = { id: IDS.task_id, name: "train churn model", created: Date.now(), ...SUCCESS };
  platform.inject(() => Response.json(body));
  for (let sweep = 0; sweep < sweeps; sweep++) await loop.sweep();
  const [method = "", path = ""] = request(location).split(" ");
  return await app.request(path, { method, headers: authorized });
};
const upstream = (answer: () => Response | Promise<Response>) => (endpoint: Endpoint) => {
  endpoint.platform.inject(answer);
  return endpoint.get(TASK_PATH, { headers });
};
const refused = (status: number) => upstream(() => new Response(null, { status }));
const get = (path: string) => ({ get }: Endpoint) => get(path, { headers });

/** A `Retry-After` keeps the jitter of the schedule out of the examples. */
function hold({ platform }: Endpoint, task: Record<string, unknown>): void {
  const body = { id: IDS.task_id, name: "train churn model", created: Date.now(), ...task };
  platform.inject(() => Response.json(body, { headers: { "retry-after": "5" } }));
}

const RUNNING = { status: "running", progress: 20, subtask: "fitting" };
const SUCCESS = { status: "success", duration: 5_000, result: "model-1", result_type: "model" };
const FAILED = { status: "failed", error_code: "QUOTA", error_description: "The quota is used up" };

/** Every response that is not a problem. A test fails for an operation without one. */
const ANSWERS: Example[] = [
  { name: "success", operation: "resolve", status: 200, ask: resolve(SUCCESS) },
  {
    name: "failed",
    operation: "resolve",
    status: 200,
    ask: resolve(FAILED, { raise_on_error: false }),
  },
  { name: "running", operation: "resolve", status: 202, ask: resolve(RUNNING) },
  { name: "success", operation: "getTask", status: 200, ask: follow(SUCCESS) },
  { name: "running", operation: "getTask", status: 202, ask: follow(RUNNING) },
  { name: "success", operation: "getStatusPage", status: 200, ask: look(SUCCESS) },
  { name: "running", operation: "getStatusPage", status: 202, ask: look(RUNNING) },
  { name: "watch-created", operation: "createWatch", status: 202, ask: watching() },
  { name: "watch", operation: "getWatch", status: 200, ask: watching((path) => `GET ${path}`) },
  {
    name: "watch-cancelled",
    operation: "cancelWatch",
    status: 200,
    ask: watching((path) => `DELETE ${path}`, { sweeps: 0 }),
  },
  {
    name: "watch-redelivered",
    operation: "redeliverWatch",
    status: 202,
    ask: watching((path) => `POST ${path}/redeliver`),
  },
  {
    name: "watches",
    operation: "listWatches",
    status: 200,
    ask: watching(() => "GET /watches?limit=1"),
  },
  {
    name: "watch-stats",
    operation: "getWatchStats",
    status: 200,
    ask: watching(() => "GET /watches/stats"),
  },
  ...["sweepWatches", "sweepWatchesByGet"].map((operation) => ({
    name: "sweep",
    operation,
    status: 200,
    ask: watching(() => "POST /watches/sweep", { sweeps: 0 }),
  })),
  { name: "health", operation: "health", status: 200, ask: get("/health") },
  { name: "ready", operation: "ready", status: 200, ask: get("/ready") },
  { name: "metrics", operation: "metrics", status: 200, ask: ({ get }) => get("/metrics") },
  {
    name: "explanation",
    operation: "explainProblem",
    status: 200,
    ask: get("/problems/task-pending"),
  },
];

/** Requests that produce each problem. */
const PROBLEM_ANSWERS: Record<ProblemType, Example["ask"]> = {
  "invalid-request": ({ bearer }) => bearer({ ...IDS, pending: "later" }, { headers }),
  "unauthorized": ({ send }) => send(TASK_PATH, { headers }),
  "forbidden": ({ bearer }) =>
    bearer({ url: "https://other.example/o/o-1/workspace?ws=w-1&s=task&i=t-1" }, { headers }),
  "not-found": refused(404),
  "method-not-allowed": get("/resolve"),
  "request-timeout": ({ bearer }) => bearer("", { headers, body: new ReadableStream() }),
  "conflict": watching((path) => `POST ${path}/redeliver`, { sweeps: 0 }),
  "content-too-large": ({ bearer }) => bearer(" ".repeat(20_001), { headers }),
  "unsupported-media-type": ({ bearer }) =>
    bearer("", { headers: { ...headers, "content-type": "text/plain" } }),
  "task-failed": resolve(FAILED),
  "internal-error": () => {
    // the clock throws at its second call, which is in the handler
    let calls = 0;
    const broken = () => {
      if (++calls === 2) throw new RangeError();
      return Date.now();
    };
    return setUp({}, { now: broken }).get(TASK_PATH, { headers });
  },
  "unknown-status": resolve({ status: "paused" }),
  "upstream-credentials": refused(401),
  "upstream-unavailable": refused(502),
  "misconfigured": async () => {
    const authorized = post(IDS, { headers: { ...headers, authorization: `Bearer ${KEY}` } });
    return await lazyHandler(() => undefined)(
      new Request("https://endpoint.example/resolve", authorized),
    );
  },
  "rate-limited": upstream(() =>
    new Response(null, { status: 429, headers: { "retry-after": "5" } })
  ),
  "task-pending": resolve(RUNNING, { pending: "retry" }),
  "watches-unavailable": watching(undefined, { broken: true }),
  "upstream-timeout": upstream(() => new Promise<Response>(() => {})),
};

const EXAMPLES: Example[] = [
  ...ANSWERS,
  { name: "no-route", status: 404, ask: get("/none") }, // the other not-found
  ...Object.entries(PROBLEMS).map(([name, { status }]) => (
    { name, status, ask: PROBLEM_ANSWERS[name as ProblemType] }
  )),
];

/**
 * Sends the request of every example.
 *
 * @throws {Error} when a response has another status, or one name has two bodies
 */
export async function answers(): Promise<Answered[]> {
  const answered: Answered[] = [];
  for (const { ask, ...example } of EXAMPLES) {
    const { name, operation, status } = example;
    const one = { ...example, ...await answerTo(ask) };
    if (one.got !== status) {
      throw new Error(`Example ${name} of ${operation ?? "all"}: ${one.got}, not ${status}`);
    }
    const same = answered.find((other) => other.name === name);
    if (same && JSON.stringify(same.body) !== JSON.stringify(one.body)) {
      throw new Error(`Example ${name} of ${operation ?? "all"} is not that of ${same.operation}`);
    }
    answered.push({ ...example, type: one.type, body: one.body });
  }
  return answered;
}

async function answerTo(ask: Example["ask"]) {
  using _output = captureConsole(); // a misconfigured endpoint logs to it
  using clock = new FakeClock();
  const response = await clock.runUntil(ask(setUp({ RESOLVE_LINK_SECRETS: SECRET })));
  const [type = ""] = (response.headers.get("content-type") ?? "").split(";");
  const body = /json$/.test(type) ? await response.json() : await response.text();
  return { got: response.status, type, body };
}
