/** Fixtures of the client tests. */
import { inspect } from "node:util";
import { Credentials, type RequestOptions, Task, TaskInfo } from "../../mod.ts";
import {
  createFakePlatform,
  type FakePlatform,
  type Responder,
  TASK_KEYS,
} from "./fake_platform.ts";

/** A token that no error, output or log may contain. */
export const TOKEN = "canary-token-0123456789";

/** The keys of a task in the wire's order. */
export const WIRE_KEYS: string[] = [...TASK_KEYS];

/** A platform that never responds. */
export const HANG: Responder = () => new Promise(() => {});

/** A task with outdated information, created without a request, and its platform. */
export function setUp(token: string | (() => string | Promise<string>) = TOKEN) {
  const platform = createFakePlatform({ token: TOKEN });
  platform.add({ id: "t-1", status: "success" });
  const task = new Task({
    organizationId: "organization-1",
    workspaceId: "workspace-1",
    credentials: new Credentials({ token }),
    info: TaskInfo.fromDict({ id: "t-1", status: "running" }),
    fetch: platform.fetch,
  });
  return { platform, task };
}

/** Returns the time of each request, in milliseconds after `start`. */
export function times({ requests }: FakePlatform, start: number): number[] {
  return requests.map(({ at }) => at - start);
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
