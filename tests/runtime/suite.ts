/**
 * Tests of behaviour that can differ between runtimes. They use web standards only and no test framework:
 * the stub of a runtime calls `runSuite` and returns its results.
 *
 * @module
 */
import type { Handler } from "../../functions/app.ts";
import type { signWebhook } from "../../src/internal/standard_webhooks.ts";
import type * as module from "../../mod.ts";
import {
  Credentials,
  DeepintBaseError,
  DeepintCredentialsError,
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
  type RequestOptions,
  Task,
} from "../../mod.ts";
import { DeepintWebhookError, verifyEvent } from "../../src/webhook.ts";
import type { FakeTask, TaskHandle } from "../helpers/fake_platform.ts";

/** Secrets that must not be printed. */
export const TOKEN = "canary-token-0123456789";
export const KEY = "canary-key-0123456789";
export const SECRET = `whsec_${btoa("canary-secret-of-32-bytes-length")}`;

/** The origins of the loopback servers. */
export interface ServerContext {
  /** Misbehaves as the task's id says; otherwise a fake platform. */
  readonly server: string;
  /** Must not receive a request. */
  readonly other: string;
  /** Closes its connections: before the response, or within the body for the task `cut`. */
  readonly broken: string;
  /** Refuses connections. */
  readonly closed: string;
}

/** State of the server, from `/control/state`. */
export interface ServerState {
  /** Requests that the other server received. */
  other: number;
  /** Requests with a token among them. */
  tokens: number;
  /** Hanging requests whose client is still connected. */
  open: number;
}

/** Context of a test. */
export interface TestContext extends ServerContext {
  /** The endpoint, on runtimes that have a server. */
  readonly endpoint?: {
    /** Origin of the endpoint. */
    readonly origin: string;
    readonly app: Handler;
    readonly signWebhook: typeof signWebhook;
  };
}

/** A test. It rejects when it fails. */
export interface Test {
  readonly name: string;
  readonly needs?: "endpoint";
  run(context: TestContext): Promise<void>;
}

/** Result of a test; `error` is the reason of a failure. */
export interface TestResult {
  name: string;
  error?: string;
}

/** Time limit of a test in ms. */
const DEADLINE = 8_000;

