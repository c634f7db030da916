// Request bodies that reach the servers over a connection, seen from outside of their process.
import { assert, assertEquals, assertLess } from "@std/assert";
import { KEY } from "../helpers/endpoint.ts";
import { root } from "../helpers/run_deno.ts";
import { endpointsIn, sendRaw, SERVER_NAMES } from "../helpers/servers.ts";

const BUNDLES = new URL("dist/bodies/", root);

const startEndpoint = endpointsIn(BUNDLES);

const MIB = 2 ** 20;
const POST = "POST /resolve HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
const AUTHORIZED = `${POST}authorization: Bearer ${KEY}\r\n`;
const CHUNKED = "transfer-encoding: chunked\r\n\r\n";
const DECLARED = `content-length: ${100 * MIB}\r\n\r\n`;

/** Requests with a body of 100 MiB that is not read, and their status. */
const UNREAD: [head: string, status: number][] = [
  [AUTHORIZED + DECLARED, 413],
  [AUTHORIZED + CHUNKED, 413],
  [POST + DECLARED, 401],
  [POST + CHUNKED, 401],
  [AUTHORIZED.replace("/resolve", "/none") + DECLARED, 404],
];

/** Sends 100 MiB after a head, or as much of it as the server receives. Returns the status. */
async function sendLarge(port: number, head: string): Promise<number> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const buffer = new Uint8Array(65_536);
  const response = connection.read(buffer).catch(() => null);
  const encode = (text: string) => new TextEncoder().encode(text);
  const spaces = " ".repeat(65_536);
  const block = encode(head.endsWith(CHUNKED) ? `10000\r\n${spaces}\r\n` : spaces);
  const write = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  };
  try {
    await write(encode(head));
    for (let sent = 0; sent < 100 * MIB; sent += spaces.length) await write(block);
  } catch {
    // the server has closed the connection
  }
  const text = new TextDecoder().decode(buffer.subarray(0, await response ?? 0));
  return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
}

/** Runs a shell command with the id of the server's process as `$0`. */
async function inspect(command: string, { pid }: { pid: number }): Promise<string> {
  const args = ["-c", command, String(pid)];
  const { stdout } = await new Deno.Command("sh", { args }).output();
  return new TextDecoder().decode(stdout).trim();
}

/** Reads a figure of `/proc/$0/status` in bytes, for the process or its child under `deno task`. */
async function readMemory(figure: string, server: { pid: number }): Promise<number> {
  const text = await inspect(`grep ${figure} /proc/$0/status`, server);
  return Number(/\d+/.exec(text)?.[0]) * 1_024;
}

for (const name of SERVER_NAMES) {
  Deno.test({
    name: `${name}: an unread body of 100 MiB costs less than 16 MiB of memory`,
    ignore: Deno.build.os !== "linux", // the peak is read from /proc
    async fn() {
      await using endpoint = await startEndpoint(name);
      const { port } = endpoint.server;
      const child = Number(await inspect("cat /proc/$0/task/*/children", endpoint.server));
      const server = { pid: child || endpoint.server.pid };
      for (let round = 0; round < 200; round++) {
        await (await fetch(`http://127.0.0.1:${port}/health`)).body?.cancel();
      }
      for (const [head, status] of UNREAD) {
        await inspect("echo 5 > /proc/$0/clear_refs", server); // the peak starts anew
        const before = await readMemory("VmRSS", server);
        assertEquals(await sendLarge(port, head), status, head);
        const growth = await readMemory("VmHWM", server) - before;
        assertLess(growth / MIB, 16, head);
      }
      assertEquals(endpoint.platform.count(), 0, "no poll");
    },
  });

  Deno.test(`${name}: the response to a large body arrives before the connection is closed`, async () => {
    await using endpoint = await startEndpoint(name);
    const url = `http://127.0.0.1:${endpoint.server.port}/resolve`;
    const headers = { "content-type": "application/json", authorization: `Bearer ${KEY}` };
    const body = " ".repeat(900_000);
    for (let round = 0; round < 10; round++) {
      const response = await fetch(url, { method: "POST", body, headers });
      assertEquals(response.status, 413);
      await response.body?.cancel();
    }
  });
}

/** Writes a line when a `ReadableStream` is created, loaded before the server's bundle. */
const COUNT_STREAMS = `
globalThis.ReadableStream = class extends ReadableStream {
  constructor(...args) {
    super(...args);
    console.error("a stream was created");
  }
};
`;

Deno.test("node: a body with a declared length is read without a web stream", async () => {
  const preload = new URL("dist/count_streams.mjs", root);
  await Deno.writeTextFile(preload, COUNT_STREAMS);
  await using endpoint = await startEndpoint("node", { NODE_OPTIONS: `--import=${preload}` });
  const { server } = endpoint;
  const body = "{}"; // invalid, because a poll creates streams of its own
  const length = `content-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  const whole = await sendRaw(server.port, AUTHORIZED + length + body);
  assertEquals(whole.statuses, [400], whole.text);
  assert(!server.output.stderr.includes("a stream was created"));
  const chunk = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const parts = await sendRaw(server.port, `${AUTHORIZED}connection: close\r\n${CHUNKED}${chunk}`);
  assertEquals(parts.statuses, [400], parts.text);
  assert(server.output.stderr.includes("a stream was created"), "the test sees a stream");
});
