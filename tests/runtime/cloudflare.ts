/** The Worker and its watches on Cloudflare's runtimes. */
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import { isSigned } from "../helpers/endpoint.ts";
import { listen } from "../helpers/listen.ts";
import { root } from "../helpers/run_deno.ts";
import { type Outcome, outputOf, startChild, waitForListener } from "./launch.ts";
import { freePort, make, output, path, workerdConfig } from "./packages.ts";
import { KEY, SECRET, type ServerContext, type TestResult, TOKEN } from "./harness.ts";

/** Name of the test of {@linkcode runWatch}. */
export const WATCH_TEST = "functions/cloudflare.ts delivers the event of a watch on Workflows";

/** Tests `functions/cloudflare.ts` with bindings in workerd. */
export async function runCloudflareEntry(
  binary: string,
  compatibilityDate: string,
  servers: ServerContext,
  signal: AbortSignal,
): Promise<Outcome> {
  await make("functions/cloudflare.ts", path("cloudflare.mjs"));
  const port = freePort();
  const config = path("cloudflare.capnp");
  const bindings = {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: servers.server,
    RESOLVE_WEBHOOK_SECRETS: SECRET,
    RESOLVE_LINK_SECRETS: SECRET,
    RESOLVE_TIMEOUT_MS: "2000",
  };
  const text = workerdConfig("cloudflare.mjs", port, compatibilityDate, bindings);
  await Deno.writeTextFile(config, text);
  const worker = startChild(binary, ["serve", config]);
  const origin = `http://127.0.0.1:${port}`;
  const journeys = {
    "functions/cloudflare.ts resolves a signed request and shows its status page": signedJourney,
    "functions/cloudflare.ts shares one hanging poll among 20 callers": sharedPoll,
  };
  const results: TestResult[] = [];
  for (const [name, journey] of Object.entries(journeys)) {
    try {
      await journey(origin, servers, signal);
      results.push({ name });
    } catch (error) {
      results.push({ name, error: String(error) });
    }
  }
  await worker.end("SIGTERM");
  return { results, output: outputOf(worker) };
}

/** Sends a signed request to the endpoint. */
async function deliver(origin: string, body: string, signal: AbortSignal): Promise<Response> {
  const timestamp = Math.floor(Date.now() / 1000);
  return await fetch(`${origin}/resolve`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": "msg_1",
      "webhook-timestamp": String(timestamp),
      "webhook-signature": await signWebhook(SECRET, { id: "msg_1", timestamp, body }),
    },
    body,
    signal,
  });
}

/** Sends 20 requests for a task that hangs: they must share one poll and all get a response. */
async function sharedPoll(
  origin: string,
  { server }: ServerContext,
  signal: AbortSignal,
): Promise<void> {
  const ids = { organization_id: "o-1", workspace_id: "w-1", task_id: "hang-headers-1" };
  let going = true;
  let most = 0;
  const answers = Promise.all(Array.from({ length: 20 }, async () => {
    const response = await deliver(origin, JSON.stringify(ids), signal);
    await response.body?.cancel();
    return response.status;
  })).finally(() => going = false);
  while (going) {
    const state = await (await fetch(`${server}/control/state`, { signal })).json();
    most = Math.max(most, state.open);
  }
  const statuses = new Set(await answers);
  if (most !== 1 || statuses.size !== 1 || !statuses.has(504)) {
    throw new Error(`${most} polls at once, answers ${[...statuses]}`);
  }
}

async function signedJourney(
  origin: string,
  { server }: ServerContext,
  signal: AbortSignal,
): Promise<void> {
  const steps = [{ status: "running", polls: 1 }, { status: "success", result: "s-1" }];
  const init = { method: "POST", body: JSON.stringify({ steps, result_type: "source" }), signal };
  const { id, organization, workspace } = await (await fetch(`${server}/control/task`, init))
    .json();
  const ids = { organization_id: organization, workspace_id: workspace, task_id: id };
  const body = JSON.stringify({ ...ids, pending: "accepted" });
  await waitForListener(origin, signal);
  let answer = "";
  for (const expected of [202, 200]) {
    const response = await deliver(origin, body, signal);
    answer = await response.text();
    if (response.status !== expected) {
      throw new Error(`${response.status}, not ${expected}: ${answer}`);
    }
  }
  // chunks that load on demand
  for (const path of [JSON.parse(answer).links.status, "/openapi.json"]) {
    const response = await fetch(origin + path, { signal });
    const text = await response.text();
    if (!/<h1|"openapi"/.test(text)) throw new Error(`${path}: ${response.status}: ${text}`);
  }
}

