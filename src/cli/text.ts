/** What the command line prints of tasks: plain text for people, and dictionaries for programs. */
import process from "node:process";
import { styleText } from "node:util";
import { printable, type Task, type TaskDict, type TaskInfo, type TaskStatus } from "../../mod.ts";

const COLORS = {
  pending: "yellow",
  running: "cyan",
  success: "green",
  failed: "red",
  unknown: "magenta",
} as const;

/** Whether a stream is a terminal that can be drawn on. */
export function isTerminal(stream: { isTTY?: boolean }): boolean {
  return stream.isTTY === true && process.env.TERM !== "dumb";
}

/** A status, in its color where the stream shows colors. */
export function statusText(status: TaskStatus, stream: { isTTY?: boolean }): string {
  const colors = isTerminal(stream) && !process.env.NO_COLOR;
  return colors ? styleText(COLORS[status], status, { validateStream: false }) : status;
}

/** A duration as people read it: `45 s`, `3 min 05 s`, `2 h 07 min`. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const two = (value: number) => String(value).padStart(2, "0");
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${two(seconds % 60)} s`;
  return `${Math.floor(seconds / 3_600)} h ${two(Math.floor(seconds / 60) % 60)} min`;
}

/** Rows with their columns aligned, by the characters that a terminal shows. */
export function table(rows: string[][]): string {
  // deno-lint-ignore no-control-regex -- the colors of a status take no room
  const width = (text: string) => [...text.replace(/\x1b\[\d+m/g, "")].length;
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => width(row[i] ?? ""))));
  return rows.map((row) =>
    row.map((text, i) => text + " ".repeat((widths[i] ?? 0) - width(text))).join("  ").trimEnd()
  ).join("\n");
}

/** One task, a line for each thing that is known of it. */
export function taskTable(task: Task): string {
  const { info } = task;
  const texts: [string, string | number | null | undefined][] = [
    ["task", task.taskId],
    ["name", info.name],
    ["status", statusText(info.status, process.stdout)],
    ["progress", info.progress === null ? null : `${Math.round(info.progress)} %`],
    ["subtask", info.subtask],
    ["created", info.created?.toISOString()],
    ["duration", info.duration === null ? null : durationText(info.duration)],
    ["user", info.userName ?? info.userId],
    ["description", info.description],
    ["result", resultText(info)],
    ["address", task.resultUrl()?.href],
    ["error", info.errorCode],
    ["reason", info.errorDescription],
  ];
  const known = texts.filter(([, text]) => text !== null && text !== undefined && text !== "");
  return table(known.map(([name, text]) => [name, clean(String(text), name)]));
}

/** The header of {@linkcode listRow}. */
export const LIST_HEADER = ["TASK", "STATUS", "CREATED", "DURATION", "USER", "NAME"];

/** One task of a list. */
export function listRow({ taskId, info }: Task): string[] {
  return [
    taskId,
    statusText(info.status, process.stdout),
    info.created?.toISOString().slice(0, 19).replace("T", " ") ?? "",
    info.duration === null ? "" : durationText(info.duration),
    printable(info.userName ?? "", 24),
    printable(info.name ?? "", 60),
  ];
}

/** `source <id>`, `model <id>`, …; null when the task made nothing. */
export function resultText({ result, resultType }: TaskInfo): string | null {
  return result === null ? null : printable(`${resultType ?? "unknown"} ${result}`);
}

/** A task for programs: as `Task.fromDict` takes it back, with the result's address. */
export function taskJson(task: Task): TaskDict & { result_url: string | null } {
  return { ...task.toDict(), result_url: task.resultUrl()?.href ?? null };
}

// a status has been made here, and may have its color
function clean(text: string, name: string): string {
  return name === "status" ? text : printable(text, 500);
}
