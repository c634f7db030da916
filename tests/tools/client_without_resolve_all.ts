// A user of the client without `resolveAll`: tests/tools/sizes.ts measures its bundle.
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