/** Tests watches in the emulator, with a receiver that refuses the first two deliveries. */
export async function runWatch(
  servers: ServerContext,
  signal: AbortSignal,
): Promise<Outcome> {
  const port = freePort();
  const secret = `whsec_${btoa("a secret for callbacks of the watches")}`;
  const deliveries: string[] = [];
  await using receiver = listen(async (request) => {
    const genuine = await isSigned(request.headers, await request.bytes(), {
      secrets: [secret],
    });
    deliveries.push(genuine ? request.headers.get("webhook-id") ?? "none" : "not signed");
    return new Response(null, { status: deliveries.length < 3 ? 500 : 204 });
  });
  const options = {
    host: "127.0.0.1",
    port,
    modules: [{ type: "ESModule", path: path("cloudflare.mjs") }],
    compatibilityDate: "2026-07-30",
    workflows: { WATCHES: { name: "watches", className: "WatchWorkflow" } },
    bindings: {
      DEEPINT_TOKEN: TOKEN,
      DEEPINT_INSTANCE: servers.server,
      RESOLVE_API_KEYS: KEY,
      RESOLVE_CALLBACK_HOSTS: `127.0.0.1:${receiver.port}=${secret}`,
    },
    cf: false, // Miniflare would download it
  };
  const script = new URL("tests/runtime/miniflare.ts", root).href;
  const packages = new URL("node_modules/", output).href;
  const args = ["run", "--no-prompt", "--allow-all", script, packages, JSON.stringify(options)];
  const child = startChild(Deno.execPath(), args);
  let error: string | undefined;
  try {
    await watchJourney(`http://127.0.0.1:${port}`, servers, `${receiver.origin}/`, signal);
    const [id] = deliveries;
    const expected = JSON.stringify([id, id, id]);
    if (JSON.stringify(deliveries) !== expected) throw new Error(`deliveries ${deliveries}`);
  } catch (reason) {
    error = String(reason);
  } finally {
    await child[Symbol.asyncDispose]();
  }
  const result = error === undefined ? { name: WATCH_TEST } : { name: WATCH_TEST, error };
  return { results: [result], output: outputOf(child) };
}

/** Watches one task until its event is delivered, and cancels the watch of another. */
async function watchJourney(
  origin: string,
  { server }: ServerContext,
  callback: string,
  signal: AbortSignal,
): Promise<void> {
  const steps = [{ status: "running", polls: 1 }, { status: "success", result: "s-1" }];
  const authorization = { authorization: `Bearer ${KEY}` };
  const add = async (task: unknown) => {
    const init = { method: "POST", body: JSON.stringify(task), signal };
    const { id, organization, workspace } = await (await fetch(`${server}/control/task`, init))
      .json();
    return { organization_id: organization, workspace_id: workspace, task_id: id };
  };
  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(origin + path, {
      method,
      headers: { ...authorization, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal,
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
  const expect = (actual: unknown, expected: unknown) => {
    if (actual !== expected) throw new Error(`${actual}, not ${expected}`);
  };
  await waitForListener(origin, signal);

  const running = { ...await add({ status: "running" }), callback_url: callback };
  const { location } = await ask("POST", "/watches", running);
  expect((await ask("DELETE", location)).state, "cancelled");
  expect((await ask("POST", "/watches", running)).location, location.replace(/-0$/, "-1"));

  const order = { ...await add({ steps, result_type: "source" }), callback_url: callback };
  const watches = await Promise.all([1, 2, 3].map(() => ask("POST", "/watches", order)));
  expect(new Set(watches.map(({ id }) => id)).size, 1);
  for (;;) {
    const { state, polls, attempts } = await ask("GET", watches[0].location);
    if (state !== "watching") {
      expect(`${state} ${polls} ${attempts}`, "delivered 2 3");
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect((await ask("POST", "/watches", order)).state, "delivered");
}
