/** Problems (RFC 9457): every kind of error answer, and the one function that makes one. */
import { reply } from "./reply.ts";

/** A problem type. */
export interface ProblemType {
  /** The status of the answer. */
  readonly status: number;
  /** What it is, in short. */
  readonly title: string;
  /** When it happens. */
  readonly about: string;
  /** What to do about it. */
  readonly action: string;
}

const type = (status: number, title: string, about: string, action: string): ProblemType => (
  { status, title, about, action }
);

/** Every problem type. */
export const PROBLEMS = {
  "invalid-request": type(
    400,
    "The request is not valid",
    "The body is not JSON, or a member is missing or malformed: see `errors`.",
    "Correct it.",
  ),
  "unauthorized": type(
    401,
    "Authentication is needed",
    "There is no valid bearer key and no valid signature.",
    "Send a key, or sign the exact bytes of the body.",
  ),
  "forbidden": type(
    403,
    "Not allowed",
    "The organization, workspace, instance or callback is not served here.",
    "Ask whoever runs it to allow it.",
  ),
  "not-found": type(
    404,
    "Not found",
    "No such route (`ROUTE_NOT_FOUND`), task (`TASK_NOT_FOUND`) or watch (`WATCH_NOT_FOUND`).",
    "Check the path or the ids.",
  ),
  "method-not-allowed": type(
    405,
    "Method not allowed",
    "The route does not have this method.",
    "Use one that `Allow` names.",
  ),
  "request-timeout": type(
    408,
    "The request took too long",
    "The body did not arrive in time.",
    "Send it again.",
  ),
  "content-too-large": type(
    413,
    "The request is too large",
    "The body is over 20,000 bytes.",
    "Send the task alone.",
  ),
  "unsupported-media-type": type(
    415,
    "Unsupported media type",
    "The body is not plain JSON.",
    "Send plain `application/json`.",
  ),
  "task-failed": type(
    424,
    "The task failed",
    "`code` and `detail` are the task's own.",
    "Look at it in Deep Intelligence.",
  ),
  "internal-error": type(
    500,
    "Internal error",
    "A defect of the endpoint.",
    "Report `request_id`.",
  ),
  "unknown-status": type(
    502,
    "The task has an unknown status",
    "This version does not know `raw_status`.",
    "Update the endpoint, or look at it in Deep Intelligence.",
  ),
  "upstream-credentials": type(
    502,
    "Deep Intelligence refused the endpoint",
    "Its own token is wrong.",
    "Whoever runs it corrects DEEPINT_TOKEN.",
  ),
  "upstream-unavailable": type(
    502,
    "Deep Intelligence gave no usable answer",
    "It was out of reach, failed, redirected, or sent no task.",
    "Ask again later.",
  ),
  "misconfigured": type(
    503,
    "The endpoint is misconfigured",
    "A setting is missing or malformed; `detail` names it.",
    "Whoever runs it corrects the setting.",
  ),
  "rate-limited": type(
    503,
    "Deep Intelligence limits the rate",
    "Too many requests were made.",
    "Ask again after `Retry-After` seconds.",
  ),
  "task-pending": type(
    503,
    "The task has not ended",
    "It still runs.",
    "Ask again after `Retry-After` seconds.",
  ),
  "watches-unavailable": type(
    503,
    "No watch can be kept",
    "There are as many as are allowed (`WATCHES_FULL`), or what keeps them fails.",
    "Ask again later.",
  ),
  "upstream-timeout": type(
    504,
    "Deep Intelligence took too long",
    "It did not answer in time.",
    "Ask again later.",
  ),
};

/** The name of a problem type. */
export type ProblemName = keyof typeof PROBLEMS;

/** What a {@linkcode Problem} tells beside its name. */
export interface ProblemOptions {
  /** For code to decide on, where the name is not enough. @default the name, as `NAME` */
  code?: string;
  /** Where in the body something is wrong: JSON pointers as URI fragments. */
  errors?: readonly { pointer: string; detail: string }[];
  /** More members of the body. */
  extra?: Readonly<Record<string, unknown>>;
  /** For the log alone. */
  hint?: string;
  /** More headers of the answer. */
  headers?: Readonly<Record<string, string>>;
}

/** An error answer, thrown by whatever finds that there is a problem. */
export class Problem extends Error {
  static {
    this.prototype.name = "Problem";
  }
  /** Which problem. */
  readonly problem: ProblemName;
  /** What else there is to tell. */
  readonly options: ProblemOptions;

  /** Makes a problem; `detail` is for people, and about this occurrence: by default the title. */
  constructor(problem: ProblemName, detail?: string, options: ProblemOptions = {}) {
    super(detail ?? PROBLEMS[problem].title);
    this.problem = problem;
    this.options = options;
  }
}

/** Makes the answer of a problem. `basePath` precedes the path of the page that explains its type. */
export function problemResponse(problem: Problem, requestId: string, basePath: string): Response {
  const { status, title } = PROBLEMS[problem.problem];
  const { code, errors, extra, headers } = problem.options;
  const body = {
    type: `${basePath}/problems/${problem.problem}`,
    title,
    status,
    detail: problem.message,
    code: code ?? problem.problem.toUpperCase().replaceAll("-", "_"),
    request_id: requestId,
    ...(errors && { errors }),
    ...extra,
  };
  return reply(requestId, status, body, { "content-type": "application/problem+json", ...headers });
}
