// The log of the servers: SIGTERM loses no line of it, and its reader may end.
import { assertEquals } from "@std/assert";
import { root } from "../helpers/run_deno.ts";
import { bundleEntries, endpointsIn, SERVER_NAMES } from "../helpers/servers.ts";

const BUNDLES = new URL("dist/log_loss/", root);
const REQUESTS = 600;

Deno.test("node.ts writes every line of its log before it exits on SIGTERM", async () => {
  await bundleEntries(BUNDLES, ["node"]);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const child = new Deno.Command("node", {
    args: [new URL("node.js", BUNDLES).pathname],
    env: {
      DEEPINT_TOKEN: "canary-token",
      RESOLVE_API_KEYS: "a-key-of-16-characters",
      RESOLVE_TIMEOUT_MS: "20000",
      HOST: "127.0.0.1",
      PORT: String(port),
    },
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const request = () => fetch(`http://127.0.0.1:${port}/${"x".repeat(20)}`);
  for (;;) {
    const response = await request().catch(() => undefined); // until it listens
    if (!response) continue;
    await response.body?.cancel();
    break;
  }
  for (let sent = 1; sent < REQUESTS; sent++) await (await request()).body?.cancel();
  child.kill("SIGTERM");
  const text = await new Response(child.stdout).text();
  assertEquals((await child.status).code, 0);
  assertEquals(text.trim().split("\n").length, REQUESTS + 1); // and the address
});

const startEndpoint = endpointsIn(new URL("dist/log_reader/", root), { logLines: 1 });

for (const name of SERVER_NAMES) {
  Deno.test(`${name} serves after the reader of its log has ended`, async () => {
    await using endpoint = await startEndpoint(name);
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${endpoint.server.port}${path}`);
      await response.body?.cancel();
      return response.status;
    };
    for (let lines = 0; lines < 5; lines++) assertEquals(await get("/unknown"), 404);
    assertEquals(await get("/health"), 200);
    assertEquals(await endpoint.server.end("SIGTERM"), 0);
  });
}
