/** Fixtures of the client tests. */
import { inspect } from "node:util";
import {
  Credentials,
  type Fetch,
  type RequestOptions,
  type ResolveOptions,
  Task,
  TaskInfo,
  type Token,
} from "../../mod.ts";
import { FakeClock } from "./fake_clock.ts";
import { createFakePlatform, type FakePlatform, type Responder } from "./fake_platform.ts";
import { type Step, TASK_KEYS } from "./fake_task.ts";

/** A token that no error, output or log may contain. */
export const TOKEN = "canary-token-0123456789";

/** The keys of a task in the wire's order. */
export const WIRE_KEYS: string[] = [...TASK_KEYS];

/** A platform that never responds. */
export const HANG: Responder = () => new Promise(() => {});

/** Options of {@linkcode taskWith}. */
export interface TaskWithOptions {
  /** Sends the requests. @default {the platform's} */
  fetch?: Fetch | undefined;
  /** Steps of the task on the platform. @default {it has succeeded} */
  steps?: Step[];
  /** Known information of the task. @default {it is running} */
  known?: Record<string, unknown>;
  /** Token of the credentials. @default {TOKEN} */
  token?: Token;
  /** Instance of the credentials. @default {app.deepint.net} */
  instance?: string | undefined;
  /** Credentials in place of `token` and `instance`. */
  credentials?: Credentials;
}

/**
 * Creates a task from known information, without a request, so that it is stale; the platform that it is
 * on; and the signals of its requests.
 */
export function taskWith(options: TaskWithOptions = {}) {
  const { steps = [{ status: "success" }], known = { status: "running" } } = options;
  const { token = TOKEN, instance } = options;
  const { credentials = new Credentials({ token, instance }) } = options;
  const platform = createFakePlatform({ token: TOKEN });
  platform.add({ organization: "o-1", workspace: "w-1", id: "t-1", name: "import", steps });
  const signals: (AbortSignal | null | undefined)[] = [];
  const send = options.fetch ?? platform.fetch;
  const task = new Task({
    organizationId: "o-1",
    workspaceId: "w-1",
    credentials,
    info: TaskInfo.fromDict({ id: "t-1", ...known }),
    fetch: (url, init) => {
      signals.push(init.signal);
      return send(url, init);
    },
  });
  return { platform, task, signals };
}

/** Creates tasks with one token and without information, whose requests go to `fetch`. */
export function tasksBy(fetch: Fetch, ids: Iterable<string>): Task[] {
  const credentials = new Credentials({ token: TOKEN });
  return Array.from(ids, (task_id) => {
    const dict = { organization_id: "o-1", workspace_id: "w-1", task_id };
    return Task.fromDict(dict, { credentials, fetch });
  });
}

/** Returns the time of each request, in milliseconds after `start`. */
export function times({ requests }: FakePlatform, start: number): number[] {
  return requests.map(({ at }) => at - start);
}

/**
 * Waits for a task on a fake clock, with these responses before the one that ends the task. Returns the
 * times of the polls, in milliseconds.
 */
export async function pollTimes(
  responders: Responder[],
  options: ResolveOptions = {},
): Promise<number[]> {
  using clock = new FakeClock();
  const { platform, task } = taskWith();
  const start = clock.now;
  for (const responder of responders) platform.inject(responder);
  await clock.runUntil(task.resolve(options));
  if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`);
  return times(platform, start);
}

/** `Math.random` always gives `value` until this is disposed of. */
export function random(value: number): Disposable {
  const original = Math.random;
  Math.random = () => value;
  return {
    [Symbol.dispose]() {
      Math.random = original;
    },
  };
}

/** The two requests of a task. */
export const GET = (task: Task, options?: RequestOptions): Promise<unknown> => task.load(options);
export const DELETE = (task: Task, options?: RequestOptions): Promise<unknown> =>
  task.delete(options);

/** Outputs of the inspection methods of a value. */
function inspections(value: unknown): string[] {
  const nodes = inspect(value, {
    depth: Infinity,
    showHidden: true,
    getters: true,
    maxStringLength: null,
  });
  const denos = [false, true].map((showHidden) =>
    Deno.inspect(value, {
      depth: 20,
      showHidden,
      getters: showHidden,
      strAbbreviateSize: Infinity,
      iterableLimit: Infinity,
    })
  );
  return [nodes, ...denos];
}

/** An error and its causes. */
function chain(error: unknown): Error[] {
  return error instanceof Error ? [error, ...chain(error.cause)] : [];
}

/** Outputs of a value in the usual ways to print it. */
export function allRenderings(value: unknown): string {
  const object = Object(value);
  return [
    String(value),
    Object.prototype.toString.call(value),
    JSON.stringify(value),
    JSON.stringify({ value: [value] }, null, 2),
    ...inspections(value),
    ...inspections(structuredClone(value)),
    ...inspections(Reflect.ownKeys(object)),
    // fields that an error does not enumerate, next to those that it does
    ...Reflect.ownKeys(object).flatMap((key) => inspections(Reflect.get(object, key))),
    ...chain(value).flatMap((error) => [error.name, error.message, `${error.stack}`, `${error}`]),
  ].join("\n");
}

/** Checks that no output of a value contains one of the secrets. */
export function assertNoSecrets(value: unknown, ...secrets: string[]): void {
  const leak = allRenderings(value).split("\n").find((line) =>
    secrets.some((it) => line.includes(it))
  );
  if (leak !== undefined) throw new Error(`the output contains a secret: ${leak}`);
}