/** Runs the tests in order, without those that need an endpoint if there is none. */
export async function runSuite(context: TestContext): Promise<TestResult[]> {
  const results: TestResult[] = [];
  for (const { name, run } of testsFor(context.endpoint !== undefined)) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${DEADLINE} ms`)), DEADLINE);
    });
    try {
      await Promise.race([run(context), late]);
      results.push({ name });
    } catch (error) {
      results.push({ name, error: error instanceof Error ? error.stack ?? "" : String(error) });
    } finally {
      clearTimeout(timer);
    }
  }
  return results;
}

/** Returns the tests of a runtime in order. */
export function testsFor(endpoint: boolean): Test[] {
  return suite.filter(({ needs }) => needs === undefined || endpoint);
}

/** All tests. */
export const suite: Test[] = [];

function test(name: string, run: Test["run"]): void {
  suite.push({ name, run });
}

type Endpoint = NonNullable<TestContext["endpoint"]>;

function endpointTest(
  name: string,
  run: (endpoint: Endpoint, context: TestContext) => Promise<void>,
): void {
  suite.push({
    name,
    needs: "endpoint",
    async run(context) {
      const { endpoint } = context;
      check(endpoint !== undefined, "there is no endpoint");
      await run(endpoint, context);
    },
  });
}

function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

function same(actual: unknown, expected: unknown, what = "value"): void {
  const [is, wanted] = [actual, expected].map((value) => JSON.stringify(value));
  check(is === wanted, `${what} is ${is}, not ${wanted}`);
}

async function rejection(run: () => Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await run();
  } catch (error) {
    return error;
  }
  throw new Error(`did not reject, but gave ${JSON.stringify(value)}`);
}

async function httpError(run: () => Promise<unknown>, code: string): Promise<DeepintHTTPError> {
  const error = await rejection(run);
  check(error instanceof DeepintHTTPError, `not a DeepintHTTPError: ${error}`);
  same(error.code, code, "the code");
  withoutToken(error);
  return error;
}

/** Checks that no form in which a value may reach a log shows the token. */
function withoutToken(value: unknown): void {
  const shown = [String(value), JSON.stringify(value)];
  for (let error = value; error instanceof Error; error = error.cause) {
    shown.push(String(error), JSON.stringify(error), error.message, String(error.stack));
    for (const key of Object.getOwnPropertyNames(error)) {
      shown.push(String(Reflect.get(error, key)));
    }
  }
  check(!shown.join("\n").includes(TOKEN), "the token shows");
}

const ids = { organizationId: "organization-1", workspaceId: "workspace-1" };

/** A task of that id, of which nothing is known yet. */
function taskAt(instance: string, taskId: string, fetch?: module.Fetch): Task {
  return Task.fromDict({
    organization_id: ids.organizationId,
    workspace_id: ids.workspaceId,
    task_id: taskId,
  }, { credentials: new Credentials({ token: TOKEN, instance }), fetch });
}

/** No second attempt, so that a test sees how the first one ended. */
const once: RequestOptions = { retries: 0 };

async function addTask({ server }: ServerContext, task: FakeTask): Promise<TaskHandle> {
  const response = await fetch(`${server}/control/task`, {
    method: "POST",
    body: JSON.stringify(task),
  });
  return await response.json();
}

async function stateOf({ server }: ServerContext): Promise<ServerState> {
  return await (await fetch(`${server}/control/state`)).json();
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Waits until the server has seen that its clients left. */
async function allLeft(context: ServerContext): Promise<void> {
  for (const end = Date.now() + 3_000; Date.now() < end; await pause(25)) {
    if ((await stateOf(context)).open === 0) return;
  }
  throw new Error("a request is still open");
}

/** Returns the requests that the other server received during `work`. */
async function seenByOther(
  context: ServerContext,
  run: () => Promise<unknown>,
): Promise<Pick<ServerState, "other" | "tokens">> {
  const before = await stateOf(context);
  await run();
  const after = await stateOf(context);
  return { other: after.other - before.other, tokens: after.tokens - before.tokens };
}

const NONE = { other: 0, tokens: 0 };

// Redirects: the token is never sent to another origin.

test("the other server counts its requests under both host names", async (context) => {
  for (const origin of [context.other, context.other.replace("127.0.0.1", "localhost")]) {
    const reach = async () => await (await fetch(origin)).text();
    same(await seenByOther(context, reach), { other: 1, tokens: 0 }, "seen");
  }
});

for (const kind of [301, 302, 303, 307, 308]) {
  const places = { port: "another port", name: "another host name", here: "the same server" };
  for (const [place, words] of Object.entries(places)) {
    test(`a ${kind} to ${words} is refused without a request to the other server`, async (context) => {
      const task = taskAt(context.server, `redirect-${kind}-${place}`);
      const seen = await seenByOther(context, async () => {
        for (const operation of [() => task.load(), () => task.delete(), () => task.resolve()]) {
          const { status } = await httpError(operation, "REDIRECT");
          check(status === kind || status === 0, `the status is ${status}`); // 0: a browser's
        }
      });
      same(seen, NONE, "seen by the other server");
    });
  }
}

// Abort and deadlines: immediate, and the connection ends.

for (const how of ["headers", "body", "trickle"]) {
  const where = how === "headers" ? "before the headers" : how === "body" ? "in the body" : "on";
  const what = how === "trickle" ? "a body that trickles" : "a server that hangs";

  test(`an abort of ${what} ${where} rejects immediately with the signal's reason`, async (context) => {
    for (const operation of ["load", "resolve"] as const) {
      const controller = new AbortController();
      const reason = new Error("enough");
      const task = taskAt(context.server, `hang-${how}`);
      const rejected = rejection(() => task[operation]({ signal: controller.signal }));
      await pause(200);
      const began = Date.now();
      controller.abort(reason);
      check(await rejected === reason, `${operation} rejects with something else`);
      const took = Date.now() - began;
      check(took < 250, `${operation} took ${took} ms to reject`);
    }
    await allLeft(context);
  });

  test(`${what} ${where} ends at the attempt's deadline`, async (context) => {
    const began = Date.now();
    const options = { retries: 0, requestTimeout: 300 };
    const error = await rejection(() => taskAt(context.server, `hang-${how}`).load(options));
    const took = Date.now() - began;
    check(error instanceof DeepintTimeoutError, `not a DeepintTimeoutError: ${error}`);
    same([error.code, error.retryable], ["TIMEOUT", true], "code and retryable");
    withoutToken(error);
    check(took >= 290 && took < 900, `it took ${took} ms`);
    await allLeft(context);
  });
}

