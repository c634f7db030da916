/** Access of the endpoint to the pages of a workspace's list, which the client does not export. */
import type { listPages } from "../task_list.ts";

/** Functions that the client's modules set when they are loaded. */
export const clientInternals: {
  /** Reads the list of a workspace page by page. */
  listPages?: typeof listPages;
} = {};
