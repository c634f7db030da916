/** Errors of a command: one line on standard error and an exit code. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import { CommanderError } from "npm:commander@^15.1.0";
import {
  DeepintBaseError,
  DeepintCredentialsError,
  DeepintHTTPError,
  DeepintTaskError,
  DeepintTimeoutError,
} from "../../mod.ts";
import { NAME } from "./command.ts";
import { writeLine } from "./output.ts";
import { sanitizeText } from "../internal/text.ts";

/** The reason of a command that a signal aborted. */
export class Interruption extends Error {
  /** 128 plus the number of the signal, as shells do. */
  readonly exitCode: number;

  /** Creates the reason for a signal. */
  constructor(signal: "SIGINT" | "SIGTERM") {
    super("Interrupted");
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}

function isCredentialsError(error: unknown): boolean {
  return error instanceof DeepintCredentialsError ||
    error instanceof DeepintHTTPError && error.status === 401;
}

/** Returns the remedy for a request without a response, by the reason that the runtime gives. */
function networkAdvice(message: string): string {
  if (/certificate|self.signed|UnknownIssuer/i.test(message)) {
    return "Deno" in globalThis
      ? "to trust its issuer, set DENO_CERT to a PEM file or DENO_TLS_CA_STORE=system"
      : "to trust its issuer, set NODE_EXTRA_CA_CERTS to a PEM file";
  }
  if (/\bdns\b|lookup|getaddrinfo|ENOTFOUND/i.test(message)) {
    return "check the host of the instance and the network";
  }
  // Deno, then Node: the response is not TLS
  if (/corrupt message|wrong version/i.test(message)) {
    return "check that the instance serves https; for http on loopback, pass http://<host>:<port>";
  }
  if (/refused/i.test(message)) return "check the host and port of the instance";
  return "check the network and the instance";
}

function httpAdvice({ status, url, message, retryable }: DeepintHTTPError): string {
  switch (status) {
    case 0:
      return networkAdvice(message);
    case 401:
      return "check the token, and that it is valid for this instance";
    case 403:
      return "check that the token has access to this organization";
    case 404:
      return url.endsWith("/tasks")
        ? "check the ids of organization and workspace"
        : "check the ids of organization, workspace and task";
    default:
      return retryable ? "try again later" : "";
  }
}

function adviceFor(error: unknown): string {
  if (error instanceof DeepintTaskError) {
    if (error.info.status === "unknown") return "open the task in Deep Intelligence";
    const { organizationId, workspaceId, taskId } = error.task;
    return error.code === "TASK_NOT_FINISHED"
      ? `to wait for it, run: ${NAME} wait ${organizationId}/${workspaceId}/${taskId}`
      : "";
  }
  if (error instanceof DeepintTimeoutError) return "allow more time with --timeout";
  return error instanceof DeepintHTTPError ? httpAdvice(error) : "";
}

/** Returns the exit code for an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof Interruption) return error.exitCode;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof RangeError) return 2; // an argument: the client throws it before any request
  if (error instanceof DeepintTimeoutError) return 4;
  if (isCredentialsError(error)) return 5;
  return error instanceof DeepintTaskError && error.info.status === "failed" ? 3 : 1;
}

/** Writes an error on one line: the operation, its object and the remedy. */
export async function reportError(error: unknown): Promise<void> {
  if (error instanceof CommanderError) return; // commander has already written it
  const text = error instanceof DeepintBaseError
    ? String(error)
    : error instanceof Error
    ? error.message
    : String(error);
  const advice = adviceFor(error);
  await writeLine(sanitizeText(`error: ${text}${advice && `; ${advice}`}`, 4_000), process.stderr);
}
