/** Server entries as processes, in front of the server of the faults. */
import { assert } from "@std/assert";
import { TOKEN } from "../helpers/client.ts";
import {
  bundleEntries,
  type ServerName,
  type ServerProcess,
  startServer,
} from "../helpers/servers.ts";
import { type Fault, FAULTS } from "./matrix.ts";
import { KEY } from "./table.ts";

/** Deadline of a poll in ms. */
export const TIMEOUT = 3_000;

/** Returns the fault of that name. */
export function faultNamed(name: string): Fault {
  const fault = FAULTS.find((fault) => fault.name === name);
  assert(fault, name);
  return fault;
}

let bundled: Promise<void> | undefined;

/** Starts an entry whose instance is `origin`. The first call of a file builds its bundles. */
export async function startEntry(
  name: ServerName,
  { origin, bundles }: { origin: string; bundles: URL },
): Promise<ServerProcess> {
  await (bundled ??= bundleEntries(bundles, ["node", "bun"]));
  return await startServer(name, {
    bundles,
    settings: {
      DEEPINT_TOKEN: TOKEN,
      DEEPINT_INSTANCE: origin,
      RESOLVE_API_KEYS: KEY,
      RESOLVE_TIMEOUT_MS: String(TIMEOUT),
    },
  });
}

/** Sends `POST /resolve` for the task of a fault. */
export function post(
  { port }: ServerProcess,
  { id }: Fault,
  signal: AbortSignal | null = null,
): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/resolve`, {
    method: "POST",
    headers: { "authorization": `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ organization_id: "o-1", workspace_id: "w-1", task_id: id }),
    signal,
  });
}
