/** Output for people and for programs. The texts of a task cannot control the terminal. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import { styleText } from "node:util";
import sliceAnsi from "npm:slice-ansi@^9.0.1";
import stringWidth from "npm:string-width@^8.3.0";
import type { Task, TaskDict, TaskStatus } from "../../mod.ts";
import { formatDuration } from "../internal/duration.ts";
import { sanitizeText } from "../internal/text.ts";

/** Standard output or standard error. */
export type Output = typeof process.stdout | typeof process.stderr;

/** A cell of a table; most fields of a task may be null. */
export type Cell = string | number | Date | null | undefined;

const COLOURS = {
  pending: "yellow",
  running: "cyan",
  success: "green",
  failed: "red",
  unknown: "magenta",
} as const;

/** Returns `true` for a terminal that understands escape sequences. */
export function isInteractive(output: Output): boolean {
  return output.isTTY === true && process.env.TERM !== "dumb";
}

/** Styles text on a terminal, unless `NO_COLOR` is set. */
export function style(format: Parameters<typeof styleText>[0], text: string, output: Output) {
  return isInteractive(output) && !process.env.NO_COLOR
    ? styleText(format, text, { validateStream: false })
    : text;
}

/** Colours text by a status. */
export function colorStatus(status: TaskStatus, text: string, output: Output): string {
  return style(COLOURS[status], text, output);
}

/** Writes a line and waits until it is written. Rejects only for lost data, on standard output. */
export function writeLine(text: string, output: Output = process.stdout): Promise<void> {
  return new Promise((resolve, reject) => {
    output.write(
      `${text}\n`,
      (error) => error && output === process.stdout ? reject(error) : resolve(),
    );
  });
}

// in the strings of a JSON document these may be escaped; unescaped, a terminal may act on them
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

function escape(character: string): string {
  return character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}

/** Writes a JSON document on one line. */
export function writeJson(value: unknown): Promise<void> {
  return writeLine(JSON.stringify(value).replace(UNPRINTABLE, escape));
}

/** Formats a cell as text. */
export function formatCell(cell: Cell): string {
  if (cell instanceof Date) return cell.toISOString().replace("T", " ").replace(/\.\d+Z/, "Z");
  return sanitizeText(String(cell ?? ""), 2_000).trim();
}

/** Formats the duration of a finished task; "" if it is unknown. */
export function formatTaskDuration({ info: { duration } }: Task): string {
  return duration === null ? "" : formatDuration(duration);
}

/** Pads text with spaces to a number of columns. */
function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - stringWidth(text)));
}

/** Truncates text to a number of columns. */
export function truncate(text: string, width: number): string {
  return stringWidth(text) <= width ? text : `${sliceAnsi(text, 0, width - 1)}…`;
}

/** Formats rows as lines with aligned columns. */
export function align(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, i) =>
    rows.reduce((widest, row) => Math.max(widest, stringWidth(row[i] ?? "")), 0)
  );
  return rows.map((row) => row.map((cell, i) => pad(cell, widths[i] ?? 0)).join("  ").trimEnd());
}

/** Writes a table with a heading. With `fit`, truncates its lines to the width of the terminal. */
export async function writeTable(
  heading: string[],
  rows: string[][],
  { fit = false } = {},
): Promise<void> {
  const { stdout } = process;
  const lines = align([heading.map((title) => style("bold", title, stdout)), ...rows]);
  const width = fit && isInteractive(stdout) ? stdout.columns || 80 : Infinity;
  for (const line of lines) await writeLine(truncate(line, width));
}

/** Formats the result of a task: `source s-1`; "" if it has none. The URL of a file is never cut. */
export function resultOf({ info }: Task): string {
  if (info.status !== "success" || info.result === null) return "";
  const result = sanitizeText(info.result, Infinity).trim();
  return `${formatCell(info.resultType ?? "unknown")} ${result}`;
}

/** Returns the web address of a source or model; "" for any other result. */
export function resultAddress(task: Task): string {
  const { status, resultType } = task.info;
  const hasAddress = status === "success" && resultType !== "file"; // a file's result is its URL
  return hasAddress ? formatCell(task.resultUrl()?.href) : "";
}

/** Writes the result of a task and its web address. "No result" goes to standard error. */
export async function writeResult(task: Task, { named = false, quiet = false }): Promise<void> {
  const result = resultOf(task);
  if (!result && quiet) return;
  if (!result) return await writeLine(`${task.taskId} has no result`, process.stderr);
  const parts = [named ? task.taskId : "", result, resultAddress(task)];
  await writeLine(parts.filter(Boolean).join("  "));
}

/** Converts a task for programs: the form of `Task.fromDict`, with the web address of its result. */
export function toJson(task: Task): TaskDict & { result_url: string | null } {
  return { ...task.toDict(), result_url: task.resultUrl()?.href ?? null };
}

/** Formats the state of a task in a few words: `running`, `success source s-1`, `failed QUOTA`. */
export function formatState(task: Task): string {
  const { status, errorCode } = task.info;
  const detail = status === "failed" ? formatCell(errorCode || "UNKNOWN") : resultOf(task);
  return [status, detail].filter(Boolean).join(" ");
}

/** Formats the error of a failed task: `<code>: <description>`; "" if it did not fail. */
export function failureOf({ info }: Task): string {
  if (info.status !== "failed") return "";
  return `${formatCell(info.errorCode || "UNKNOWN")}: ${
    formatCell(info.errorDescription || "no description")
  }`;
}
