// Callers that disconnect from a server, which then aborts its upstream request.
import { assertLess } from "@std/assert";
import { root } from "../helpers/run_deno.ts";
import { SERVER_NAMES, type ServerName } from "../helpers/servers.ts";
import type { Fault } from "./matrix.ts";
import { faultNamed, post, startEntry, TIMEOUT } from "./process.ts";
import { startFaultServer } from "./server.ts";

const BUNDLES = new URL("dist/disconnect/", root);

/** Delays of the disconnect, in ms: before and after a wait has its abort listener. */
const DELAYS = [0, 200];

async function disconnect(name: ServerName, fault: Fault, delay: number) {
  const started = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  const answer: Fault["answer"] = async (socket, request) => {
    started.resolve();
    await fault.answer(socket, request); // until the upstream connection is closed
    aborted.resolve();
    return undefined;
  };
  await using platform = await startFaultServer({ choose: () => ({ ...fault, answer }) });
  await using server = await startEntry(name, { origin: platform.origin, bundles: BUNDLES });
  const controller = new AbortController();
  const startedAt = performance.now();
  const left = post(server, fault, controller.signal).catch(() => {});
  await started.promise;
  await new Promise((resolve) => setTimeout(resolve, delay));
  controller.abort();
  await Promise.all([left, aborted.promise, server.waitForOutput(/"status":499/)]);
  assertLess(performance.now() - startedAt, TIMEOUT, fault.name);
}

for (const name of SERVER_NAMES) {
  Deno.test(`the server for ${name} aborts the upstream request when its caller disconnects`, async () => {
    for (const text of ["no response headers", "headers, then half a body that never ends"]) {
      for (const delay of DELAYS) await disconnect(name, faultNamed(text), delay);
    }
  });
}
