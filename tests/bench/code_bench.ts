/** Parts of the code compared with the minimal code for the same work; runs with `deno bench`. */
import { Webhook } from "standardwebhooks";
import { webhookVerifier } from "../../functions/auth/webhook.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import { TaskInfo } from "../../mod.ts";
import { TASK } from "./task.ts";

const ids = { organization_id: "organization-1", workspace_id: "workspace-1", task_id: TASK.id };
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
