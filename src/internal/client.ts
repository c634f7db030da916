/** Parts of the client that the endpoint needs and `mod.ts` does not export. */
export { type LoadedTask, loadTask, loadTaskOnce, type LoadTaskOptions } from "../load_task.ts";
export { isInProgress, toResult, toTaskDict } from "../task_info.ts";
export { listPages } from "../task_list.ts";
export { resultUrl } from "../task_url.ts";
