// Callers that disconnect from a server, which then aborts its upstream request.
import { assert, assertLess } from "@std/assert";
import { KEY, RUNNING, TOKEN } from "../helpers/endpoint.ts";
import { root } from "../helpers/run_deno.ts";
import { bundleEntries, SERVER_NAMES, startServer } from "../helpers/servers.ts";
import { type Fault, FAULTS } from "./matrix.ts";
import { startFaultServer } from "./server.ts";

const BUNDLES = new URL("dist/disconnect/", root);
const TIMEOUT_MS = 3_000;

/** Delays of the disconnect, in ms: before and after a wait has its abort listener. */
const DELAYS = [0, 200];

let bundled: Promise<void> | undefined;

async function disconnect(name: (typeof SERVER_NAMES)[number], fault: Fault, delay: number) {
  const started = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  const answer: Fault["answer"] = async (socket, request) => {
    started.resolve();
    await fault.answer(socket, request); // until the upstream connection is closed
    aborted.resolve();
    return undefined;
  };
  await using platform = await startFaultServer({ choose: () => ({ ...fault, answer }) });
  await using server = await startServer(name, {
    bundles: BUNDLES,
    settings: {
      DEEPINT_TOKEN: TOKEN,
      DEEPINT_INSTANCE: platform.origin,
      RESOLVE_API_KEYS: KEY,
      RESOLVE_TIMEOUT_MS: String(TIMEOUT_MS),
    },
  });
  const controller = new AbortController();
  const startedAt = performance.now();
  const left = fetch(`http://127.0.0.1:${server.port}/resolve`, {
    method: "POST",
    headers: { "authorization": `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ organization_id: "o-1", workspace_id: "w-1", task_id: RUNNING.id }),
    signal: controller.signal,
  }).catch(() => {});
  await started.promise;
  await new Promise((resolve) => setTimeout(resolve, delay));
  controller.abort();
  await Promise.all([left, aborted.promise, server.waitForOutput(/"status":499/)]);
  assertLess(performance.now() - startedAt, TIMEOUT_MS, fault.name);
}

for (const name of SERVER_NAMES) {
  Deno.test(`the server for ${name} aborts the upstream request when its caller disconnects`, async () => {
    await (bundled ??= bundleEntries(BUNDLES, ["node", "bun"]));
    for (const text of ["no response headers", "headers, then half a body that never ends"]) {
      const fault = FAULTS.find((fault) => fault.name === text);
      assert(fault, text);
      for (const delay of DELAYS) await disconnect(name, fault, delay);
    }
  });
}
