// Fixtures of the endpoint's tests: an app in front of a fake platform, and requests to it.
import * as v from "valibot";
import { type AppOptions, createApp, type ExecutionContext } from "../../functions/app.ts";
import { type Handler, type LogEntry, readConfig } from "../../functions/app.ts";
import { webhookVerifier } from "../../functions/auth/webhook.ts";
import { TaskProblem } from "../../functions/task/response_schema.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
// Not @std/assert: `deno task openapi` loads this too, and JSR may be out of reach.
import assert from "node:assert/strict";
import { createFakePlatform, type FakePlatform } from "./fake_platform.ts";

/** Canaries that no output may contain: the endpoint's token, a key and a webhook secret. */
export const TOKEN = "canary-token-0123456789";
export const KEY = "canary-key-0123456789";
export const SECRET = `whsec_${btoa("canary-secret-of-32-bytes-length")}`;

/** The task of most tests; `platform.add({ id: "t-1" })` creates it. */
export const IDS = {
  organization_id: "organization-1",
  workspace_id: "workspace-1",
  task_id: "t-1",
};
export const TASK_PATH = "/organizations/organization-1/workspaces/workspace-1/tasks/t-1";

/** Upstream responses about that task, for `platform.inject`. */
export const RUNNING = { id: "t-1", status: "running", created: "2026-01-01T00:00:00Z" };
export const SUCCESS = { ...RUNNING, status: "success", result: "s-1", result_type: "source" };

/** Settings of {@linkcode setUp}, in addition to a token, a key and a secret. */
export type Settings = Record<string, string>;

/** Options of {@linkcode setUp}. */
export interface SetUpOptions extends Pick<AppOptions, "now"> {
  /** Accepts `RESOLVE_ALLOW_UNAUTHENTICATED`. @default {false} */
  allowUnauthenticated?: boolean;
  /** Execution context of every request. @default {undefined} */
  context?: ExecutionContext;
}

/** Differences from a correctly signed webhook. */
export interface WebhookInit extends RequestInit {
  secret?: string;
  id?: string;
  /** Seconds since 1970. @default {the clock's} */
  timestamp?: number;
}

/** An endpoint, the platform behind it, and its callers. */
export interface Endpoint {
  readonly app: Handler;
  readonly platform: FakePlatform;
  readonly log: LogEntry[];
  /** Sends a request without adding headers. */
  send(path: string, init?: RequestInit): Promise<Response>;
  /** `GET`, with the key. */
  get(path: string, init?: RequestInit): Promise<Response>;
  /** `POST /resolve`, with the key. Text is sent as it is, anything else as JSON. */
  bearer(body: unknown, init?: RequestInit): Promise<Response>;
  /** `POST /resolve`, signed. */
  webhook(body: unknown, init?: WebhookInit): Promise<Response>;
}

/** Creates an endpoint with a fake platform behind it. */
export function setUp(settings: Settings = {}, options: SetUpOptions = {}): Endpoint {
  const { allowUnauthenticated = false, now = () => Date.now(), context } = options;
  const platform = createFakePlatform({ token: TOKEN, now });
  const log: LogEntry[] = [];
  const config = readConfig({
    DEEPINT_TOKEN: TOKEN,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_WEBHOOK_SECRETS: SECRET,
    ...settings,
  }, { allowUnauthenticated: allowUnauthenticated });
  const app = createApp(config, { fetch: platform.fetch, log: (entry) => log.push(entry), now });
  const base = `https://endpoint.example${config.basePath}`;
  const send = async (path: string, init?: RequestInit) =>
    await app.fetch(new Request(base + path, init), undefined, context);
  return {
    app,
    platform,
    log,
    send,
    get: (path, init) => send(path, withHeaders(init, { authorization: `Bearer ${KEY}` })),
    bearer: (body, init) =>
      send("/resolve", withHeaders(post(body, init), { authorization: `Bearer ${KEY}` })),
    async webhook(body, { secret = SECRET, id = "msg_1", timestamp, ...init } = {}) {
      const seconds = timestamp ?? Math.floor(now() / 1000);
      const request = post(body, init);
      return await send("/resolve", await signed(request, { secret, id, timestamp: seconds }));
    },
  };
}

