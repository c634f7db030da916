// The tasks of the fake platform, which move from step to step, and their JSON.

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

/** The fields of all steps of a task, and the steps. */
export interface FakeFields extends Omit<WireFields, "id"> {
  /** The states of the task in order. @default {[]} the task never changes */
  steps?: readonly Step[];
}

/** A stored task and its current step. */
export interface Entry {
  readonly fields: Readonly<WireFields>;
  steps: readonly Step[];
  /** Index of the current step, its start, and the number of GETs that have seen it. */
  index: number;
  since: number;
  seen: number;
  startedAt: number | undefined;
  endedAt: number | undefined;
}

const MAX_PAGE = 500;
const DEFAULTS: WireFields = {
  user_id: "user-1",
  user_name: "analyst",
  status: "pending",
  name: "task",
  description: "",
  progress: 0,
};
function currentStep(entry: Entry): Step {
  return entry.steps[entry.index] ?? {};
}

function currentFields(entry: Entry): WireFields {
  return { ...DEFAULTS, ...entry.fields, ...currentStep(entry) };
}

/** Enters a step. */
export function enter(entry: Entry, index: number, at: number): void {
  entry.index = index;
  entry.since = at;
  entry.seen = 0;
  const { status } = currentFields(entry);
  if (status !== "pending") entry.startedAt ??= at;
  if (status === "success" || status === "failed") entry.endedAt ??= at;
}

/** Ends the steps whose time has passed. The next one starts at that time, not at the time of the request. */
function runClock(entry: Entry, at: number): void {
  while (entry.index < entry.steps.length - 1) {
    const { ms } = currentStep(entry);
    if (ms === undefined || at - entry.since < ms) return;
    enter(entry, entry.index + 1, entry.since + ms);
  }
}

/** Advances a task on a GET when its step has been read `polls` times. */
export function poll(entry: Entry, at: number): void {
  runClock(entry, at);
  const { ms, polls = 1 } = currentStep(entry);
  if (ms === undefined && entry.seen >= polls && entry.index < entry.steps.length - 1) {
    enter(entry, entry.index + 1, at);
    runClock(entry, at);
  }
  entry.seen++;
}

/** Stops a task that has not finished. It remains, and its status becomes `failed`. */
export function stop(entry: Entry, at: number): void {
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

/** Returns the JSON of a task: every key, null for a missing value. */
export function write(entry: Entry, keys: readonly WireKey[], at: number): Record<string, unknown> {
  const { startedAt, endedAt = at } = entry;
  const duration = startedAt === undefined ? 0 : endedAt - startedAt;
  const fields: WireFields = { duration, ...currentFields(entry) };
  return Object.fromEntries(keys.map((key) => [key, key in fields ? fields[key] : null]));
}

/** Creates a stored task at its first step. */
export function createEntry(id: string, { steps = [], ...fields }: FakeFields, at: number): Entry {
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
  return entry;
}

/** Creates an error response. */
export function refuse(
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

/** Returns a page of a list; the query asks for it. */
export function list(
  tasks: Map<string, Entry>,
  query: URLSearchParams,
  { pageLimit, at }: { pageLimit: number; at: number },
): Response {
  const cap = Math.min(pageLimit, MAX_PAGE);
  const page = wholeNumber(query.get("page") ?? "0", 0);
  const wanted = wholeNumber(query.get("limit") ?? String(cap), 1);
  if (page === undefined || wanted === undefined) {
    return refuse(400, "INVALID_PAGE", "page counts from 0 and limit from 1");
  }
  const limit = Math.min(wanted, cap);
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