test("an aborted signal rejects with its reason, without a request", async ({ server }) => {
  const signal = AbortSignal.abort("a reason that is no error");
  let asked = 0;
  const task = taskAt(server, "t-1", () => Promise.reject(asked++));
  same(await rejection(() => task.load({ signal })), "a reason that is no error", "the reason");
  same(asked, 0, "requests");
});

test("AbortSignal.timeout() ends an operation with its TimeoutError", async (context) => {
  const signal = AbortSignal.timeout(200);
  const error = await rejection(() => taskAt(context.server, "hang-body").load({ signal }));
  check(error === signal.reason, "another reason");
  same(error instanceof DOMException && error.name, "TimeoutError", "the name");
  await allLeft(context);
});

// Bodies.

for (const how of ["gzip", "length", "chunked"]) {
  const words = { gzip: "unzips to more", length: "declares more", chunked: "brings more" }[how];
  test(`a body that ${words} than 1 MiB is refused`, async ({ server }) => {
    const { status } = await httpError(
      () => taskAt(server, `large-${how}`).load(),
      "BODY_TOO_LARGE",
    );
    same(status, 200, "the status");
  });
}

test("a gzipped body is read", async ({ server }) => {
  const task = taskAt(server, "zipped");
  await task.load();
  same(task.info.status, "success", "the status");
});

test("a truncated body is a retryable NETWORK_ERROR", async ({ broken }) => {
  const { retryable } = await httpError(() => taskAt(broken, "cut").load(once), "NETWORK_ERROR");
  same(retryable, true, "retryable");
});

test("a connection that closes without a response is a NETWORK_ERROR", async ({ broken }) => {
  const error = await httpError(() => taskAt(broken, "t-1").load(once), "NETWORK_ERROR");
  same([error.status, error.retryable], [0, true], "status and retryable");
});

test("a refused connection is a NETWORK_ERROR with its cause", async ({ closed }) => {
  const error = await httpError(() => taskAt(closed, "t-1").load(once), "NETWORK_ERROR");
  same([error.status, error.retryable], [0, true], "status and retryable");
  check(error.cause !== undefined, "there is no cause");
});

test("a 503 with Retry-After is retried", async ({ server }) => {
  const task = taskAt(server, `busy-${crypto.randomUUID()}`);
  await task.load();
  same(task.info.status, "success", "the status");
});

test("an error response becomes an error with its code and status", async ({ server }) => {
  const { status } = await httpError(
    () => taskAt(server, "unheard-of").load(),
    "TASK_NOT_FOUND",
  );
  same(status, 404, "the status");
});

// Fetch.

