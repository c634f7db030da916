/** Tasks that run whenever somebody asks for them. */
import type { FakePlatform, FakeTask, TaskHandle } from "../helpers/fake_platform.ts";
import type { Step } from "../helpers/fake_task.ts";

/** A task of a known duration. */
export interface RestartingTask extends FakeTask {
  id: string;
  /** Its states until it ends. */
  running: readonly (Step & { ms: number })[];
  /** Its last state. */
  end: Step;
}

/** A caller that waits has asked for the end of its task by then, in ms. */
const UNSEEN_MS = 10_000;

interface Run {
  endsAt: number;
  isSeen: boolean;
}

/**
 * Adds tasks to a platform. A request for a task starts it again when an earlier one has seen its end, or
 * when nobody did for ten seconds.
 */
export function addRestartingTasks(
  platform: FakePlatform,
  tasks: readonly RestartingTask[],
  now: () => number = Date.now,
): TaskHandle[] {
  const runs = new Map<string, Run>();
  const start = ({ running, end, ...fields }: RestartingTask): TaskHandle => {
    const duration = running.reduce((sum, { ms }) => sum + ms, 0);
    runs.set(fields.id, { endsAt: now() + duration, isSeen: false });
    return platform.add({ ...fields, steps: [...running, end] });
  };
  platform.inject(({ method, url }) => {
    const id = new URL(url).pathname.split("/").at(-1) ?? "";
    for (const task of tasks) {
      const run = runs.get(task.id);
      if (!run || now() < run.endsAt) continue;
      if (now() >= run.endsAt + UNSEEN_MS || run.isSeen && id === task.id) start(task);
    }
    const run = runs.get(id);
    if (run && method === "DELETE") run.endsAt = Math.min(run.endsAt, now());
    else if (run && now() >= run.endsAt) run.isSeen = true;
    return undefined;
  }, Infinity);
  return tasks.map(start);
}

/** Creates the states of a task that shows its progress. */
export function progressSteps(
  percentages: readonly number[],
  { ms, subtask }: { ms: number; subtask: (progress: number) => string },
): (Step & { ms: number })[] {
  return percentages.map((progress) => ({
    status: "running",
    progress,
    subtask: subtask(progress),
    ms,
  }));
}
