/** Progress of a wait: bars on a terminal, lines elsewhere, nothing with --quiet. Internal. */
// deno-lint-ignore-file no-import-prefix -- `deno install` of a URL sees no import map
import process from "node:process";
import { createLogUpdate } from "npm:log-update@^8.0.0";
import { type Task, TaskStatus } from "../../mod.ts";
import {
  align,
  colorStatus,
  failureOf,
  formatCell,
  isInteractive,
  resultOf,
  style,
  truncate,
  writeLine,
} from "./output.ts";
import { elapsedTime } from "../internal/clock.ts";
import { formatDuration } from "../internal/text.ts";

/** Shows the progress of tasks. */
export interface Progress {
  /** Shows a change of a task. */
  update(task: Task): void;
  /** Ends the row of a task, with the reason if the task has not finished. */
  settle(task: Task, reason?: string): void;
  /** Ends the display and restores the terminal. */
  end(): void;
}

const { stderr } = process;

function renderBar({ info: { status, progress } }: Task, length: number): string {
  const done = status === "success" ? 1 : Math.min(Math.max(progress ?? 0, 0), 100) / 100;
  const full = Math.floor(done * length);
  return colorStatus(status, "█".repeat(full), stderr) + "░".repeat(length - full);
}

function percent({ info: { status, progress } }: Task): string {
  return status === "success" || progress === null ? "" : `${Math.floor(progress)} %`;
}

function outcome(task: Task): string {
  const { status, rawStatus, subtask } = task.info;
  if (rawStatus === null) return ""; // not loaded yet
  if (!TaskStatus.isTerminal(status)) return formatCell(subtask) || status;
  return colorStatus(status, failureOf(task) || resultOf(task) || status, stderr);
}

function elapsed({ info }: Task, started: number): string {
  const ended = TaskStatus.isTerminal(info.status) ? info.duration : null;
  return formatDuration(ended ?? elapsedTime(info.created, started));
}

function lines(started: number): Progress {
  return {
    update(task) {
      const { taskId, info: { name, status } } = task;
      const parts = new Set([status, percent(task), outcome(task), elapsed(task, started)]);
      const text = `${[taskId, formatCell(name)].filter(Boolean).join(" ")}: ${
        [...parts].filter(Boolean).join(", ")
      }`;
      writeLine(text, stderr);
    },
    settle() {},
    end() {},
  };
}

/** Final state of a row. */
interface TaskRow {
  time: string;
  reason: string | undefined;
}

/** Renders one line for each task; where space is short, running tasks come first. */
function renderBars(tasks: Task[], endings: Map<Task, TaskRow>, started: number): string {
  const { columns = 80, rows = 24 } = stderr;
  const room = Math.max(2, rows - 1);
  const shown = tasks.length <= room ? tasks : [
    ...tasks.filter((task) => !endings.has(task)),
    ...tasks.filter((task) => endings.has(task)),
  ].slice(0, room - 1);
  const cells = shown.map((task) => {
    const { time = elapsed(task, started), reason } = endings.get(task) ?? {};
    return [
      truncate(formatCell(task.info.name) || task.taskId, Math.max(8, Math.floor(columns / 4))),
      renderBar(task, Math.min(20, Math.max(4, Math.floor(columns / 5)))),
      percent(task).padStart(5),
      time,
      reason === undefined ? outcome(task) : style("red", reason, stderr),
    ];
  });
  // some terminals wrap after a full line
  const text = align(cells).map((line) => truncate(line, columns - 1));
  if (shown.length < tasks.length) text.push(`… and ${tasks.length - shown.length} more`);
  return text.join("\n");
}

function bars(tasks: Task[], started: number): Progress {
  const screen = createLogUpdate(stderr);
  const endings = new Map<Task, TaskRow>();
  const draw = () => screen(renderBars(tasks, endings, started));
  const timer = setInterval(draw, 1_000); // the elapsed time
  draw();
  return {
    update: draw,
    settle(task, reason) {
      endings.set(task, { time: elapsed(task, started), reason });
      draw();
    },
    end() {
      clearInterval(timer);
      draw();
      screen.done();
    },
  };
}

/** Creates the display that suits standard error. */
export function showProgress(tasks: Task[], { quiet = false } = {}): Progress {
  if (quiet) return { update() {}, settle() {}, end() {} };
  const started = Date.now();
  return isInteractive(stderr) && stderr.columns > 0 ? bars(tasks, started) : lines(started);
}
