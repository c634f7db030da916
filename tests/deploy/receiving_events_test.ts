// The receivers of .github/docs/receiving_events.md: type-checked, and run with real Hono and Express.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import { start } from "../helpers/process.ts";
import { deno, root } from "../helpers/run_deno.ts";
import { CALLBACK_SECRET as SECRET } from "../helpers/watches.ts";

const page = await Deno.readTextFile(new URL(".github/docs/receiving_events.md", root));
const examples = new Map(
  [...page.matchAll(/^## (\w+)\n[^#]*?^```ts\n([^]*?)^```$/gm)]
    .map(([, name = "", code = ""]) => [name, code]),
);
const folder = new URL("dist/receivers/", root);

const EVENT = JSON.stringify({
  type: "task.success",
  timestamp: "2026-01-01T00:00:00.000Z",
  data: {
    status: "success",
    result: { source: "s-1" },
    task: { organization_id: "o-1", workspace_id: "w-1", info: { id: "t-1" } },
  },
});

/** Writes an example to a file and checks its types. */
async function write(name: string): Promise<URL> {
  const file = new URL(`${name.toLowerCase()}.ts`, folder);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(file, examples.get(name) ?? "");
  const { code, output } = await deno(["check", file.pathname], { quiet: true });
  assertEquals(code, 0, output);
  return file;
}

/** Sends a signed event, one with another body, and one without a signature. */
async function assertReceives(send: (init: RequestInit) => Promise<Response>): Promise<void> {
  const id = "msg_1";
  const timestamp = Math.floor(Date.now() / 1_000);
  const plain = { "content-type": "application/json" };
  const headers = {
    ...plain,
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": await signWebhook(SECRET, { id, timestamp, body: EVENT }),
  };
  const accepted = await send({ method: "POST", headers, body: EVENT });
  assertEquals([accepted.status, await accepted.text()], [204, ""]);
  for (
    const [init, code] of [
      [{ headers, body: `${EVENT}\n` }, "SIGNATURE_MISMATCH"],
      [{ headers: plain, body: EVENT }, "MISSING_HEADERS"],
    ] as const
  ) {
    const refused = await send({ method: "POST", ...init });
    assertEquals([refused.status, await refused.json()], [400, { code }]);
  }
}

Deno.test("the page has a receiver for Hono, Express and Deno", () => {
  assertEquals([...examples.keys()], ["Hono", "Express", "Deno"]);
});

Deno.test("the receiver for Hono accepts an event and refuses others", async () => {
  const { default: app } = await import((await write("Hono")).href);
  const send = async (init: RequestInit) =>
    await app.request("/events", init, { EVENTS_SECRET: SECRET });
  await assertReceives(send);
});

for (
  const [name, listening] of [
    ["Express", /listening on [^]*port: (\d+)/],
    ["Deno", /Listening on http:\S+:(\d+)/],
  ] as const
) {
  Deno.test(`the receiver for ${name} accepts an event and refuses others`, async () => {
    const { pathname } = await write(name);
    const args = ["run", "--no-prompt", "--allow-net", "--allow-env", "--allow-read", pathname];
    await using process = start(Deno.execPath(), args, { EVENTS_SECRET: SECRET, PORT: "0" });
    const port = await process.waitForOutput(listening);
    await assertReceives((init) => fetch(`http://127.0.0.1:${port}/events`, init));
    assertMatch(process.output.stdout, /^msg_1 task.success t-1$/m);
    assert(!process.output.stderr.includes(SECRET));
  });
}
