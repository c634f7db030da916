/**
 * A fake of Deep Intelligence: its API, in memory, as one `fetch`.
 *
 * Pass it to a client as its custom `fetch`, or to a server as its handler. It uses only web standards and
 * runs on every runtime.
 *
 * @example
 * ```ts
 * const platform = createFakePlatform({ token: "token" });
 * const task = platform.add({ steps: [{ status: "running", polls: 2 }, { status: "success" }] });
 * const headers = { "x-auth-token": "token", "x-deepint-organization": task.organization };
 * const response = await platform.fetch(task.url, { headers }); // in process
 * Deno.serve(platform.fetch); // over HTTP
 * ```
 *
 * @module
 */
import {
  createEntry,
  type Entry,
  type FakeFields,
  list,
  poll,
  refuse,
  stop,
  TASK_KEYS,
  write,
} from "./fake_task.ts";

/** A task to add: the fields of all its steps, and the steps. */
export interface FakeTask extends FakeFields {
  /** @default {crypto.randomUUID()} */
  id?: string;
  /** @default {"organization-1"} */
  organization?: string;
  /** @default {"workspace-1"} */
  workspace?: string;
}

/** Location of an added task. */
export interface TaskHandle {
  readonly id: string;
  readonly organization: string;
  readonly workspace: string;
  /** The API URL, in the form with `/task/`. */
  readonly url: string;
  /** The web URL of the task, which contains the organization. */
  readonly webUrl: string;
}

/** A received request. Its headers contain the token; responses never do. */
export interface RecordedRequest {
  readonly method: string;
  /** The path with its query. */
  readonly path: string;
  readonly url: string;
  /** All headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** The client's `init`, for options that a `Request` lacks on some runtimes, such as `cache`. */
  readonly init: RequestInit | undefined;
  /** Time on the platform's clock, in ms since 1970. */
  readonly at: number;
}

/** Responds in place of the platform; `undefined` leaves the response to it. */
export type Responder = (
  request: Request,
) => Response | undefined | Promise<Response | undefined>;

/** Options of {@linkcode createFakePlatform}. */
export interface FakePlatformOptions {
  /** The tokens that are accepted. @default {"platform-token"} */
  token?: string | readonly string[];
  /**
   * The organizations that each token may read; any other is 403.
   * @default {undefined} every token sees every organization
   */
  organizations?: Readonly<Record<string, readonly string[]>>;
  /** Milliseconds since 1970. @default {Date.now} */
  now?: () => number;
  /** Maximum number of items on a page of the list, 1 to 500. @default {500} */
  pageLimit?: number;
  /** Origin of the handles' URLs. @default {"https://app.deepint.net"} */
  origin?: string;
  /** Keeps the requests. Turn it off for benchmarks. @default {true} */
  record?: boolean;
}

/** A fake Deep Intelligence. Its functions do not need `this`. */
export interface FakePlatform {
  /** Origin of the URLs of added tasks. Set it when the server has its port. */
  origin: string;
  /** The requests so far, oldest first. */
  readonly requests: readonly RecordedRequest[];
  /**
   * Handles a request: `(request)` as the handler of a server, which may pass more arguments, or
   * `(url, init)` as the `fetch` of a client. When the signal aborts, it rejects with the reason, and an
   * injected body breaks off. It never follows a redirect.
   */
  readonly fetch: {
    (request: Request): Promise<Response>;
    (input: Request | string | URL, init?: RequestInit): Promise<Response>;
  };
  /** Adds a task. It replaces a task with the same id. */
  add(task?: FakeTask): TaskHandle;
  /** Counts the requests: all, those whose path contains a text, or those that match. */
  count(match?: string | ((request: RecordedRequest) => boolean)): number;
  /**
   * Passes the next requests to a responder, which may return any response, throw like a broken network,
   * or hang. The requests are recorded. Responders queue up. Returns a function that removes the responder.
   *
   * @param times number of requests for the responder, including those that it leaves to the platform.
   */
  inject(responder: Responder, times?: number): () => void;
  /** Removes tasks, requests and responders. */
  reset(): void;
}

const ID = "([A-Za-z0-9_-]{1,128})";
const ROUTE = new RegExp(`^/api/v1/workspace/${ID}/(?:tasks?/${ID}|tasks)$`);
const ORGANIZATION = new RegExp(`^${ID}$`);