test("a custom fetch is called unbound with manual redirects, headers and no caching", async () => {
  let cache: unknown;
  const task = taskAt("https://app.example.com", "t-1", function (this: unknown, url, init) {
    same(url, "https://app.example.com/api/v1/workspace/workspace-1/task/t-1", "the URL");
    same(this === undefined || this === globalThis, true, "unbound"); // by the bundle's mode
    same(init.redirect, "manual", "redirect");
    same(new Headers(init.headers).get("x-auth-token"), TOKEN, "the header");
    cache = init.cache;
    return Promise.resolve(Response.json({ id: "t-1", status: "running" }));
  });
  await task.load();
  same(task.info.status, "running", "the status");
  let tolerated = true;
  try {
    new Request("https://app.example.com", { cache: "no-store" });
  } catch {
    tolerated = false;
  }
  same(cache, tolerated ? "no-store" : undefined, "the option");
});

test("the global fetch works as a custom one and is looked up on each request", async (context) => {
  const handle = await addTask(context, { status: "success" });
  const task = taskAt(context.server, handle.id, globalThis.fetch);
  await task.load();
  same(task.info.status, "success", "the status");
  const real = globalThis.fetch;
  let called = 0;
  globalThis.fetch = (input, init) => {
    called++;
    return real(input, init);
  };
  try {
    await taskAt(context.server, handle.id).load();
  } finally {
    globalThis.fetch = real;
  }
  same(called, 1, "calls");
});

// Errors and credentials.

test("minified errors are instances of their classes, with name and code", async ({ closed }) => {
  const error = await httpError(() => taskAt(closed, "t-1").load(once), "NETWORK_ERROR");
  check(error instanceof DeepintBaseError, "not a DeepintBaseError");
  check(error instanceof Error, "not an Error");
  same(error.name, "DeepintHTTPError", "the name");
  same(String(error).startsWith("NETWORK_ERROR: Error on HTTP GET http"), true, String(error));
  const timeout = new DeepintTimeoutError("late", { elapsed: 1 });
  check(timeout instanceof DeepintBaseError, "not a DeepintBaseError");
  same([timeout.name, timeout.code], ["DeepintTimeoutError", "TIMEOUT"], "name and code");
});

test("errors of another copy of the module are recognized by name and code", async ({ closed }) => {
  const copy: typeof module = Reflect.get(globalThis, "otherCopy");
  check(copy.Task !== Task, "it is the same copy");
  const credentials = new copy.Credentials({ token: TOKEN, instance: closed });
  const build = () => copy.Task.build({ ...ids, taskId: "t-1", credentials, retries: 0 });
  const error = await rejection(build);
  check(error instanceof Error, `not an Error: ${error}`);
  same(error instanceof copy.DeepintHTTPError, true, "an instance of its own class");
  same(error instanceof DeepintBaseError, false, "an instance of the other copy's class");
  same([error.name, Reflect.get(error, "code")], ["DeepintHTTPError", "NETWORK_ERROR"], "it");
  withoutToken(error);
});

test("Credentials.build() without settings rejects with CREDENTIALS_NOT_FOUND", async () => {
  const error = await rejection(() => Credentials.build());
  check(error instanceof DeepintCredentialsError, `not a DeepintCredentialsError: ${error}`);
  same([error.name, error.code], ["DeepintCredentialsError", "CREDENTIALS_NOT_FOUND"], "the error");
});

test("Credentials.build() takes parameters, and process.env if it is readable", async () => {
  const given = await Credentials.build({ token: TOKEN, instance: "app.example.com" });
  same(given.instance, "app.example.com", "the instance");
  const { Deno, process } = globalThis as {
    Deno?: unknown;
    process?: { env?: Record<string, string | undefined> };
  };
  const environment = process?.env;
  if (Deno || !environment) return; // Deno has its own, which the stub may not read
  environment.DEEPINT_TOKEN = TOKEN;
  environment.DEEPINT_INSTANCE = "env.example.com";
  try {
    same((await Credentials.build()).instance, "env.example.com", "the instance");
  } finally {
    delete environment.DEEPINT_TOKEN;
    delete environment.DEEPINT_INSTANCE;
  }
});

