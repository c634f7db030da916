/** Contexts, registration and checks of the suite that runs on every runtime. */
import type { Handler } from "../../functions/app.ts";
import type { signWebhook } from "../../src/internal/standard_webhooks.ts";
import type * as module from "../../mod.ts";
import { Credentials, DeepintHTTPError, type RequestOptions, Task } from "../../mod.ts";
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

/** All tests. */
export const suite: Test[] = [];

/** Adds a test. */
export function test(name: string, run: Test["run"]): void {
  suite.push({ name, run });
}

/** The endpoint of a test that needs one. */
export type Endpoint = NonNullable<TestContext["endpoint"]>;

/** Adds a test that needs the endpoint. */
export function endpointTest(
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

/** Throws unless the condition holds. */
export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Throws unless the values have the same JSON. */
export function same(actual: unknown, expected: unknown, what = "value"): void {
  const [is, wanted] = [actual, expected].map((value) => JSON.stringify(value));
  check(is === wanted, `${what} is ${is}, not ${wanted}`);
}

/** Returns the reason with which an operation rejects. */
export async function rejection(run: () => Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await run();
  } catch (error) {
    return error;
  }
  throw new Error(`did not reject, but gave ${JSON.stringify(value)}`);
}

/** Returns the HTTP error of an operation, after checking its code. */
export async function httpError(
  run: () => Promise<unknown>,
  code: string,
): Promise<DeepintHTTPError> {
  const error = await rejection(run);
  check(error instanceof DeepintHTTPError, `not a DeepintHTTPError: ${error}`);
  same(error.code, code, "the code");
  withoutToken(error);
  return error;
}

/** Checks that no form in which a value may reach a log shows the token. */
export function withoutToken(value: unknown): void {
  const shown = [String(value), JSON.stringify(value)];
  for (let error = value; error instanceof Error; error = error.cause) {
    shown.push(String(error), JSON.stringify(error), error.message, String(error.stack));
    for (const key of Object.getOwnPropertyNames(error)) {
      shown.push(String(Reflect.get(error, key)));
    }
  }
  check(!shown.join("\n").includes(TOKEN), "the token shows");
}

/** Organization and workspace of the tasks. */
export const ids = { organizationId: "organization-1", workspaceId: "workspace-1" };

/** A task of that id, of which nothing is known yet. */
export function taskAt(instance: string, taskId: string, fetch?: module.Fetch): Task {
  return Task.fromDict({
    organization_id: ids.organizationId,
    workspace_id: ids.workspaceId,
    task_id: taskId,
  }, { credentials: new Credentials({ token: TOKEN, instance }), fetch });
}

/** No second attempt, so that a test sees how the first one ended. */
export const once: RequestOptions = { retries: 0 };

/** Adds a task to the fake platform of the server. */
export async function addTask({ server }: ServerContext, task: FakeTask): Promise<TaskHandle> {
  const response = await fetch(`${server}/control/task`, {
    method: "POST",
    body: JSON.stringify(task),
  });
  return await response.json();
}

/** Returns the state of the server. */
export async function stateOf({ server }: ServerContext): Promise<ServerState> {
  return await (await fetch(`${server}/control/state`)).json();
}

/** Waits some milliseconds. */
export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Waits until the server has seen that its clients left. */
export async function allLeft(context: ServerContext): Promise<void> {
  for (const end = Date.now() + 3_000; Date.now() < end; await pause(25)) {
    if ((await stateOf(context)).open === 0) return;
  }
  throw new Error("a request is still open");
}

/** Returns the requests that the other server received during `work`. */
export async function seenByOther(
  context: ServerContext,
  run: () => Promise<unknown>,
): Promise<Pick<ServerState, "other" | "tokens">> {
  const before = await stateOf(context);
  await run();
  const after = await stateOf(context);
  return { other: after.other - before.other, tokens: after.tokens - before.tokens };
}

/** Result of {@linkcode seenByOther} when nothing was received. */
export const NONE = { other: 0, tokens: 0 };
