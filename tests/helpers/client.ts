/** Fixtures of the client tests. */
import { inspect } from "node:util";
import { Credentials, type RequestOptions, Task, TaskInfo } from "../../mod.ts";
import {
  createFakePlatform,
  type FakePlatform,
  type Responder,
  TASK_KEYS,
} from "./fake_platform.ts";

/** A token that no error, print or log may hold. */
export const TOKEN = "canary-token-0123456789";

/** The keys of a task in the wire's order. */
export const WIRE_KEYS: string[] = [...TASK_KEYS];

/** A platform that never answers. */
export const HANG: Responder = () => new Promise(() => {});

/** A task whose information is stale, made without a request, and the platform that it is on. */
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

/** All the ways in which a value inspects itself. */
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

/** All the ways in which a program or a person is likely to print a value. */
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
    // what an error does not list stands beside what it does
    ...Reflect.ownKeys(object).flatMap((key) => inspections(Reflect.get(object, key))),
    ...chain(value).flatMap((error) => [error.name, error.message, `${error.stack}`, `${error}`]),
  ].join("\n");
}

/** Checks that none of the secrets is in any print of a value. */
export function assertNoSecrets(value: unknown, ...secrets: string[]): void {
  const leak = allRenderings(value).split("\n").find((line) =>
    secrets.some((it) => line.includes(it))
  );
  if (leak !== undefined) throw new Error(`It shows a secret: ${leak}`);
}