test("printed objects do not contain the token", async ({ closed }) => {
  const task = taskAt(closed, "t-1");
  const error = await httpError(() => task.load(once), "NETWORK_ERROR");
  for (const value of [task.credentials, task, error]) {
    withoutToken(value);
    // deno-lint-ignore no-console -- the test runner searches the output for the token
    console.error(value);
  }
  same(JSON.stringify(task.credentials), JSON.stringify({ instance: closed }), "the JSON");
});

test("a token function is called for each attempt", async ({ server }) => {
  let asked = 0;
  const token = () => Promise.resolve((asked++, TOKEN));
  const credentials = new Credentials({ token, instance: server });
  await Task.build({ ...ids, taskId: `busy-${crypto.randomUUID()}`, credentials });
  same(asked, 2, "calls");
});

// Waiting and listing.

test("resolve() waits on timers until the task ends", async (context) => {
  const steps = [{ status: "running", polls: 2 }, { status: "running", progress: 50 }, {
    status: "success",
    result: "s-1",
    result_type: "source",
  }];
  const handle = await addTask(context, { steps });
  const credentials = new Credentials({ token: TOKEN, instance: context.server });
  const seen: (number | null)[] = [];
  const began = Date.now();
  const task = await Task.fromUrl(handle.webUrl.replace(/^https:\/\/[^/]+/, context.server), {
    credentials,
  });
  await task.resolve({ pollInterval: 250, onProgress: ({ progress }) => void seen.push(progress) });
  const took = Date.now() - began;
  check(took >= 740 && took < 2_500, `it took ${took} ms`);
  same(seen.includes(50), true, "the progress was seen");
  same(await task.fetchResult(), { source: "s-1" }, "the result");
});

test("resolve() of a failed task rejects with its error", async (context) => {
  const { id } = await addTask(context, {
    steps: [{ status: "running" }, { status: "failed", error_code: "NO_MEMORY" }],
  });
  const error = await rejection(() => taskAt(context.server, id).resolve({ pollInterval: 250 }));
  check(error instanceof DeepintTaskError, `not a DeepintTaskError: ${error}`);
  check(error instanceof DeepintBaseError, "not a DeepintBaseError");
  same([error.name, error.code], ["DeepintTaskError", "TASK_NO_MEMORY"], "name and code");
});

test("resolve() of a task that does not end rejects at its timeout", async (context) => {
  const { id } = await addTask(context, { status: "running" });
  const began = Date.now();
  const error = await rejection(() =>
    taskAt(context.server, id).resolve({ pollInterval: 250, timeout: 600 })
  );
  const took = Date.now() - began;
  check(error instanceof DeepintTimeoutError, `not a DeepintTimeoutError: ${error}`);
  check(took >= 590 && took < 1_500, `it took ${took} ms`);
});

test("Task.list yields the tasks of every page, and delete() stops one", async (context) => {
  const workspace = `list-${crypto.randomUUID()}`;
  const all = ["t-1", "t-2", "t-3", "t-4", "t-5"];
  for (const id of all) await addTask(context, { id, workspace, status: "running" });
  const credentials = new Credentials({ token: TOKEN, instance: context.server });
  const options = { ...ids, workspaceId: workspace, credentials, pageSize: 2 };
  const listed: Task[] = [];
  for await (const task of Task.list(options)) listed.push(task);
  same(listed.map(({ taskId }) => taskId), all, "the tasks");
  await listed[2]?.delete();
  const stopped: string[] = [];
  for await (const { taskId } of Task.list({ ...options, status: "failed" })) stopped.push(taskId);
  same(stopped, ["t-3"], "the stopped tasks");
});

// The endpoint, in process and served by the runtime.

type Send = (path: string, init?: RequestInit) => Promise<Response>;

const ways: Record<string, (endpoint: Endpoint) => Send> = {
  "in process": ({ app }) => async (path, init) =>
    await app.fetch(new Request(`https://endpoint.example${path}`, init)),
  "over HTTP": ({ origin }) => (path, init) => fetch(origin + path, init),
};

