/** Explanations of the problem types, for `/problems/{name}`. Loaded on demand. */
import type { ProblemKind, ProblemType } from "./problem.ts";
import type { ResponseParts } from "./response.ts";

/** Cause and remedy of each problem type. */
export const PROBLEM_DOCS: Record<ProblemType, [cause: string, remedy: string]> = {
  "invalid-request": [
    "The body is not JSON, or a member is missing or malformed. `errors` lists each mistake.",
    "Correct the request and send it again.",
  ],
  "unauthorized": [
    "The request has neither a valid key nor a valid signature.",
    "Send a key, or sign the exact bytes of the body.",
  ],
  "forbidden": [
    "The endpoint does not serve this organization, workspace, instance, callback host or caller.",
    "Ask the operator to allow it. `code` names what was refused.",
  ],
  "not-found": [
    "No such route (`ROUTE_NOT_FOUND`), task (`TASK_NOT_FOUND`) or watch (`WATCH_NOT_FOUND`).",
    "Check the path and the ids. /openapi.json lists the routes.",
  ],
  "method-not-allowed": [
    "The route does not support this method.",
    "Use a method from the `Allow` header.",
  ],
  "request-timeout": [
    "The body did not arrive in time.",
    "Send the request again.",
  ],
  "conflict": [
    "The watch cannot be delivered again: it is still open (`WATCH_OPEN`), or it ended without an event (`WATCH_WITHOUT_EVENT`).",
    "Wait until the watch has ended, or create a new one.",
  ],
  "content-too-large": [
    "The body is larger than 20,000 bytes.",
    "Send only the members that name the task.",
  ],
  "unsupported-media-type": [
    "The body is not declared as plain JSON.",
    "Send `Content-Type: application/json` without `Content-Encoding`.",
  ],
  "task-failed": [
    "The task failed. `code` and `detail` come from the task.",
    "Open the task in Deep Intelligence to see the cause.",
  ],
  "internal-error": [
    "The endpoint has a defect.",
    "Report it to the operator with `request_id`.",
  ],
  "unknown-status": [
    "This version of the endpoint does not know the task's status, `raw_status`.",
    "Ask the operator to update the endpoint, or open the task in Deep Intelligence.",
  ],
  "upstream-credentials": [
    "Deep Intelligence refused the endpoint's own token.",
    "Ask the operator to correct DEEPINT_TOKEN.",
  ],
  "upstream-unavailable": [
    "Deep Intelligence could not be reached, failed, redirected, or did not send a task.",
    "Try again later.",
  ],
  "misconfigured": [
    "A setting is missing or malformed; `detail` names it.",
    "Ask the operator to correct the setting.",
  ],
  "rate-limited": [
    "The endpoint sent too many requests to Deep Intelligence.",
    "Try again after `Retry-After` seconds.",
  ],
  "task-pending": [
    "The task is still running, and the caller asked for an error in that case.",
    "Try again after `Retry-After` seconds.",
  ],
  "watches-unavailable": [
    "The limit of open watches is reached (`WATCHES_FULL`), or their store fails.",
    "Try again after `Retry-After` seconds.",
  ],
  "upstream-timeout": [
    "Deep Intelligence did not respond in time.",
    "Try again later.",
  ],
};

function isProblemType(name: string): name is ProblemType {
  return Object.hasOwn(PROBLEM_DOCS, name);
}

/** Returns the response that explains a problem type, or `undefined` for another name. */
export function explainProblem(
  name: string,
  kinds: Readonly<Record<ProblemType, ProblemKind>>,
): ResponseParts | undefined {
  if (!isProblemType(name)) return undefined;
  const { status, title } = kinds[name];
  const lines = [`${title} (${status} ${name})`, ...PROBLEM_DOCS[name]];
  return {
    status: 200,
    body: `${lines.join("\n\n")}\n`,
    headers: { "content-type": "text/plain; charset=utf-8" },
  };
}
