/** How a wait looks while it lasts: a bar a task on a terminal, a line a change elsewhere. */
import process from "node:process";
import cliProgress from "cli-progress";
import { printable, type Task, type TaskInfo } from "../../mod.ts";
import { durationText, isTerminal, statusText } from "./text.ts";

/** Characters of a bar. */
const SIZE = 24;

/** Shows how tasks go on, on standard error. */
export interface Progress {
  /** Shows what is known of a task now. */
  show(task: Task, info: TaskInfo): void;
  /** Leaves the terminal as it was found, with the last state above the cursor. */
  end(): void;
}

/** Starts to show the progress of tasks. */
export function showProgress(tasks: Task[], quiet: boolean): Progress {
  if (quiet) return { show() {}, end() {} };
  return isTerminal(process.stderr) ? bars(tasks) : lines();
}

function lines(): Progress {
  return {
    show(task, info) {
      process.stderr.write(
        [task.taskId, info.status, percent(info), printable(info.subtask ?? "")].filter(Boolean)
          .join(" ") + "\n",
      );
    },
    end() {},
  };
}

function bars(tasks: Task[]): Progress {
  const began = Date.now();
  const all = new cliProgress.MultiBar({
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: false,
    emptyOnZero: true,
    fps: 4,
    gracefulExit: false, // an interrupt is ours to handle
    format: (
      _options: unknown,
      { progress }: { progress: number },
      { task, ended }: { task: Task; ended?: number },
    ) => {
      const { info } = task;
      const full = Math.round(progress * SIZE);
      const from = info.created?.getTime() ?? began;
      return [
        "█".repeat(full) + "░".repeat(SIZE - full),
        percent(info).padStart(5),
        statusText(info.status, process.stderr),
        durationText((ended ?? Date.now()) - from),
        printable(info.name ?? task.taskId, 40),
        printable(info.subtask ?? "", 40),
      ].filter(Boolean).join("  ");
    },
  });
  const shown = new Map(tasks.map((task) => [task, all.create(100, 0, { task })]));
  return {
    show(task, info) {
      const ended = info.status === "success" || info.status === "failed";
      const value = info.status === "success"
        ? 100
        : Math.min(Math.max(info.progress ?? 0, 0), 100);
      shown.get(task)?.update(value, { task, ...ended && { ended: Date.now() } });
    },
    end() {
      all.update();
      all.stop();
    },
  };
}

function percent({ status, progress }: TaskInfo): string {
  if (status === "success") return "100 %";
  return progress === null ? "" : `${Math.round(progress)} %`;
}
