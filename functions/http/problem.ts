/** Problems (RFC 9457): the error responses of the endpoint. */
import type { ProblemBody } from "./problem_schema.ts";
import type { ResponseParts } from "./response.ts";

/** A problem type. */
export interface ProblemKind {
  /** HTTP status. */
  readonly status: number;
  /** Short summary of the problem type. */
  readonly title: string;
}

const type = (status: number, title: string): ProblemKind => ({ status, title });

/** Every problem type. `problem_docs.ts` explains them. */
export const PROBLEMS = {
  "invalid-request": type(400, "Invalid request"),
  "unauthorized": type(401, "Authentication required"),
  "forbidden": type(403, "Forbidden"),
  "not-found": type(404, "Not found"),
  "method-not-allowed": type(405, "Method not allowed"),
  "request-timeout": type(408, "Request timeout"),
  "conflict": type(409, "Conflict"),
  "content-too-large": type(413, "Content too large"),
  "unsupported-media-type": type(415, "Unsupported media type"),
  "task-failed": type(424, "Task failed"),
  "internal-error": type(500, "Internal error"),
  "unknown-status": type(502, "Unknown task status"),
  "upstream-credentials": type(502, "Deep Intelligence refused the endpoint's token"),
  "upstream-unavailable": type(502, "Deep Intelligence is unavailable"),
  "misconfigured": type(503, "Endpoint misconfigured"),
  "rate-limited": type(503, "Rate limited by Deep Intelligence"),
  "task-pending": type(503, "Task still running"),
  "watches-unavailable": type(503, "Watches unavailable"),
  "upstream-timeout": type(504, "Deep Intelligence did not respond in time"),
};

/** The name of a problem type. */
export type ProblemType = keyof typeof PROBLEMS;

/** Options of {@linkcode HttpProblem}. */
export interface ProblemOptions {
  /** Machine-readable code. @default the name of the type in capitals */
  code?: string;
  /** Errors in the request body, with JSON pointers as URI fragments. */
  errors?: readonly { pointer: string; detail: string }[];
  /** Additional members of the body. */
  extra?: Readonly<Record<string, unknown>>;
  /** Detail for the operator's log; never sent to the caller. */
  hint?: string;
  /** Additional headers of the response. */
  headers?: Readonly<Record<string, string>>;
}

/** Error that becomes a problem response. */
export class HttpProblem extends Error {
  static {
    this.prototype.name = "HttpProblem";
  }
  /** Type of the problem. */
  readonly type: ProblemType;
  /** Options of the problem. */
  readonly options: ProblemOptions;

  /** Creates a problem. `detail` explains this occurrence. */
  constructor(problem: ProblemType, detail: string, options: ProblemOptions = {}) {
    super(detail);
    this.type = problem;
    this.options = options;
  }
}

/** Creates the problem of an unknown path. */
export function routeNotFound(
  detail = "no such route; /openapi.json describes the routes",
): HttpProblem {
  return new HttpProblem("not-found", detail, { code: "ROUTE_NOT_FOUND" });
}

/** Creates the problem of an invalid body. Pointers are JSON pointers as URI fragments. */
export function invalidRequest(errors: { pointer: string; detail: string }[]): HttpProblem {
  const [first] = errors;
  return new HttpProblem("invalid-request", `${first?.pointer}: ${first?.detail}`, { errors });
}

/** Options of {@linkcode toProblemParts}. */
export interface ProblemPartsOptions {
  /** Id of the request. */
  requestId: string;
  /** URL or path in front of the path that explains the problem type. */
  publicUrl: string;
}

/** Converts a problem to the parts of its response. */
export function toProblemParts(
  problem: HttpProblem,
  { requestId, publicUrl }: ProblemPartsOptions,
): ResponseParts & { body: ProblemBody } {
  const { status, title } = PROBLEMS[problem.type];
  const { code, errors, extra, headers } = problem.options;
  return {
    status,
    body: {
      type: `${publicUrl}/problems/${problem.type}`,
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
