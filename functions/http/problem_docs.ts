/** What is said of each problem type at `/problems/{name}`. Apart: few requests ask for it. */
import type { ProblemType } from "./problem.ts";

/** When it happens, and what to do about it. */
export const PROBLEM_DOCS: Record<ProblemType, [about: string, action: string]> = {
  "invalid-request": [
    "The body is not JSON, or a member is missing or malformed: see `errors`.",
    "Correct it.",
  ],
  "unauthorized": [
    "There is no valid bearer key and no valid signature.",
    "Send a key, or sign the exact bytes of the body.",
  ],
  "forbidden": [
    "The organization, workspace, instance or callback is not served here.",
    "Ask whoever runs it to allow it.",
  ],
  "not-found": [
    "No such route (`ROUTE_NOT_FOUND`), task (`TASK_NOT_FOUND`) or watch (`WATCH_NOT_FOUND`).",
    "Check the path or the ids.",
  ],
  "method-not-allowed": [
    "The route does not have this method.",
    "Use one that `Allow` names.",
  ],
  "request-timeout": [
    "The body did not arrive in time.",
    "Send it again.",
  ],
  "content-too-large": [
    "The body is over 20,000 bytes.",
    "Send the task alone.",
  ],
  "unsupported-media-type": [
    "The body is not plain JSON.",
    "Send plain `application/json`.",
  ],
  "task-failed": [
    "`code` and `detail` are the task's own.",
    "Look at it in Deep Intelligence.",
  ],
  "internal-error": [
    "A defect of the endpoint.",
    "Report `request_id`.",
  ],
  "unknown-status": [
    "This version does not know `raw_status`.",
    "Update the endpoint, or look at it in Deep Intelligence.",
  ],
  "upstream-credentials": [
    "Its own token is wrong.",
    "Whoever runs it corrects DEEPINT_TOKEN.",
  ],
  "upstream-unavailable": [
    "It was out of reach, failed, redirected, or sent no task.",
    "Ask again later.",
  ],
  "misconfigured": [
    "A setting is missing or malformed; `detail` names it.",
    "Whoever runs it corrects the setting.",
  ],
  "rate-limited": [
    "Too many requests were made.",
    "Ask again after `Retry-After` seconds.",
  ],
  "task-pending": [
    "It still runs.",
    "Ask again after `Retry-After` seconds.",
  ],
  "watches-unavailable": [
    "There are as many as are allowed (`WATCHES_FULL`), or what keeps them fails.",
    "Ask again later.",
  ],
  "upstream-timeout": [
    "It did not answer in time.",
    "Ask again later.",
  ],
};