const json = { "content-type": "application/json" };
const bearer = { authorization: `Bearer ${KEY}` };

const post = (body: BodyInit, headers: Record<string, string>): RequestInit => ({
  method: "POST",
  body,
  headers: { ...json, ...headers },
});

async function signatureOf({ signWebhook }: Endpoint, body: string, offset = 0) {
  const timestamp = Math.floor(Date.now() / 1_000) + offset;
  return {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(timestamp),
    "webhook-signature": await signWebhook(SECRET, { id: "msg_1", timestamp, body }),
  };
}

/** Checks an answer, and that no secret is in it; returns its JSON. */
async function answered(
  response: Response,
  status: number,
  problem?: string,
): Promise<Record<string, unknown>> {
  const text = await response.text();
  same(response.status, status, `the status of ${text}`);
  const whole = JSON.stringify([...response.headers]) + text;
  for (const secret of [TOKEN, KEY, SECRET]) check(!whole.includes(secret), "a secret shows");
  check(response.headers.has("x-request-id"), "there is no x-request-id");
  const body = JSON.parse(text);
  if (problem !== undefined) {
    same(response.headers.get("content-type"), "application/problem+json", "the type");
    same(String(body.type).endsWith(`/problems/${problem}`), true, String(body.type));
  }
  return body;
}

function wants(taskId: string, more: Record<string, unknown> = {}): string {
  const { organizationId, workspaceId } = ids;
  const location = { organization_id: organizationId, workspace_id: workspaceId };
  return JSON.stringify({ ...location, task_id: taskId, ...more });
}

const ending: FakeTask = {
  steps: [{ status: "running" }, { status: "success", result: "s-1", result_type: "source" }],
};

for (const [words, way] of Object.entries(ways)) {
  const endpoint = (name: string, run: Parameters<typeof endpointTest>[1]) =>
    endpointTest(`${name}, ${words}`, run);

  endpoint("/health answers", async (endpoint) => {
    same(await answered(await way(endpoint)("/health"), 200), { status: "ok" }, "the body");
    const head = await way(endpoint)("/health", { method: "HEAD" });
    same([head.status, await head.text()], [200, ""], "HEAD");
  });

  endpoint("a signed webhook goes from 503 to 200", async (endpoint, context) => {
    const body = wants((await addTask(context, ending)).id);
    const ask = async () =>
      await way(endpoint)("/resolve", post(body, await signatureOf(endpoint, body)));
    const first = await ask();
    same(Number(first.headers.get("retry-after")) >= 1, true, "Retry-After");
    await answered(first, 503, "task-pending");
    same((await answered(await ask(), 200)).result, { source: "s-1" }, "the result");
  });

  endpoint("a signed webhook that wants it so goes from 202 to 200", async (endpoint, context) => {
    const body = wants((await addTask(context, ending)).id, { pending: "accepted" });
    const ask = async () =>
      await way(endpoint)("/resolve", post(body, await signatureOf(endpoint, body)));
    same((await answered(await ask(), 202)).status, "running", "the status");
    same((await answered(await ask(), 200)).status, "success", "the status");
  });

  endpoint("a signature that does not fit is refused", async (endpoint) => {
    const body = wants("t-1");
    const headers = await signatureOf(endpoint, body);
    const old = await signatureOf(endpoint, body, -400);
    for (const init of [post(`${body} `, headers), post(body, old), post(body, {})]) {
      await answered(await way(endpoint)("/resolve", init), 401, "unauthorized");
    }
  });

  endpoint(
    "a bearer key goes from 202 to 200, and a wrong one to 401",
    async (endpoint, context) => {
      const { id } = await addTask(context, ending);
      const send = way(endpoint);
      const { organizationId, workspaceId } = ids;
      const path = `/organizations/${organizationId}/workspaces/${workspaceId}/tasks/${id}`;
      const wrong = { authorization: `Bearer ${KEY}x` };
      await answered(await send(path, { headers: wrong }), 401, "unauthorized");
      const first = await send("/resolve", post(wants(id), bearer));
      same(first.headers.get("location"), path, "the location");
      await answered(first, 202);
      const response = await send(path, { headers: bearer });
      const etag = response.headers.get("etag") ?? "";
      await answered(response, 200);
      check(etag !== "", "there is no ETag");
      const again = await send(path, { headers: { ...bearer, "if-none-match": etag } });
      same([again.status, await again.text()], [304, ""], "with If-None-Match");
    },
  );

  endpoint("a body over 20 kB is answered 413", async (endpoint) => {
    const body = wants("t-1").padEnd(30_000);
    await answered(
      await way(endpoint)("/resolve", post(body, bearer)),
      413,
      "content-too-large",
    );
  });

  endpoint("a hanging upstream is answered 504 within the deadline", async (endpoint, context) => {
    const began = Date.now();
    const init = post(wants("hang-headers"), bearer);
    await answered(await way(endpoint)("/resolve", init), 504, "upstream-timeout");
    const took = Date.now() - began;
    check(took >= 990 && took < 1_750, `it took ${took} ms`);
    await allLeft(context);
  });

  endpoint(
    "an upstream that redirects is answered 502, and not followed",
    async (endpoint, context) => {
      const seen = await seenByOther(context, async () => {
        for (const place of ["port", "name"]) {
          const init = post(wants(`redirect-307-${place}`), bearer);
          await answered(await way(endpoint)("/resolve", init), 502, "upstream-unavailable");
        }
      });
      same(seen, NONE, "seen by the other server");
    },
  );

  endpoint("callers of one task at once are all answered", async (endpoint, context) => {
    const { id } = await addTask(context, { status: "running" });
    const send = way(endpoint);
    const ask = () => send("/resolve", post(wants(id), bearer));
    const answers = await Promise.all([ask(), ask(), ask(), ask()]);
    for (const answer of answers) await answered(answer, 202);
  });
}

