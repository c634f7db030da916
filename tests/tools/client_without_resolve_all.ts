// What a bundle carries that has no use for `resolveAll`: weighed by tests/tools/sizes.ts.
export {
  Credentials,
  DeepintBaseError,
  DeepintCredentialsError,
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
  elapsedTime,
  parseTaskUrl,
  pollDelay,
  sanitizeText,
  Task,
  TaskInfo,
  TaskStatus,
  taskUrl,
  within,
} from "../../mod.ts";
