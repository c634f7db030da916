/**
 * A fake of Deep Intelligence: its API, in memory, as one `fetch`.
 *
 * Pass it to a client as its custom `fetch`, or to a server as its handler. It uses only web standards and
 * imports nothing, so the same file runs on every runtime.
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

const LIST_KEYS = [
  "id",
  "user_id",
  "user_name",
  "created",
  "status",
  "duration",
  "name",
  "description",
] as const;

/** A task's keys in the wire's order; the list has the first eight of them. */
export const TASK_KEYS = [
  ...LIST_KEYS,
  "progress",
  "subtask",
  "result",
  "result_type",
  "error_code",
  "error_description",
] as const;

type WireKey = typeof TASK_KEYS[number];

/**
 * Values of a task's fields. Any value is allowed, because a client must survive a bad server too;
 * `undefined` removes a field.
 */
export type WireFields = { [Key in WireKey]?: unknown };

/**
 * One state of a task: the fields that differ from the task's own, and its duration as a number of GETs
 * (`polls`, default 1) or in milliseconds from the end of the previous step (`ms`). The last step never
 * ends.
 */
export type Step =
  & WireFields
  & ({ polls?: number; ms?: never } | { ms: number; polls?: never });

/** A task to add: the fields of all its steps, and the steps. */
export interface FakeTask extends Omit<WireFields, "id"> {
  /** @default {crypto.randomUUID()} */
  id?: string;
  /** @default {"organization-1"} */
  organization?: string;
  /** @default {"workspace-1"} */
  workspace?: string;
  /** The states of the task in order. @default {[]} the task never changes */
  steps?: readonly Step[];
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

/** A stored task and its current step. */
interface Entry {
  readonly fields: Readonly<WireFields>;
  steps: readonly Step[];
  /** Index of the current step, its start, and the number of GETs that have seen it. */
  index: number;
  since: number;
  seen: number;
  startedAt: number | undefined;
  endedAt: number | undefined;
}

const DEFAULTS: WireFields = {
  user_id: "user-1",
  user_name: "analyst",
  status: "pending",
  name: "task",
  description: "",
  progress: 0,
};
const MAX_PAGE = 500;
const ID = "([A-Za-z0-9_-]{1,128})";
const ROUTE = new RegExp(`^/api/v1/workspace/${ID}/(?:tasks?/${ID}|tasks)$`);
const ORGANIZATION = new RegExp(`^${ID}$`);

/** Creates a platform without tasks. */
export function createFakePlatform(options: FakePlatformOptions = {}): FakePlatform {
  const { token = "platform-token", organizations, pageLimit = MAX_PAGE, record = true } = options;
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
    if (id === undefined) return list(tasks, url.searchParams);
    const entry = tasks.get(id);
    if (!entry) return refuse(404, "TASK_NOT_FOUND", "there is no such task");
    const at = now();
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

  function list(tasks: Map<string, Entry>, query: URLSearchParams): Response {
    const cap = Math.min(pageLimit, MAX_PAGE);
    const page = wholeNumber(query.get("page") ?? "0", 0);
    const wanted = wholeNumber(query.get("limit") ?? String(cap), 1);
    if (page === undefined || wanted === undefined) {
      return refuse(400, "INVALID_PAGE", "page counts from 0 and limit from 1");
    }
    const limit = Math.min(wanted, cap);
    const at = now();
    const items = [...tasks.values()].slice(page * limit, (page + 1) * limit);
    return Response.json({
      page,
      limit,
      pages_count: Math.ceil(tasks.size / limit),
      items_count: tasks.size,
      items: items.map((entry) => {
        runClock(entry, at);
        return write(entry, LIST_KEYS, at);
      }),
    });
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
        steps = [],
        ...fields
      } = task;
      const at = now();
      const entry: Entry = {
        fields: { id, created: new Date(at).toISOString(), ...fields },
        steps: steps.length > 0 ? steps : [{}],
        index: 0,
        since: at,
        seen: 0,
        startedAt: undefined,
        endedAt: undefined,
      };
      enter(entry, 0, at);
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

function refuse(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ code, message }, { status, headers });
}

function wholeNumber(text: string, least: number): number | undefined {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  return value >= least ? value : undefined;
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

/** Advances a task on a GET when its step has been read `polls` times. */
function poll(entry: Entry, at: number): void {
  runClock(entry, at);
  const { ms, polls = 1 } = currentStep(entry);
  if (ms === undefined && entry.seen >= polls && entry.index < entry.steps.length - 1) {
    enter(entry, entry.index + 1, at);
    runClock(entry, at);
  }
  entry.seen++;
}

/** Ends the steps whose time has passed. The next one starts at that time, not at the time of the request. */
function runClock(entry: Entry, at: number): void {
  while (entry.index < entry.steps.length - 1) {
    const { ms } = currentStep(entry);
    if (ms === undefined || at - entry.since < ms) return;
    enter(entry, entry.index + 1, entry.since + ms);
  }
}

function enter(entry: Entry, index: number, at: number): void {
  entry.index = index;
  entry.since = at;
  entry.seen = 0;
  const { status } = currentFields(entry);
  if (status !== "pending") entry.startedAt ??= at;
  if (status === "success" || status === "failed") entry.endedAt ??= at;
}

/** Stops a task that has not finished. It remains, and its status becomes `failed`. */
function stop(entry: Entry, at: number): void {
  runClock(entry, at);
  const { status } = currentFields(entry);
  if (status === "success" || status === "failed") return;
  const stopped = {
    status: "failed",
    error_code: "STOPPED",
    error_description: "stopped by DELETE",
  };
  entry.steps = [{ ...currentStep(entry), ...stopped }];
  enter(entry, 0, at);
}

function currentStep(entry: Entry): Step {
  return entry.steps[entry.index] ?? {};
}

function currentFields(entry: Entry): WireFields {
  return { ...DEFAULTS, ...entry.fields, ...currentStep(entry) };
}

/** Returns the JSON of a task: every key, null for a missing value. */
function write(entry: Entry, keys: readonly WireKey[], at: number): Record<string, unknown> {
  const { startedAt, endedAt = at } = entry;
  const duration = startedAt === undefined ? 0 : endedAt - startedAt;
  const fields: WireFields = { duration, ...currentFields(entry) };
  return Object.fromEntries(keys.map((key) => [key, key in fields ? fields[key] : null]));
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