endpointTest(
  "a streamed body is read up to 20 kB, whatever length it declares",
  async ({ app }) => {
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(1_000).fill(0x20));
      },
    });
    const init = { ...post(body, { ...bearer, "content-length": "10" }), duplex: "half" };
    const request = new Request("https://endpoint.example/resolve", init);
    await answered(await app.fetch(request), 413, "content-too-large");
    check(pulled < 40, `${pulled} kB were read`);
  },
);

test("verifyEvent() accepts a signed event as Request and as text, and no other body", async () => {
  const body = JSON.stringify({
    type: "task.expired",
    timestamp: new Date().toISOString(),
    data: {
      status: "running",
      task: { organization_id: "o", workspace_id: "w", info: { id: "é" } },
    },
  });
  const timestamp = Math.floor(Date.now() / 1_000);
  const bytes = new TextEncoder().encode(`msg_1.${timestamp}.${body}`);
  const secret = new TextEncoder().encode(atob(SECRET.slice("whsec_".length)));
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes));
  const headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(timestamp),
    "webhook-signature": `v1,${btoa(String.fromCharCode(...mac))}`,
  };
  const request = new Request("https://receiver.example/", { method: "POST", headers, body });
  for (const received of [request, { headers, body }, { headers: new Headers(headers), body }]) {
    const event = await verifyEvent(received, SECRET);
    check(event.type === "task.expired", `the type is ${event.type}`);
    same(event.data.task.info.id, "é", "the id");
  }
  const error = await rejection(() => verifyEvent({ headers, body: `${body} ` }, SECRET));
  check(error instanceof DeepintWebhookError, `not a DeepintWebhookError: ${error}`);
  same(error.code, "SIGNATURE_MISMATCH", "the code");
});

// The last test checks all requests before it.

test("no token has reached the other server", async (context) => {
  same((await stateOf(context)).tokens, 0, "requests with a token");
});
