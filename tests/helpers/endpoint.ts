// What the tests of the endpoint share: an app with a stand-in behind it, and requests to it.
import * as v from "valibot";
import { type AppOptions, createApp, type ExecutionContext } from "../../functions/app.ts";
import { type Handler, type LogEntry, readConfig } from "../../functions/app.ts";
import { webhookVerifier } from "../../functions/auth/webhook.ts";
import { TaskProblem } from "../../functions/task/response_schema.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
// Not @std/assert: `deno task openapi` loads this too, and JSR may be out of reach.
import assert from "node:assert/strict";
import { createFakePlatform, type FakePlatform } from "./fake_platform.ts";

/** What must never be seen again: the server's token, a caller's key, a sender's secret. */
export const TOKEN = "canary-token-0123456789";
export const KEY = "canary-key-0123456789";
export const SECRET = `whsec_${btoa("canary-secret-of-32-bytes-length")}`;

/** The task that most tests ask for; `platform.add({ id: "t-1" })` makes it. */
export const IDS = {
  organization_id: "organization-1",
  workspace_id: "workspace-1",
  task_id: "t-1",
};
export const TASK_PATH = "/organizations/organization-1/workspaces/workspace-1/tasks/t-1";

/** An upstream answer about that task, for `platform.inject`. */
export const RUNNING = { id: "t-1", status: "running", created: "2026-01-01T00:00:00Z" };
export const SUCCESS = { ...RUNNING, status: "success", result: "s-1", result_type: "source" };

/** The settings of {@linkcode setUp}, by name, beside a token, a key and a secret. */
export type Settings = Record<string, string>;

/** What {@linkcode setUp} takes beside settings. */
export interface SetUpOptions extends Pick<AppOptions, "now"> {
  /** Whether `RESOLVE_ALLOW_UNAUTHENTICATED` may be set. @default {false} */
  allowUnauthenticated?: boolean;
  /** What every request brings along as its third argument. @default {undefined} */
  context?: ExecutionContext;
}

/** How a webhook differs from a well signed one. */
export interface WebhookInit extends RequestInit {
  secret?: string;
  id?: string;
  /** Whole seconds since 1970. @default {the clock's} */
  timestamp?: number;
}

/** An endpoint, what is behind it, and who calls it. */
export interface Endpoint {
  readonly app: Handler;
  readonly platform: FakePlatform;
  readonly log: LogEntry[];
  /** A request as it is: to a path of the endpoint. */
  send(path: string, init?: RequestInit): Promise<Response>;
  /** `GET`, with the key. */
  get(path: string, init?: RequestInit): Promise<Response>;
  /** `POST /resolve`, with the key. Text is sent as it is, all else as JSON. */
  bearer(body: unknown, init?: RequestInit): Promise<Response>;
  /** `POST /resolve`, signed. */
  webhook(body: unknown, init?: WebhookInit): Promise<Response>;
}

/** Makes an endpoint with a stand-in behind it. */
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

/** A POST of JSON, with no authentication. */
export function post(body: unknown, init: RequestInit = {}): RequestInit {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return withHeaders({ body: text, ...init, method: "POST" }, {
    "content-type": "application/json",
  });
}

/** The request with the three headers of a signature over its body (text or bytes). */
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

/** Adds headers where there are none of the name; an empty one in `init` leaves a header out. */
export function withHeaders(init: RequestInit = {}, more: Record<string, string>): RequestInit {
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(more)) {
    if (!headers.has(name)) headers.set(name, value);
    else if (headers.get(name) === "") headers.delete(name);
  }
  return { ...init, headers };
}

/** A body in chunks of so many bytes, without end or up to a total, that counts what is read. */
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

/** A body of JSON, which is an object. */
export async function objectOf(response: Response): Promise<Record<string, unknown>> {
  return v.parse(v.record(v.string(), v.unknown()), await response.json());
}

const Problem = v.strictObject(TaskProblem.entries);

/** Reads a problem, having checked that it is one through and through. */
export async function problemOf(response: Response): Promise<v.InferOutput<typeof Problem>> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const problem = v.parse(Problem, await response.json());
  assert.equal(problem.status, response.status);
  assert.equal(problem.request_id, response.headers.get("x-request-id"));
  return problem;
}

/** The status and the problem's name, for a test that compares both at once. */
export async function outcomeOf(response: Response): Promise<[status: number, name: string]> {
  const { type } = await problemOf(response);
  return [response.status, type.replace(/^.*\/problems\//, "")];
}

/** The text in which a secret would show: status line, headers and body. */
export async function textOf(response: Response): Promise<string> {
  const { status, statusText, headers } = response;
  return JSON.stringify([status, statusText, [...headers], await response.clone().text()]);
}

/** `Retry-After`, having checked that it is an integer of 1 or more. */
export function retryAfterOf(response: Response): number {
  const header = response.headers.get("retry-after") ?? "missing";
  assert(/^[1-9]\d*$/.test(header), `Retry-After: ${header}`);
  return Number(header);
}

/** Takes what goes to the console instead of it, until it is disposed of. */
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
