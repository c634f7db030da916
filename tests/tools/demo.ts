/**
 * `deno task demo`: the real endpoint in front of a fake platform, over HTTP on loopback. Shows a response of
 * each class, to a bearer caller and to a sender of webhooks, and that a watch outlives the process that
 * keeps it. Exits with 1 when a response differs from the documentation.
 */
import { isSigned } from "../helpers/endpoint.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import { listen } from "../helpers/listen.ts";
import { type Process, serverArgs, start } from "../helpers/process.ts";
import { startLocalEndpoint } from "../helpers/local_endpoint.ts";
import { say, sayBody, sayRequest, sayResponse, title } from "./demo_output.ts";

const TOKEN = "demo-token-of-the-platform";
const KEY = "demo-key-of-the-caller";
const SECRET = `whsec_${btoa("a demo secret of 28 bytes...")}`;
const CALLBACK_SECRET = `whsec_${btoa("another secret, for callbacks")}`;
const STORE = "dist/demo.kv";

const guard = setTimeout(() => {
  say("The demo did not end within 60 s");
  Deno.exit(1);
}, 60_000);

await using local = startLocalEndpoint({
  token: TOKEN,
  settings: { RESOLVE_API_KEYS: KEY, RESOLVE_WEBHOOK_SECRETS: SECRET },
});
const { platform, instance, origin } = local;

const called = Promise.withResolvers<string>();
await using callback = listen(async (request) => {
  const body = await request.bytes();
  const genuine = await isSigned(request.headers, body, { secrets: [CALLBACK_SECRET] });
  if (genuine) called.resolve(new TextDecoder().decode(body));
  return new Response(null, { status: genuine ? 204 : 401 });
});

await Deno.mkdir("dist", { recursive: true });
await removeStore();
const server = serve();

say(`Fake platform at ${instance}`);
say(`Endpoint at ${origin}`);

/** Location of the tasks. */
const PLACE = { organization: "o-1", workspace: "w-1" };

title("A bearer caller sends the web URL of a task and follows Location");
const training = platform.add({
  ...PLACE,
  id: "t-1",
  name: "train churn model",
  steps: [
    { status: "running", progress: 20, subtask: "reading source", ms: 2_500 },
    { status: "running", progress: 80, subtask: "fitting", ms: 2_500 },
    { status: "success", result: "churn-model", result_type: "model" },
  ],
});
const url = training.webUrl;
const authorization = { authorization: `Bearer ${KEY}` };
let answer = await send("POST", "/resolve", authorization, { url });
expect(answer, 202);
const location = answer.headers.get("location") ?? "";
await pause(answer);
answer = await send("GET", location, authorization);
expect(answer, 202);
await pause(answer);
expect(await send("GET", location, authorization), 200);

title("A request without a key is refused");
expect(await send("POST", "/resolve", {}, { url }), 401);

title("A caller that cannot poll creates a watch; the server is killed and restarted");
const nightly = platform.add({
  ...PLACE,
  id: "t-2",
  name: "import of the night",
  steps: [
    { status: "running", progress: 50, subtask: "copying", ms: 1_500 },
    { status: "success", result: "night", result_type: "source" },
  ],
});
const watching = await originOf(server);
answer = await send("POST", "/watches", authorization, {
  organization_id: nightly.organization,
  workspace_id: nightly.workspace,
  task_id: nightly.id,
  callback_url: `${callback.origin}/ended`,
}, watching);
expect(answer, 202);
const watch = new URL(answer.headers.get("location") ?? "", watching);
await polled(watch);
await server.end("SIGKILL");
say("  (SIGKILL, then a restart; the callback arrives when the task has ended)\n");
const again = serve();

title("A sender of webhooks signs a request and delivers it again after a 503");
const source = platform.add({
  ...PLACE,
  id: "t-3",
  name: "import orders",
  steps: [
    { status: "running", progress: 60, subtask: "copying", ms: 2_000 },
    { status: "success", result: "orders", result_type: "source" },
  ],
});
const ids = {
  organization_id: source.organization,
  workspace_id: source.workspace,
  task_id: source.id,
};
const event = { type: "import.started", timestamp: new Date().toISOString(), data: ids };
answer = await deliver(event);
expect(answer, 503);
await pause(answer);
expect(await deliver(event), 200);

title("A failed task");
const failed = platform.add({
  ...PLACE,
  id: "t-4",
  name: "export to warehouse",
  steps: [{ status: "failed", error_code: "QUOTA", error_description: "The quota is used up" }],
});
expect(
  await send("POST", "/resolve", authorization, {
    organization_id: failed.organization,
    workspace_id: failed.workspace,
    task_id: failed.id,
  }),
  424,
);

title("The platform fails");
platform.inject(() => Response.json({ code: "MAINTENANCE" }, { status: 503 }));
const exporting = platform.add({ ...PLACE, id: "t-5", name: "export to archive" });
expect(await send("POST", "/resolve", authorization, { url: exporting.webUrl }), 502);

title("The callback of the watch has arrived, signed");
sayRequest("POST", "/ended", await called.promise);
await originOf(again);
await again.end("SIGTERM");
await removeStore();
clearTimeout(guard);

say("\nDone.");

async function send(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: unknown,
  to = origin,
): Promise<Response> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  sayRequest(method, path, text);
  const response = await fetch(to + path, {
    method,
    headers: { ...headers, ...(text && { "content-type": "application/json" }) },
    ...(text && { body: text }),
  });
  sayResponse(response.status, response.headers);
  sayBody(await response.text());
  return response;
}

/** Starts a server as `deno task start` does, with its watches in a file. */
function serve(): Process {
  return start(Deno.execPath(), serverArgs(STORE), {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: instance,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_CALLBACK_HOSTS: `127.0.0.1:${callback.port}=${CALLBACK_SECRET}`,
    RESOLVE_KV_PATH: STORE,
    PORT: "0",
  });
}

async function originOf(server: Process): Promise<string> {
  const origin = await server.waitForOutput(/"listening":"(http:[^"]+)\/"/);
  return origin.replace("localhost", "127.0.0.1");
}

/** Waits for the first poll of a watch, so that the kill comes between two polls. */
async function polled(watch: URL): Promise<void> {
  for (;;) {
    const { polls } = await (await fetch(watch, { headers: authorization })).json();
    if (polls > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function removeStore(): Promise<void> {
  for (const end of ["", "-shm", "-wal"]) await Deno.remove(STORE + end).catch(() => {});
}

async function deliver(event: unknown): Promise<Response> {
  const id = "msg_demo";
  const seconds = Math.floor(Date.now() / 1_000);
  const signature = await signWebhook(SECRET, {
    id,
    timestamp: seconds,
    body: JSON.stringify(event),
  });
  return await send("POST", "/resolve", {
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": signature,
  }, event);
}

async function pause(response: Response): Promise<void> {
  const seconds = Number(response.headers.get("retry-after"));
  say(`  (waits ${seconds} s, as Retry-After says)\n`);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
}

function expect(response: Response, status: number): void {
  if (response.status === status) return;
  say(`Expected ${status}, got ${response.status}`);
  Deno.exit(1);
}
