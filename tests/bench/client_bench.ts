/** Cost of client operations compared with the minimal code for the same work; runs with `deno bench`. */
import { Webhook } from "standardwebhooks";
import { webhookVerifier } from "../../functions/auth/webhook.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import { Credentials, Task, TaskInfo } from "../../mod.ts";
import { TASK, TOKEN, UPSTREAM_PATH } from "./task.ts";

const instance = Deno.env.get("BENCH_UPSTREAM") ?? "";
const ids = { organization_id: "organization-1", workspace_id: "workspace-1", task_id: TASK.id };
const task = Task.fromDict(ids, { credentials: new Credentials({ token: TOKEN, instance }) });

Deno.bench("fetch and json()", { group: "load()", baseline: true }, async () => {
  const response = await fetch(instance + UPSTREAM_PATH("workspace-1", TASK.id), {
    headers: {
      "accept": "application/json",
      "x-auth-token": TOKEN,
      "x-deepint-organization": "organization-1",
    },
  });
  await response.json();
});

Deno.bench("load()", { group: "load()" }, async () => {
  await task.load();
});

const body = JSON.stringify(TASK);

Deno.bench("JSON.parse", { group: "TaskInfo.fromDict" }, () => {
  JSON.parse(body);
});

Deno.bench("JSON.parse and TaskInfo.fromDict", { group: "TaskInfo.fromDict" }, () => {
  TaskInfo.fromDict(JSON.parse(body));
});

const secret = `whsec_${btoa("a secret of the bench, 32 bytes.")}`;
const timestamp = Math.floor(Date.now() / 1_000);
const event = JSON.stringify(ids);
const headers = {
  "webhook-id": "msg_1",
  "webhook-timestamp": String(timestamp),
  "webhook-signature": await signWebhook(secret, { id: "msg_1", timestamp, body: event }),
};
const verifier = webhookVerifier([secret]);
const bytes = new TextEncoder().encode(event);
const webhook = new Webhook(secret);

Deno.bench("standardwebhooks", { group: "signature" }, () => {
  webhook.verify(event, headers);
});

Deno.bench("webhookVerifier", { group: "signature" }, async () => {
  const signature = verifier.parse(new Headers(headers));
  if ("problem" in signature || !await verifier.verify(signature, bytes)) {
    throw new Error("the signature does not match");
  }
});
