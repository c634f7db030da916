/** Problems (RFC 9457): every kind of error answer, and the one function that makes one. */
import type { ProblemBody } from "./problem_schema.ts";
import type { ResponseParts } from "./response.ts";

/** A problem type: the status of the answer, and what it is, in short. */
export interface ProblemKind {
  /** The status of the answer. */
  readonly status: number;
  /** What it is, in short. */
  readonly title: string;
}

const type = (status: number, title: string): ProblemKind => ({ status, title });

/** Every problem type; `problem_page.ts` explains them. */
export const PROBLEMS = {
  "invalid-request": type(400, "The request is not valid"),
  "unauthorized": type(401, "Authentication is needed"),
  "forbidden": type(403, "Not allowed"),
  "not-found": type(404, "Not found"),
  "method-not-allowed": type(405, "Method not allowed"),
  "request-timeout": type(408, "The request took too long"),
  "content-too-large": type(413, "The request is too large"),
  "unsupported-media-type": type(415, "Unsupported media type"),
  "task-failed": type(424, "The task failed"),
  "internal-error": type(500, "Internal error"),
  "unknown-status": type(502, "The task has an unknown status"),
  "upstream-credentials": type(502, "Deep Intelligence refused the endpoint"),
  "upstream-unavailable": type(502, "Deep Intelligence gave no usable answer"),
  "misconfigured": type(503, "The endpoint is misconfigured"),
  "rate-limited": type(503, "Deep Intelligence limits the rate"),
  "task-pending": type(503, "The task has not ended"),
  "watches-unavailable": type(503, "No watch can be kept"),
  "upstream-timeout": type(504, "Deep Intelligence took too long"),
};

/** The name of a problem type. */
export type ProblemType = keyof typeof PROBLEMS;

/** What a {@linkcode HttpProblem} tells beside its name. */
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
export class HttpProblem extends Error {
  static {
    this.prototype.name = "HttpProblem";
  }
  /** Which problem. */
  readonly type: ProblemType;
  /** What else there is to tell. */
  readonly options: ProblemOptions;

  /** Makes a problem; `detail` is for people, and about this occurrence: by default the title. */
  constructor(problem: ProblemType, detail?: string, options: ProblemOptions = {}) {
    super(detail ?? PROBLEMS[problem].title);
    this.type = problem;
    this.options = options;
  }
}

/** Creates the problem of an invalid body. Pointers are JSON pointers as URI fragments. */
export function invalidRequest(errors: { pointer: string; detail: string }[]): HttpProblem {
  const [first] = errors;
  return new HttpProblem("invalid-request", `${first?.pointer} ${first?.detail}`, { errors });
}

/** Options of {@linkcode toProblemParts}. */
export interface ProblemPartsOptions {
  /** Id of the request. */
  requestId: string;
  /** Prefix of the path that explains the problem type. */
  basePath: string;
}

/** Converts a problem to the parts of its response. */
export function toProblemParts(
  problem: HttpProblem,
  { requestId, basePath }: ProblemPartsOptions,
): ResponseParts & { body: ProblemBody } {
  const { status, title } = PROBLEMS[problem.type];
  const { code, errors, extra, headers } = problem.options;
  return {
    status,
    body: {
      type: `${basePath}/problems/${problem.type}`,
      title,
      status,
      detail: problem.message,
      code: code ?? problem.type.toUpperCase().replaceAll("-", "_"),
      request_id: requestId,
      ...(errors && { errors: [...errors] }),
      ...extra,
    },
    headers: { "content-type": "application/problem+json", ...headers },
  };
}
