/**
 * `load()` and `resolve()` compared with bare `fetch` and `json()`, on Deno, Node or Bun. The argument is
 * the origin of the upstream. Prints a {@linkcode Block} for each block as a line of JSON.
 */
import process from "node:process";
import { Credentials, Task } from "../../mod.ts";
import { FINISHED_WORKSPACE, TASK, TOKEN, UPSTREAM_PATH } from "./task.ts";

/** Mean times of one call in a block, in ms. */
export interface Block {
  fetch: number;
  load: number;
  resolve: number;
}

const CALLS = 200;
const WARM_UPS = 20;
const BLOCKS = 21;
const [instance = ""] = process.argv.slice(2);
const ids = { organization_id: "organization-1", task_id: TASK.id };
const credentials = new Credentials({ token: TOKEN, instance });
const running = Task.fromDict({ ...ids, workspace_id: "workspace-1" }, { credentials });
const finished = { ...ids, workspace_id: FINISHED_WORKSPACE };

const operations: Record<keyof Block, () => Promise<unknown>> = {
  async fetch() {
    const response = await fetch(instance + UPSTREAM_PATH("workspace-1", TASK.id), {
      headers: {
        "accept": "application/json",
        "x-auth-token": TOKEN,
        "x-deepint-organization": "organization-1",
      },
    });
    return await response.json();
  },
  load: () => running.load(),
  resolve: () => Task.fromDict(finished, { credentials }).resolve(),
};

async function measure(operation: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  for (let call = 0; call < CALLS; call++) await operation();
  return (performance.now() - startedAt) / CALLS;
}

const names: (keyof Block)[] = ["fetch", "load", "resolve"];
for (let at = 0; at < WARM_UPS + BLOCKS; at++) {
  const block: Block = { fetch: 0, load: 0, resolve: 0 };
  // alternate the direction, so that no operation always follows the same one
  for (const name of at % 2 ? names : names.toReversed()) {
    block[name] = await measure(operations[name]);
  }
  // deno-lint-ignore no-console -- the output is the result
  if (at >= WARM_UPS) console.log(JSON.stringify(block));
}
process.exit(0); // without waiting for idle connections
