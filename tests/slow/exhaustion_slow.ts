// Servers that run out of file descriptors.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { KEY, TASK_PATH } from "../helpers/endpoint.ts";
import { listen } from "../helpers/listen.ts";
import { root } from "../helpers/run_deno.ts";
import { endpointsIn, sendRaw, SERVER_NAMES } from "../helpers/servers.ts";

const BUNDLES = new URL("dist/slow_exhaustion/", root);
const OPEN_FILES = 200;
const CONNECTIONS = 250;
const HOLD_MS = 4_000;
const RECOVERY_MS = 5_000;
const SECRET = `whsec_${btoa("a secret for callbacks of the watches")}`;
const AUTHORIZATION = { authorization: `Bearer ${KEY}` };

const startLimited = endpointsIn(BUNDLES, { openFiles: OPEN_FILES });

/** Keeps connections open, each with `text` sent, and replaces those that the server closes. */
async function holdConnections(port: number, text: string): Promise<void> {
  const end = Date.now() + HOLD_MS;
  const bytes = new TextEncoder().encode(text);
  const open = new Set<Deno.TcpConn>();
  const hold = async () => {
    while (Date.now() < end) {
      try {
        const connection = await Deno.connect({ hostname: "127.0.0.1", port });
        open.add(connection);
        await connection.write(bytes);
        while (await connection.read(new Uint8Array(1_024)) !== null);
        if (open.delete(connection)) connection.close();
      } catch {
        // refused or reset: try again
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const closing = setTimeout(() => {
    for (const connection of open) if (open.delete(connection)) connection.close();
  }, HOLD_MS);
  await Promise.all(Array.from({ length: CONNECTIONS }, hold));
  clearTimeout(closing);
  for (const connection of open) connection.close();
}

/** Asks for the task until the server responds, and returns the last status. */
async function statusAfterRecovery(port: number): Promise<number | undefined> {
  const end = Date.now() + RECOVERY_MS;
  let last: number | undefined;
  while (last !== 202 && Date.now() < end) {
    const response = await fetch(`http://127.0.0.1:${port}${TASK_PATH}`, { headers: AUTHORIZATION })
      .catch(() => undefined);
    await response?.body?.cancel();
    last = response?.status;
    if (last !== 202) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return last;
}

function errorLines(stdout: string): string[] {
  return stdout.split("\n").filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line).error).filter((error) => error !== undefined);
}

for (const name of SERVER_NAMES) {
  for (const [what, text] of [["say nothing", ""], ["send half a request", "GET /health HT"]]) {
    Deno.test(`${name}: ${CONNECTIONS} connections that ${what} end no server with ${OPEN_FILES} descriptors`, async () => {
      await using endpoint = await startLimited(name);
      const { server } = endpoint;
      await holdConnections(server.port, text ?? "");
      assertEquals(await statusAfterRecovery(server.port), 202);
      // Bun leaves connections waiting and reports nothing
      const errors = errorLines(server.output.stdout);
      assertEquals(errors.length, name === "bun" ? 0 : 1, errors.join());
      assertEquals((await sendRaw(server.port, "GET /health HTTP/1.0\r\n\r\n")).statuses, [200]);
      assertEquals(await server.end("SIGTERM"), 0);
    });
  }
}

Deno.test("deno: the sweep of the watches survives the exhaustion of descriptors", async () => {
  const delivered = Promise.withResolvers<string | null>();
  await using receiver = listen((request) => {
    delivered.resolve(request.headers.get("webhook-id"));
    return new Response(null, { status: 204 });
  });
  const folder = await Deno.makeTempDir();
  await using _folder = {
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
  await using endpoint = await startLimited("deno", {
    RESOLVE_CALLBACK_HOSTS: `127.0.0.1:${receiver.port}=${SECRET}`,
    RESOLVE_KV_PATH: `${folder}/watches.kv`,
  });
  const { platform, server } = endpoint;
  const task = platform.add({
    id: "t-2",
    steps: [{ status: "running", polls: 2 }, { status: "success" }],
  });
  const response = await fetch(`http://127.0.0.1:${server.port}/watches`, {
    method: "POST",
    headers: { ...AUTHORIZATION, "content-type": "application/json" },
    body: JSON.stringify({ url: task.webUrl, callback_url: `${receiver.origin}/` }),
  });
  await response.body?.cancel();
  assertEquals(response.status, 202);
  const polls = platform.count();
  await holdConnections(server.port, "");
  const ended = server.status.then(() => "the server ended");
  assertMatch(await Promise.race([delivered.promise, ended]) ?? "", /^[0-9a-f-]{36}$/);
  assert(platform.count() > polls);
});
