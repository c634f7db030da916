// What a bundle carries that has no use for `resolveAll`: weighed by tests/tools/sizes.ts.
export {
  Credentials,
  DeepintBaseError,
  DeepintCredentialsError,
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
  parseTaskUrl,
  pollDelay,
  Task,
  TaskInfo,
  TaskStatus,
  taskUrl,
} from "../../mod.ts";
