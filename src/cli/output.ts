/** Text for people and for programs; nothing that a task says can act on the terminal. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import { styleText } from "node:util";
import sliceAnsi from "npm:slice-ansi@^9.0.1";
import stringWidth from "npm:string-width@^8.3.0";
import type { Task, TaskDict, TaskStatus } from "../../mod.ts";
import { formatDuration, sanitizeText } from "../internal/text.ts";

/** One of the two outputs. */
export type Output = typeof process.stdout | typeof process.stderr;

/** A cell of a table, or what may be none: a task's fields may all be null. */
export type Cell = string | number | Date | null | undefined;

const COLOURS = {
  pending: "yellow",
  running: "cyan",
  success: "green",
  failed: "red",
  unknown: "magenta",
} as const;

/** Whether what is written can be written over, which a pipe and a dumb terminal cannot. */
export function isInteractive(output: Output): boolean {
  return output.isTTY === true && process.env.TERM !== "dumb";
}

/** Emphasis, for a terminal with colours alone; `NO_COLOR` is heard. */
export function style(format: Parameters<typeof styleText>[0], text: string, output: Output) {
  return isInteractive(output) && !process.env.NO_COLOR
    ? styleText(format, text, { validateStream: false })
    : text;
}

/** Text in the colour of a status. */
export function colorStatus(status: TaskStatus, text: string, output: Output): string {
  return style(COLOURS[status], text, output);
}

/** Writes a line, and waits until it is written: lost data is an error, a lost remark is none. */
export function writeLine(text: string, output: Output = process.stdout): Promise<void> {
  return new Promise((resolve, reject) => {
    output.write(
      `${text}\n`,
      (error) => error && output === process.stdout ? reject(error) : resolve(),
    );
  });
}

// within the strings of a JSON document these are the same escaped, and a terminal acts on none
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

function escape(character: string): string {
  return character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}

/** Writes a JSON document on one line. */
export function writeJson(value: unknown): Promise<void> {
  return writeLine(JSON.stringify(value).replace(UNPRINTABLE, escape));
}

/** A cell as text. */
export function formatCell(cell: Cell): string {
  if (cell instanceof Date) return cell.toISOString().replace("T", " ").replace(/\.\d+Z/, "Z");
  return sanitizeText(String(cell ?? ""), 2_000).trim();
}

/** Formats the duration of a finished task; "" if it is unknown. */
export function formatTaskDuration({ info: { duration } }: Task): string {
  return duration === null ? "" : formatDuration(duration);
}

/** Text filled up with spaces to so many columns of a terminal. */
function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - stringWidth(text)));
}

/** Text that takes so many columns of a terminal at most. */
export function truncate(text: string, width: number): string {
  return stringWidth(text) <= width ? text : `${sliceAnsi(text, 0, width - 1)}…`;
}

/** Rows as lines, with the columns below each other. */
export function align(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, i) =>
    rows.reduce((widest, row) => Math.max(widest, stringWidth(row[i] ?? "")), 0)
  );
  return rows.map((row) => row.map((cell, i) => pad(cell, widths[i] ?? 0)).join("  ").trimEnd());
}

/** Writes a table with a heading; one that is to fit has its lines cut off at a terminal's edge. */
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

/** What a task made, in words: `source s-1`. */
export function resultOf({ info }: Task): string {
  if (info.status !== "success" || info.result === null) return "";
  return `${formatCell(info.resultType ?? "unknown")} ${formatCell(info.result)}`;
}

/** Writes what a task made, in words, and its web address; that it made nothing is a remark, no data. */
export async function writeResult(task: Task, { named = false, quiet = false }): Promise<void> {
  const result = resultOf(task);
  if (!result && quiet) return;
  if (!result) return await writeLine(`${task.taskId} made no result`, process.stderr);
  const parts = [named ? task.taskId : "", result, formatCell(task.resultUrl()?.href)];
  await writeLine(parts.filter(Boolean).join("  "));
}

/** A task for programs: as `Task.fromDict` takes it back, with the web address of its result. */
export function toJson(task: Task): TaskDict & { result_url: string | null } {
  return { ...task.toDict(), result_url: task.resultUrl()?.href ?? null };
}

/** Why a task failed, in words. */
export function failureOf({ info }: Task): string {
  if (info.status !== "failed") return "";
  return `${formatCell(info.errorCode || "UNKNOWN")}: ${
    formatCell(info.errorDescription || "no description")
  }`;
}
