// Operations that fail, and checks of their errors.
import { assertRejects } from "@std/assert";
import {
  Credentials,
  DeepintCredentialsError,
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
  type Fetch,
  type RequestOptions,
  Task,
} from "../../mod.ts";
import { assertNoSecrets as assertNone, taskWith, type TaskWithOptions } from "./client.ts";

/** A token that is also a valid error code, so that it would pass as one. */
export const CANARY = "CANARY_0123456789_TOKEN";
export const URL_OF_TASK = "https://app.deepint.net/api/v1/workspace/w-1/task/t-1";

/** A task whose requests go to `fetch`, with a token that must not be seen again. */
export const taskBy = (fetch: Fetch, options: TaskWithOptions = {}) =>
  taskWith({ fetch, token: CANARY, known: {}, ...options }).task;

/** The list of a workspace whose requests go to `fetch`. */
export function list(fetch: Fetch, options: RequestOptions = {}): AsyncIterable<Task> {
  return Task.list({
    organizationId: "o-1",
    workspaceId: "w-1",
    credentials: new Credentials({ token: CANARY }),
    fetch,
    retries: 0,
    ...options,
  });
}

/** A `fetch` that always answers so. */
export function answering(body: BodyInit | null | object, init: ResponseInit = {}): Fetch {
  const plain = typeof body === "object" && body !== null && Object.getPrototypeOf(body) === null;
  const text = plain || Object.getPrototypeOf(body ?? "") === Object.prototype;
  return () =>
    Promise.resolve(new Response(text ? JSON.stringify(body) : body as BodyInit | null, init));
}

/** A `fetch` that always fails so. */
export function failing(reason: unknown): Fetch {
  return () => Promise.reject(reason);
}

/** Returns the rejection of one load with this `fetch`. */
export async function loadError(fetch: Fetch, token = CANARY): Promise<DeepintHTTPError> {
  const load = () => taskBy(fetch, { token }).load({ retries: 0 });
  return await assertRejects(load, DeepintHTTPError);
}

/** Checks that the token is in no print of a value. */
export const assertSilent = (value: unknown, token = CANARY) => assertNone(value, token);

/** One error of each class, each from a real operation. */
export async function errorOfEachClass() {
  const failed = { status: "failed", error_code: "E_1", error_description: "no column" };
  const never = () => new Promise<never>(() => {});
  return {
    DeepintCredentialsError: await assertRejects(
      () => taskBy(never, { token: () => "\n" }).load(),
      DeepintCredentialsError,
    ),
    DeepintHTTPError: await loadError(answering({ code: "E_1", message: "no" }, { status: 404 })),
    DeepintTaskError: await assertRejects(
      () => taskBy(answering(failed)).resolve(),
      DeepintTaskError,
    ),
    DeepintTimeoutError: await assertRejects(
      () => taskBy(never).load({ timeout: 0 }),
      DeepintTimeoutError,
    ),
  };
}