/** A POST of JSON, without authentication. */
export function post(body: unknown, init: RequestInit = {}): RequestInit {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return withHeaders({ body: text, ...init, method: "POST" }, {
    "content-type": "application/json",
  });
}

/** Adds the three headers of a signature over the body (text or bytes). */
export async function signed(
  init: RequestInit,
  { secret = SECRET, id = "msg_1", timestamp }: {
    secret?: string;
    id?: string;
    timestamp: number;
  },
): Promise<RequestInit> {
  const body = init.body ?? "";
  assert(typeof body === "string" || body instanceof Uint8Array, "a body that can be signed");
  return withHeaders(init, {
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": await signWebhook(secret, { id, timestamp, body }),
  });
}

/** Returns `true` for a signed request, as the endpoint decides it. */
export async function isSigned(
  headers: Headers,
  body: Uint8Array,
  { secrets = [SECRET], now = Date.now }: { secrets?: readonly string[]; now?: () => number } = {},
): Promise<boolean> {
  const verifier = webhookVerifier(secrets, now);
  const signature = verifier.parse(headers);
  return !("problem" in signature) && await verifier.verify(signature, body);
}

/** Adds headers that `init` does not have. An empty header in `init` removes it. */
export function withHeaders(init: RequestInit = {}, more: Record<string, string>): RequestInit {
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(more)) {
    if (!headers.has(name)) headers.set(name, value);
    else if (headers.get(name) === "") headers.delete(name);
  }
  return { ...init, headers };
}

/** A body in chunks of a given size, endless or up to a total, that counts the bytes read. */
export function chunkedBody(size: number, total = Infinity) {
  const state = { read: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (state.read >= total) return controller.close();
      const bytes = Math.min(size, total - state.read);
      state.read += bytes;
      controller.enqueue(new Uint8Array(bytes).fill(0x20));
    },
    cancel() {
      state.cancelled = true;
    },
  }, { highWaterMark: 0 });
  return { body, state };
}

/** Parses a body that is a JSON object. */
export async function objectOf(response: Response): Promise<Record<string, unknown>> {
  return v.parse(v.record(v.string(), v.unknown()), await response.json());
}

const Problem = v.strictObject(TaskProblem.entries);

/** Checks all members of a problem and returns it. */
export async function problemOf(response: Response): Promise<v.InferOutput<typeof Problem>> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const problem = v.parse(Problem, await response.json());
  assert.equal(problem.status, response.status);
  assert.equal(problem.request_id, response.headers.get("x-request-id"));
  return problem;
}

/** Returns the status and the name of the problem. */
export async function outcomeOf(response: Response): Promise<[status: number, name: string]> {
  const { type } = await problemOf(response);
  return [response.status, type.replace(/^.*\/problems\//, "")];
}

/** Returns all text of a response: status line, headers and body. */
export async function textOf(response: Response): Promise<string> {
  const { status, statusText, headers } = response;
  return JSON.stringify([status, statusText, [...headers], await response.clone().text()]);
}

/** Checks that `Retry-After` is an integer of 1 or more, and returns it. */
export function retryAfterOf(response: Response): number {
  const header = response.headers.get("retry-after") ?? "missing";
  assert(/^[1-9]\d*$/.test(header), `Retry-After: ${header}`);
  return Number(header);
}

/** Captures the output of the console until it is disposed of. */
export function captureConsole(): Disposable & { log: unknown[]; error: unknown[] } {
  const { console } = globalThis;
  const real = { log: console.log, error: console.error };
  const log: unknown[] = [];
  const error: unknown[] = [];
  Object.assign(console, {
    log: (...parts: unknown[]) => log.push(...parts),
    error: (...parts: unknown[]) => error.push(...parts),
  });
  return { log, error, [Symbol.dispose]: () => void Object.assign(console, real) };
}
