// Platforms with many tasks, and waits for them.
import { Credentials, resolveAll, type ResolveAllOptions, Task } from "../../mod.ts";
import { TOKEN } from "./client.ts";
import {
  createFakePlatform,
  type FakePlatform,
  type FakePlatformOptions,
  type FakeTask,
} from "./fake_platform.ts";

/** A successful task, and one that succeeds after some milliseconds. */
export const DONE: FakeTask = { status: "success", result: "s-1", result_type: "source" };
export const running = (ms: number): FakeTask => ({ steps: [{ status: "running", ms }, DONE] });

/** Creates a platform with the tasks `t-0`, `t-1`, …, and a handle of each without loading it. */
export function handlesOf(tasks: FakeTask[], options: FakePlatformOptions = {}) {
  const platform = createFakePlatform({ token: TOKEN, ...options });
  const created = new Date().toISOString();
  const handles = tasks.map((task, index) => {
    const { id, organization, workspace } = platform.add({ id: `t-${index}`, created, ...task });
    return handle(platform, id, { organization, workspace });
  });
  const count = { list: () => platform.count("/tasks?"), get: () => platform.count("/task/") };
  return { platform, handles, count };
}

/** Options of {@linkcode handle}. */
interface HandleOptions {
  organization?: string;
  workspace?: string;
  instance?: string;
}

/** Creates the handle of a task without loading it. */
export function handle(platform: FakePlatform, id: string, options: HandleOptions = {}): Task {
  const { organization = "organization-1", workspace = "workspace-1", instance } = options;
  const dict = { organization_id: organization, workspace_id: workspace, task_id: id };
  const credentials = new Credentials({ token: TOKEN, instance });
  return Task.fromDict(dict, { credentials, fetch: platform.fetch });
}

/** Returns the ids in the order in which they settle; an error's code follows its id. */
export async function order(tasks: Iterable<Task>, options?: ResolveAllOptions): Promise<string[]> {
  return await Array.fromAsync(
    resolveAll(tasks, options),
    ({ task, error }) => error ? `${task.taskId} ${error.code}` : task.taskId,
  );
}

/** Returns the second at which each task settles, or the code of its error. */
export async function collect(tasks: Iterable<Task>, options?: ResolveAllOptions) {
  const started = Date.now();
  const settled: Record<string, number | string> = {};
  for await (const { task, error } of resolveAll(tasks, options)) {
    settled[task.taskId] = error?.code ?? (Date.now() - started) / 1_000;
  }
  return settled;
}
