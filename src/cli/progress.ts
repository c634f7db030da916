/** Progress of a wait: bars on a terminal, lines elsewhere, nothing with --quiet. Internal. */
import process from "node:process";
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
import { createScreen } from "./screen.ts";
import { elapsedTime } from "../internal/clock.ts";
import { formatDuration } from "../internal/duration.ts";

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
  return status === "success" || progress === null ? "" : `${Math.floor(progress)}%`;
}

function outcome(task: Task): string {
  const { status, rawStatus, subtask } = task.info;
  if (rawStatus === null) return ""; // not loaded yet
  if (!TaskStatus.isTerminal(status)) return formatCell(subtask) || status;
  const text = status === "failed" ? `failed ${failureOf(task)}` : resultOf(task) || status;
  return colorStatus(status, text, stderr);
}

function elapsed({ info }: Task, started: number): string {
  const ended = TaskStatus.isTerminal(info.status) ? info.duration : null;
  return formatDuration(ended ?? elapsedTime(info.created, started));
}

function lines(started: number): Progress {
  const written = new Map<Task, string>();
  const update = (task: Task) => {
    const { taskId, info: { name, status } } = task;
    const title = [taskId, formatCell(name)].filter(Boolean).join(" ");
    const parts = new Set([status === "failed" ? "" : status, percent(task), outcome(task)]);
    const text = `${title}: ${[...parts].filter(Boolean).join(", ")}`;
    if (written.get(task) === text) return;
    written.set(task, text);
    writeLine(`${text}, ${elapsed(task, started)}`, stderr);
  };
  return {
    update,
    settle(task) {
      if (TaskStatus.isTerminal(task.info.status)) update(task);
    },
    end() {},
  };
}

/** Final state of a row. */
interface TaskRow {
  time: string;
  reason: string | undefined;
}

/** Renders one line for each task; where space is short, running tasks come first. */
function renderBars(tasks: Task[], endings: Map<Task, TaskRow>, started: number): string[] {
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
      percent(task).padStart(4),
      time,
      reason === undefined ? outcome(task) : style("red", reason, stderr),
    ];
  });
  // some terminals wrap after a full line
  const text = align(cells).map((line) => truncate(line, columns - 1));
  if (shown.length < tasks.length) text.push(`… and ${tasks.length - shown.length} more`);
  return text;
}

function bars(tasks: Task[], started: number): Progress {
  const endings = new Map<Task, TaskRow>();
  const draw = () => screen.draw(renderBars(tasks, endings, started));
  const screen = createScreen(stderr, draw);
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
      screen.end();
    },
  };
}

/** Creates the display that suits standard error. */
export function showProgress(tasks: Task[], { quiet = false } = {}): Progress {
  if (quiet) return { update() {}, settle() {}, end() {} };
  const started = Date.now();
  return isInteractive(stderr) && stderr.columns > 0 ? bars(tasks, started) : lines(started);
}
