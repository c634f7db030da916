/**
 * Waits for tasks of Deep Intelligence and reads their results. Uses web standards only and has no
 * dependencies: it runs on Deno, Node, Bun, edge runtimes and in browsers.
 *
 * ```ts
 * import { Task } from "@deepint/task";
 *
 * // the token is in DEEPINT_TOKEN or ~/.deepint.ini
 * const task = await Task.fromUrl("https://app.deepint.net/o/o-1/workspace?ws=w-1&s=task&i=t-1");
 * await task.resolve({ pollInterval: "adaptive" });
 * console.log(await task.fetchResult()); // { source: "s-1" }
 * ```
 *
 * @module
 */
export {
  Credentials,
  type CredentialsBuildOptions,
  type CredentialsOptions,
  type Token,
} from "./src/credentials.ts";
export {
  DeepintBaseError,
  DeepintCredentialsError,
  type DeepintErrorCode,
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
  type HTTPErrorOptions,
  type TimeoutErrorOptions,
} from "./src/errors.ts";
export { type Fetch, type RequestOptions, type TraceContext } from "./src/request.ts";
export { resolveAll, type ResolveAllOptions, type SettledTask } from "./src/resolve_all.ts";
export { pollDelay, type PollInterval, type PollState } from "./src/schedule.ts";
export { Task } from "./src/task.ts";
export { TaskInfo, type TaskInfoDict, TaskStatus } from "./src/task_info.ts";
export {
  type ConnectionOptions,
  type ReadOptions,
  type ResolveOptions,
  type TaskBuildOptions,
  type TaskDict,
  type TaskFromDictOptions,
  type TaskFromUrlOptions,
  type TaskListOptions,
  type TaskOptions,
  type TaskResult,
  type WatchOptions,
  type WorkspaceIds,
} from "./src/task_options.ts";
export {
  parseTaskUrl,
  type ParseTaskUrlOptions,
  type TaskLocation,
  taskUrl,
} from "./src/task_url.ts";