/** Creates a platform without tasks. */
export function createFakePlatform(options: FakePlatformOptions = {}): FakePlatform {
  const { token = "platform-token", organizations, pageLimit = 500, record = true } = options;
  // look up the global at each call: a fake clock may have replaced it
  const now = options.now ?? (() => Date.now());
  const tokens = typeof token === "string" ? [token] : token;
  /** Keyed by organization and workspace, then by id. */
  const workspaces = new Map<string, Map<string, Entry>>();
  const requests: RecordedRequest[] = [];
  let injections: { responder: Responder; left: number }[] = [];

  function answer(request: Request): Response {
    const url = new URL(request.url);
    const route = ROUTE.exec(url.pathname);
    if (!route) return refuse(404, "NOT_FOUND", "there is no such route");
    const [, workspace = "", id] = route;
    const allowed = id === undefined ? ["GET"] : ["GET", "DELETE"];
    if (!allowed.includes(request.method)) {
      return refuse(405, "METHOD_NOT_ALLOWED", "the route has no such method", {
        allow: allowed.join(", "),
      });
    }
    const sent = request.headers.get("x-auth-token");
    if (sent === null || !tokens.includes(sent)) {
      return refuse(401, "UNAUTHORIZED", "the token is missing or wrong");
    }
    const organization = request.headers.get("x-deepint-organization");
    if (organization !== null && !ORGANIZATION.test(organization)) {
      return refuse(400, "INVALID_ORGANIZATION", "the organization is malformed");
    }
    const owners = organizations && (organizations[sent] ?? []);
    if (organization !== null && owners?.includes(organization) === false) {
      return refuse(403, "FORBIDDEN", "the token may not see this organization");
    }
    const tasks = findTasks(workspace, organization, owners);
    const at = now();
    if (id === undefined) return list(tasks, url.searchParams, { pageLimit, at });
    const entry = tasks.get(id);
    if (!entry) return refuse(404, "TASK_NOT_FOUND", "there is no such task");
    if (request.method === "DELETE") {
      stop(entry, at);
      return Response.json({ result: "success" });
    }
    poll(entry, at);
    return Response.json(write(entry, TASK_KEYS, at));
  }

  /** Returns the tasks of a workspace; without an organization, those of all the token's organizations. */
  function findTasks(
    workspace: string,
    organization: string | null,
    allowed: readonly string[] | undefined,
  ): Map<string, Entry> {
    const tasks = new Map<string, Entry>();
    for (const [key, entries] of workspaces) {
      const [owner = "", name] = key.split("/");
      const isMatch = organization === null
        ? allowed?.includes(owner) ?? true
        : owner === organization;
      if (name !== workspace || !isMatch) continue;
      if (organization !== null) return entries;
      for (const [id, entry] of entries) tasks.set(id, entry);
    }
    return tasks;
  }

  async function fetch(input: Request | string | URL, init?: RequestInit): Promise<Response> {
    const byUrl = typeof input === "string" || input instanceof URL;
    const request = byUrl ? new Request(input, init) : input;
    const signal = init?.signal ?? request.signal;
    signal.throwIfAborted();
    if (record) requests.push(describe(request, byUrl ? init : undefined, now()));
    const [injection] = injections;
    if (!injection) return answer(request);
    injection.left--;
    if (injection.left <= 0) injections = injections.filter((other) => other !== injection);
    const injected = await untilAborted(injection.responder(request), signal);
    return injected ? withAbortableBody(injected, signal) : answer(request);
  }

  const platform: FakePlatform = {
    origin: options.origin ?? "https://app.deepint.net",
    requests,
    fetch,
    add(task = {}) {
      const {
        id = crypto.randomUUID(),
        organization = "organization-1",
        workspace = "workspace-1",
        ...fields
      } = task;
      const entry = createEntry(id, fields, now());
      const key = `${organization}/${workspace}`;
      const tasks = workspaces.get(key) ?? new Map<string, Entry>();
      workspaces.set(key, tasks.set(id, entry));
      return {
        id,
        organization,
        workspace,
        url: `${platform.origin}/api/v1/workspace/${workspace}/task/${id}`,
        webUrl: `${platform.origin}/o/${organization}/workspace?ws=${workspace}&s=task&i=${id}`,
      };
    },
    count(match = () => true) {
      const matches = typeof match === "string"
        ? ({ path }: RecordedRequest) => path.includes(match)
        : match;
      return requests.filter(matches).length;
    },
    inject(responder, times = 1) {
      const injection = { responder, left: times };
      injections.push(injection);
      return () => {
        injections = injections.filter((other) => other !== injection);
      };
    },
    reset() {
      workspaces.clear();
      requests.length = 0;
      injections = [];
    },
  };
  return platform;
}

function describe(
  request: Request,
  init: RequestInit | undefined,
  at: number,
): RecordedRequest {
  const { method, url } = request;
  const { pathname, search } = new URL(url);
  const headers = Object.fromEntries(request.headers);
  return { method, path: pathname + search, url, headers, init, at };
}

/** Settles like `work`, or rejects with the signal's reason if that aborts first. */
function untilAborted<T>(work: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
    Promise.resolve(work)
      .finally(() => signal.removeEventListener("abort", abort))
      .then(resolve, reject);
  });
}

/** Breaks off a body when the signal aborts, as a real fetch does. */
function withAbortableBody(response: Response, signal: AbortSignal): Response {
  if (!response.body) return response;
  return new Response(response.body.pipeThrough(new TransformStream(), { signal }), response);
}
