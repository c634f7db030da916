// The same verdict as the npm packages `standardwebhooks` and `svix`, whose senders and receivers people
// have, except where the contract is stricter.
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";
import { DeepintWebhookError, verifyEvent } from "../../src/webhook.ts";
import { checkProperty } from "../helpers/property.ts";

const NOW_S = 1_767_225_600;

/** Calls a function while the clock stands still: the packages take no clock. */
async function atNow<T>(run: () => T | Promise<T>): Promise<T> {
  const { now } = Date;
  Date.now = () => NOW_S * 1_000;
  try {
    return await run();
  } finally {
    Date.now = now;
  }
}

const secrets = fc.uint8Array({ minLength: 24, maxLength: 64 })
  .map((bytes) => `whsec_${btoa(String.fromCharCode(...bytes))}`);

/** An event whose texts are arbitrary. */
const events = fc.record({
  name: fc.oneof(fc.string(), fc.constantFrom("", "é", "𝄞", "\u2028", '"\\')),
  type: fc.constantFrom("task.success", "task.failed", "task.expired", "task.unresolved"),
  spaces: fc.nat(2),
}).map(({ name, type, spaces }) => {
  const task = { organization_id: "o-1", workspace_id: "w-1", info: { id: "t-1", name } };
  const isEnd = type === "task.success" || type === "task.failed";
  const data = isEnd
    ? { status: type.slice("task.".length), result: {}, task }
    : { status: "running", task, code: "TASK_NOT_FOUND" };
  return JSON.stringify({ type, timestamp: "2026-01-01T00:00:00.000Z", data }, null, spaces);
});

/** A change of a signed request, or none. */
const changes = fc.oneof(
  { weight: 6, arbitrary: fc.constant({}) },
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      { body: " " },
      { id: "msg_2" },
      { signature: "v1,AAAA" },
      { signature: "v2" },
      { offset: 1 },
      { isForeign: true },
    ),
  },
);
type Change = {
  body?: string;
  id?: string;
  signature?: string;
  offset?: number;
  isForeign?: boolean;
};

/** The package accepts the request. */
function accepts(webhook: Webhook | SvixWebhook, body: string, headers: Record<string, string>) {
  try {
    webhook.verify(body, headers);
    return true;
  } catch {
    return false;
  }
}

const packages = { webhook: Webhook, svix: SvixWebhook };

for (const [prefix, Package] of Object.entries(packages)) {
  Deno.test(`verifyEvent() has the verdict of the package with ${prefix}-* headers`, async (t) => {
    const counts = { accepted: 0, refused: 0 };
    await checkProperty(
      t,
      fc.asyncProperty(
        ...[secrets, secrets, secrets, events, changes] as const,
        fc.oneof(fc.integer({ min: -320, max: 320 }), fc.constantFrom(-301, -300, 300, 301)),
        async (secret, foreign, rotated, event, change: Change, age) => {
          const timestamp = NOW_S - age;
          const signer = new Package(change.isForeign ? foreign : secret);
          const signature = signer.sign("msg_1", new Date(timestamp * 1_000), event);
          const headers = {
            [`${prefix}-id`]: change.id ?? "msg_1",
            [`${prefix}-timestamp`]: String(timestamp + (change.offset ?? 0)),
            [`${prefix}-signature`]: change.signature === "v2"
              ? signature.replace("v1", "v2")
              : `${change.signature ?? ""} ${signature}`.trim(),
          };
          const body = event + (change.body ?? "");
          const [ours, theirs] = await atNow(async () => [
            await verifyEvent({ headers, body }, [rotated, secret]).then(
              (read) => JSON.stringify(read) === JSON.stringify(JSON.parse(body)),
              (error) => {
                assert(error instanceof DeepintWebhookError, String(error));
                return false;
              },
            ),
            accepts(new Package(secret), body, headers),
          ]);
          assertEquals(ours, theirs, JSON.stringify({ headers, body }));
          counts[ours ? "accepted" : "refused"]++;
        },
      ),
      { cases: 3_000 },
    );
    // else the property could pass while comparing only one verdict
    assert(counts.accepted > 900 && counts.refused > 900, JSON.stringify(counts));
  });
}
