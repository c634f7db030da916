/** The task of every measurement, as the platform sends it. */

/** Token of the platform. */
export const TOKEN = "bench-token-0123456789";

/** All fields of the task, with an id of its own. */
export const TASK = {
  id: "task-00-0",
  user_id: "5f3a7f0e-8a4a-4f7c-9f55-6d0a1f0a9c11",
  user_name: "analyst",
  created: "2026-01-01T00:00:00.000Z",
  status: "running",
  duration: 120_000,
  name: "train churn model",
  description: "A classifier of the customers that leave within a quarter",
  progress: 42,
  subtask: "fitting",
  result: null,
  result_type: null,
  error_code: null,
  error_description: null,
};

/** The workspace whose tasks are finished. */
export const FINISHED_WORKSPACE = "workspace-2";

/** Returns the path of a task on the platform. */
export const UPSTREAM_PATH = (workspace: string, task: string) =>
  `/api/v1/workspace/${workspace}/task/${task}`;
