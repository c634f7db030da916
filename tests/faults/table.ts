/**
 * Runs the fault matrix: one load by the client and one `POST /resolve` per fault. `deno task faults`
 * writes the results to `.github/FAULTS.md`.
 */
import { createApp, type LogEntry, readConfig } from "../../functions/app.ts";
import { Credentials, DeepintHTTPError, DeepintTimeoutError, Task } from "../../mod.ts";
import { TOKEN } from "../helpers/client.ts";
import { type Fault, FAULTS } from "./matrix.ts";
import { type FaultServer, startFaultServer } from "./server.ts";

/** Key of the caller of the endpoint. */
export const KEY = "canary-key-0123456789";

/** The file of the table. */
export const TABLE = new URL("../../.github/FAULTS.md", import.meta.url);

/** Result of a load and its duration. */
export interface Loaded {
  readonly task: Task;
  /** `undefined` if the load succeeded. */
  readonly error: unknown;
  readonly ms: number;
}

/** Loads the task of a fault, with one attempt of at most `requestTimeout` ms. */
export async function load(origin: string, id: string, requestTimeout: number): Promise<Loaded> {
  const ids = { organization_id: "o-1", workspace_id: "w-1", task_id: id };
  const credentials = new Credentials({ token: TOKEN, instance: origin });
  const task = Task.fromDict(ids, { credentials });
  const began = performance.now();
  const loading = task.load({ requestTimeout, retries: 0 });
  const error = await loading.then(() => undefined, (error) => error);
  return { task, error, ms: performance.now() - began };
}

/** Response of an endpoint, its duration and its log entries. */
export interface Resolved {
  readonly response: Response;
  readonly log: LogEntry[];
  readonly ms: number;
}

/** Sends `POST /resolve` for the task of a fault, with a poll timeout of `timeout` ms. */
export async function resolve(origin: string, id: string, timeout: number): Promise<Resolved> {
  const log: LogEntry[] = [];
  const app = createApp(
    readConfig({
      DEEPINT_TOKEN: TOKEN,
      DEEPINT_INSTANCE: origin,
      RESOLVE_API_KEYS: KEY,
      RESOLVE_TIMEOUT_MS: String(timeout),
    }),
    { log: (entry) => log.push(entry) },
  );
  const began = performance.now();
  const response = await app.request("http://localhost/resolve", {
    method: "POST",
    headers: { "authorization": `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ organization_id: "o-1", workspace_id: "w-1", task_id: id }),
  });
  return { response, log, ms: performance.now() - began };
}

/** Runs every fault and creates the table. */
export async function faultTable(): Promise<string> {
  await using server = await startFaultServer();
  const rows = await Promise.all(FAULTS.map((fault) => row(server, fault)));
  return `# Failure matrix

\`deno task faults\` generates this page by running all ${FAULTS.length} cases against a loopback server that fails
on its sockets. \`tests/faults/matrix_test.ts\` compares the page with a run of its own. The client
loads a task once (\`load({ retries: 0 })\`). "Retryable" is the \`retryable\` of its error, with the
\`retryAfter\` that the platform asked for. The endpoint answers \`POST /resolve\` after one poll.

${markdown([["Platform", "Client", "Retryable", "Endpoint"], ...rows])}`;
}

/** Formats a table as `deno fmt` does. */
function markdown(rows: string[][]): string {
  const [head = []] = rows;
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[]) => `| ${cells.join(" | ")} |\n`;
  const [first = "", ...rest] = rows.map((row) =>
    line(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)))
  );
  return [first, line(widths.map((width) => "-".repeat(width))), ...rest].join("");
}

async function row(server: FaultServer, fault: Fault): Promise<string[]> {
  const origin = server.originOf(fault);
  const patience = 2_000;
  const [{ error, task }, { response }] = await Promise.all([
    load(origin, fault.id, patience),
    resolve(origin, fault.id, patience),
  ]);
  const { type, status } = await response.json();
  const problem = /\/problems\/(.*)/.exec(type ?? "")?.[1];
  const endpoint = problem ? `${response.status} \`${problem}\`` : `${response.status} ${status}`;
  return [fault.name, clientResult(error, task), retryable(error), endpoint];
}

function clientResult(error: unknown, task: Task): string {
  if (error === undefined) return `a task that is ${task.info.status}`;
  if (error instanceof DeepintTimeoutError) return `\`${error.code}\``;
  if (!(error instanceof DeepintHTTPError)) throw error;
  return `\`${error.code}\`${error.status ? `, status ${error.status}` : ""}`;
}

function retryable(error: unknown): string {
  const known = error instanceof DeepintHTTPError || error instanceof DeepintTimeoutError;
  if (!known || !error.retryable) return "";
  // dates have a precision of one second
  const seconds = Math.round((error.retryAfter ?? 0) / 5_000) * 5;
  return seconds > 0 ? `after ${seconds.toLocaleString("en")} s` : "yes";
}

if (import.meta.main) await Deno.writeTextFile(TABLE, await faultTable());
