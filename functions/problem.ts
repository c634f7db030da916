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

/** Every problem type. */
export const PROBLEMS = {
  "invalid-request": {
    status: 400,
    title: "The request is not valid",
    about: "The body is not JSON, or a member is missing or malformed: see `errors`.",
    action: "Correct it.",
  },
  "unauthorized": {
    status: 401,
    title: "Authentication is needed",
    about: "There is no valid bearer key and no valid Standard Webhooks signature.",
    action: "Send `Authorization: Bearer <key>`, or sign the exact bytes of the body.",
  },
  "forbidden": {
    status: 403,
    title: "Not allowed",
    about: "The organization, workspace or instance is not one that is served here.",
    action: "Ask whoever runs the endpoint to allow it.",
  },
  "not-found": {
    status: 404,
    title: "Not found",
    about: "No such route (`ROUTE_NOT_FOUND`), or no such task (`TASK_NOT_FOUND`).",
    action: "Check the path, or the ids of the task.",
  },
  "method-not-allowed": {
    status: 405,
    title: "Method not allowed",
    about: "The route does not have this method.",
    action: "Use a method named in `Allow`.",
  },
  "request-timeout": {
    status: 408,
    title: "The request took too long",
    about: "The body did not arrive in time.",
    action: "Send it again.",
  },
  "content-too-large": {
    status: 413,
    title: "The request is too large",
    about: "The body is over 20,000 bytes.",
    action: "Send the task alone.",
  },
  "unsupported-media-type": {
    status: 415,
    title: "Unsupported media type",
    about: "The body is not declared as JSON, or it is encoded.",
    action: "Send plain `application/json`.",
  },
  "task-failed": {
    status: 424,
    title: "The task failed",
    about: "`code` and `detail` are the task's own.",
    action: "Look at the task in Deep Intelligence; asking again changes nothing.",
  },
  "internal-error": {
    status: 500,
    title: "Internal error",
    about: "A defect of the endpoint.",
    action: "Report it with `request_id`, which the log has too.",
  },
  "unknown-status": {
    status: 502,
    title: "The task has an unknown status",
    about: "This version does not know `raw_status`.",
    action: "Update the endpoint, or look at the task in Deep Intelligence.",
  },
  "upstream-credentials": {
    status: 502,
    title: "Deep Intelligence refused the endpoint",
    about: "The endpoint's own token is wrong, or may not see the task.",
    action: "Whoever runs the endpoint corrects DEEPINT_TOKEN.",
  },
  "upstream-unavailable": {
    status: 502,
    title: "Deep Intelligence gave no usable answer",
    about: "It could not be reached, failed, redirected, or sent what is not a task.",
    action: "Ask again later.",
  },
  "misconfigured": {
    status: 503,
    title: "The endpoint is misconfigured",
    about: "A setting is missing or malformed; `detail` names it.",
    action: "Whoever runs the endpoint corrects it.",
  },
  "rate-limited": {
    status: 503,
    title: "Deep Intelligence limits the rate",
    about: "The endpoint's token has made too many requests.",
    action: "Ask again after `Retry-After` seconds.",
  },
  "task-pending": {
    status: 503,
    title: "The task has not ended",
    about: "It still runs, and the caller wanted an error until it ends.",
    action: "Ask again after `Retry-After` seconds.",
  },
  "upstream-timeout": {
    status: 504,
    title: "Deep Intelligence took too long",
    about: "It did not answer in time.",
    action: "Ask again later.",
  },
} as const satisfies Record<string, ProblemType>;

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

  /** Makes a problem; `detail` is for people, and about this occurrence. */
  constructor(problem: ProblemName, detail: string, options: ProblemOptions = {}) {
    super(detail);
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
