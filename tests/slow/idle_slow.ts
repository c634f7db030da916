// Idle connections, as load balancers keep them: in real time.
import { assertEquals } from "@std/assert";
import { root } from "../helpers/run_deno.ts";
import {
  bundleEntries,
  sendRaw,
  SERVER_NAMES,
  type ServerName,
  startEndpointProcess,
} from "../helpers/servers.ts";

const BUNDLES = new URL("dist/slow_idle/", root);
const CONNECTIONS = 40;
const IDLE_MS = 60_000;
const PATIENCE_MS = 150_000;
const REQUEST = new TextEncoder().encode("GET /health HTTP/1.1\r\nhost: a\r\n\r\n");

let bundled: Promise<void> | undefined;

async function bundles(): Promise<URL> {
  await (bundled ??= bundleEntries(BUNDLES, ["node", "bun"]));
  return BUNDLES;
}

/** Sends a request on a connection and returns the status; `closed` if the server closed it. */
async function health(connection: Deno.TcpConn): Promise<string> {
  const buffer = new Uint8Array(4_096);
  let text = "";
  try {
    await connection.write(REQUEST);
    while (!text.endsWith("}")) {
      const size = await connection.read(buffer);
      if (size === null) return "closed";
      text += new TextDecoder().decode(buffer.subarray(0, size));
    }
  } catch {
    return "closed";
  }
  return /^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? text;
}

async function answersAfterIdle(name: ServerName): Promise<string[]> {
  await using endpoint = await startEndpointProcess(name, {
    bundles: await bundles(),
    patience: PATIENCE_MS,
  });
  const { port } = endpoint.server;
  const connections = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => Deno.connect({ hostname: "127.0.0.1", port })),
  );
  try {
    await Promise.all(connections.map(health));
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    return await Promise.all(connections.map(health));
  } finally {
    for (const connection of connections) connection.close();
  }
}

/** Node looks for late headers every 30 s. */
const HEADERS_TIMEOUT_MS = 66_000 + 30_000;

Deno.test("node: half a request is answered with 408 within 100 s", async () => {
  await using endpoint = await startEndpointProcess("node", {
    bundles: await bundles(),
    patience: PATIENCE_MS,
  });
  const { statuses } = await sendRaw(endpoint.server.port, "GET /health HTTP/1.1\r\nho", {
    timeout: HEADERS_TIMEOUT_MS + 4_000,
  });
  assertEquals(statuses, [408]);
});

Deno.test("connections that were idle for 60 s are answered on every server", async () => {
  const answers = await Promise.all(SERVER_NAMES.map(answersAfterIdle));
  const all = Array.from({ length: CONNECTIONS }, () => "200");
  assertEquals(Object.fromEntries(SERVER_NAMES.map((name, at) => [name, answers[at]])), {
    deno: all,
    node: all,
    bun: all,
  });
});
