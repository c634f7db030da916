// Each server entry as a process, sent the bytes that no HTTP client would send.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { IDS, KEY, SUCCESS, TASK_PATH } from "../helpers/endpoint.ts";
import { root } from "../helpers/run_deno.ts";
import { endpointsIn, sendRaw, SERVER_NAMES, type ServerName } from "../helpers/servers.ts";

const BUNDLES = new URL("dist/framing/", root);

const startEndpoint = endpointsIn(BUNDLES);

const BODY = JSON.stringify(IDS);
const AUTHORIZED = `authorization: Bearer ${KEY}\r\n`;
const HEAD = `POST /resolve HTTP/1.1\r\nhost: a\r\n${AUTHORIZED}content-type: application/json\r\n`;
/** A request that would poll the platform, hidden in the body of another one. */
const HIDDEN = `GET ${TASK_PATH} HTTP/1.1\r\nhost: a\r\n${AUTHORIZED}connection: close\r\n\r\n`;
const EMPTY_THEN_HIDDEN = `0\r\n\r\n${HIDDEN}`;
const MIB_IN_CHUNKS = `400\r\n${" ".repeat(1_024)}\r\n`.repeat(1_100) + "0\r\n\r\n";
const CHUNKED = "transfer-encoding: chunked\r\n";
const lengthOf = (text: string) => `content-length: ${text.length}\r\n`;

/** Requests with an ambiguous end. Every server refuses them with 400 and closes the connection. */
const AMBIGUOUS: Record<string, string> = {
  "Content-Length, then Transfer-Encoding": `${HEAD}${
    lengthOf(EMPTY_THEN_HIDDEN)
  }${CHUNKED}\r\n${EMPTY_THEN_HIDDEN}`,
  "Transfer-Encoding, then Content-Length": `${HEAD}${CHUNKED}${
    lengthOf(EMPTY_THEN_HIDDEN)
  }\r\n${EMPTY_THEN_HIDDEN}`,
  "a small Content-Length with 1 MiB in chunks":
    `${HEAD}content-length: 2\r\n${CHUNKED}\r\n${MIB_IN_CHUNKS}`,
  "1 MiB in chunks with a small Content-Length":
    `${HEAD}${CHUNKED}content-length: 2\r\n\r\n${MIB_IN_CHUNKS}`,
  "two different lengths": `${HEAD}content-length: 2\r\n${lengthOf(`{}${HIDDEN}`)}\r\n{}${HIDDEN}`,
  "two lengths in one header": `${HEAD}content-length: 2, ${HIDDEN.length}\r\n\r\n{}${HIDDEN}`,
  "a length with a sign": `${HEAD}content-length: +2\r\n\r\n{}${HIDDEN}`,
  "a space before the colon":
    `${HEAD}transfer-encoding : chunked\r\ncontent-length: 2\r\n\r\n{}${HIDDEN}`,
  "an unknown transfer coding":
    `${HEAD}transfer-encoding: xchunked\r\ncontent-length: 2\r\n\r\n{}${HIDDEN}`,
  "chunked that is not the last coding":
    `${HEAD}transfer-encoding: chunked, identity\r\n\r\n${EMPTY_THEN_HIDDEN}`,
  "chunked twice": `${HEAD}${CHUNKED}${CHUNKED}\r\n${EMPTY_THEN_HIDDEN}`,
  "chunks in HTTP/1.0": `${HEAD.replace("1.1", "1.0")}${CHUNKED}\r\n${EMPTY_THEN_HIDDEN}`,
  "a folded header": `GET /health HTTP/1.1\r\nhost: a\r\nx-a: b\r\n c\r\n\r\n`,
};

/** Chunks that break the grammar. The connection ends, with 400 or without a response. */
const BROKEN: Record<string, string> = {
  "a chunk size that is not hexadecimal": `${HEAD}${CHUNKED}\r\nzz\r\n${BODY}\r\n0\r\n\r\n`,
  "a chunk size over 64 bits": `${HEAD}${CHUNKED}\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n`,
  "a chunk longer than its size": `${HEAD}${CHUNKED}\r\n2\r\n{}X0\r\n\r\n${HIDDEN}`,
};

/** Requests that are too large, and their status on each server. */
const LARGE: Record<string, [request: string, Record<ServerName, number>]> = {
  "a declared body over 20 kB": [
    `${HEAD}connection: close\r\ncontent-length: 20001\r\n\r\n${" ".repeat(20_001)}`,
    { deno: 413, node: 413, bun: 413 },
  ],
  "a chunked body of 1 MiB": [
    `${HEAD}connection: close\r\n${CHUNKED}\r\n${MIB_IN_CHUNKS}`,
    { deno: 413, node: 413, bun: 413 },
  ],
  "100,000 headers": [
    `GET /health HTTP/1.1\r\nhost: a\r\n${"x: y\r\n".repeat(100_000)}\r\n`,
    { deno: 400, node: 431, bun: 431 },
  ],
  "a header of 1 MiB": [
    `GET /health HTTP/1.1\r\nhost: a\r\nx: ${"y".repeat(1_048_576)}\r\n\r\n`,
    { deno: 400, node: 431, bun: 431 },
  ],
};

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

for (const name of SERVER_NAMES) {
  Deno.test(`${name}: HTTP/1.0 is answered with 200, with and without Host`, async () => {
    await using endpoint = await startEndpoint(name);
    const { port } = endpoint.server;
    for (const host of ["", "host: a\r\n"]) {
      const { statuses, text } = await sendRaw(port, `GET /health HTTP/1.0\r\n${host}\r\n`);
      assertEquals(statuses, [200], text);
      assertMatch(text, /\{"status":"ok"\}$/);
      const request = `${HEAD.replace("1.1\r\nhost: a\r\n", `1.0\r\n${host}`)}`;
      const polled = await sendRaw(port, `${request}${lengthOf(BODY)}\r\n${BODY}`);
      assertEquals(polled.statuses, [202], polled.text);
    }
  });

  Deno.test(`${name}: HEAD announces the length of GET and has no body`, async () => {
    await using endpoint = await startEndpoint(name);
    const { port } = endpoint.server;
    endpoint.platform.add(SUCCESS); // without a retry_after, which changes
    const ask = async (method: string, path: string, headers = "") => {
      const request = `${method} ${path} HTTP/1.1\r\nhost: a\r\n${AUTHORIZED}${headers}`;
      const { text, statuses } = await sendRaw(port, `${request}connection: close\r\n\r\n`);
      const [head = "", ...body] = text.split("\r\n\r\n");
      const [, length] = /^content-length: (\d+)\r?$/im.exec(head) ?? [];
      const [, etag] = /^etag: (.+?)\r?$/im.exec(head) ?? [];
      return { status: statuses.join(), length, etag, body: body.join("\r\n\r\n") };
    };
    for (const path of ["/health", "/openapi.json", "/problems/forbidden", "/none", TASK_PATH]) {
      const [get, head] = [await ask("GET", path), await ask("HEAD", path)];
      assertEquals(get.length, String(new TextEncoder().encode(get.body).length), path);
      assertEquals(head, { ...get, body: "" }, path);
    }
    const { etag } = await ask("GET", TASK_PATH);
    for (const method of ["GET", "HEAD"]) {
      const unchanged = await ask(method, TASK_PATH, `if-none-match: ${etag}\r\n`);
      assertEquals([unchanged.status, unchanged.body], ["304", ""]);
      assert(!(Number(unchanged.length) === 0), `content-length: ${unchanged.length} of ${method}`);
    }
  });

  Deno.test(`${name}: a request with an ambiguous end is refused and hides no other`, async () => {
    await using endpoint = await startEndpoint(name);
    const { port } = endpoint.server;
    for (const [fault, request] of Object.entries(AMBIGUOUS)) {
      const { statuses, text } = await sendRaw(port, request);
      assertEquals(statuses, [400], `${fault}: ${text}`);
    }
    for (const [fault, request] of Object.entries(BROKEN)) {
      const { statuses, text } = await sendRaw(port, request);
      assert(statuses.length === 0 || statuses.join() === "400", `${fault}: ${text}`);
    }
    assertEquals(endpoint.platform.count(), 0, "no poll");
    assertEquals((await sendRaw(port, HIDDEN)).statuses, [202]);
  });

  Deno.test(`${name}: a request that is too large is refused`, async () => {
    await using endpoint = await startEndpoint(name);
    const { port } = endpoint.server;
    for (const [fault, [request, expected]] of Object.entries(LARGE)) {
      const { statuses, text } = await sendRaw(port, request);
      assertEquals(statuses, [expected[name]], `${fault}: ${text}`);
    }
    assertEquals(endpoint.platform.count(), 0, "no poll");
    assertEquals((await sendRaw(port, HIDDEN)).statuses, [202]);
  });

  Deno.test(`${name}: a body that is too large is refused before it has arrived`, async () => {
    await using endpoint = await startEndpoint(name);
    const chunks = `400\r\n${" ".repeat(1_024)}\r\n`.repeat(21);
    for (const part of ["content-length: 1000000\r\n\r\n{", `${CHUNKED}\r\n${chunks}`]) {
      const { statuses, text } = await sendRaw(endpoint.server.port, HEAD + part, { until: /\}$/ });
      assertEquals(statuses, [413], text);
    }
  });

  Deno.test(`${name}: a body ends at its length, or is 408 when it stays behind`, async () => {
    await using endpoint = await startEndpoint(name, { RESOLVE_TIMEOUT_MS: "300" });
    const { port } = endpoint.server;
    const cut = await sendRaw(port, `${HEAD}content-length: 2\r\n\r\n{}${HIDDEN}`);
    assertEquals([cut.statuses, endpoint.platform.count()], [[400, 202], 1]);
    assertMatch(cut.text, /organization_id/);
    for (const part of ["content-length: 3\r\n\r\n{}", `${CHUNKED}\r\n2\r\n{}\r\n`]) {
      const late = await sendRaw(port, HEAD + part, { until: /\}$/ });
      assertEquals(late.statuses, [408], late.text);
    }
    assertEquals(endpoint.platform.count(), 1);
  });

  Deno.test(`${name}: connections with half a request hold up no other caller`, async () => {
    await using endpoint = await startEndpoint(name);
    const { port } = endpoint.server;
    const connections = await Promise.all(
      Array.from({ length: 50 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
    );
    const send = async (text: string) => {
      const bytes = new TextEncoder().encode(text);
      await Promise.all(connections.map((connection) => connection.write(bytes)));
    };
    await send("GET /health HTTP/1.1\r\nho");
    assertEquals((await sendRaw(port, HIDDEN)).statuses, [202]);
    await send("st: a\r\nconnection: close\r\n\r\n");
    const answers = await Promise.all(
      connections.map((connection) => new Response(connection.readable).text()),
    );
    const answered = answers.filter((text) => text.startsWith("HTTP/1.1 200 "));
    assertEquals(answered.length, connections.length);
  });

  Deno.test(`${name}: ::1 and 127.0.0.1 are reachable, and HOST narrows that`, async () => {
    const health = "GET /health HTTP/1.0\r\n\r\n";
    {
      await using endpoint = await startEndpoint(name);
      for (const hostname of ["::1", "127.0.0.1"]) {
        const { statuses } = await sendRaw(endpoint.server.port, health, { hostname });
        assertEquals(statuses, [200], hostname);
      }
    }
    await using narrow = await startEndpoint(name, { HOST: "127.0.0.1" });
    const { port } = narrow.server;
    assertEquals((await sendRaw(port, health)).statuses, [200]);
    const refused = await sendRaw(port, health, { hostname: "::1" }).catch((error) => error);
    assert(refused instanceof Deno.errors.ConnectionRefused, String(refused));
  });

  Deno.test(`${name}: a request in progress is answered after SIGTERM`, async () => {
    await using endpoint = await startEndpoint(name);
    const { platform, server } = endpoint;
    const polled = Promise.withResolvers<void>();
    const held = Promise.withResolvers<Response | undefined>();
    platform.inject(() => {
      polled.resolve();
      return held.promise;
    });
    const answer = sendRaw(server.port, HIDDEN);
    await polled.promise;
    const ended = server.end("SIGTERM");
    while (await accepts(server.port));
    held.resolve(undefined);
    assertEquals((await answer).statuses, [202]);
    assertEquals(await ended, 0);
  });

  Deno.test(`${name}: SIGTERM ends a server that waits for the rest of a request`, async () => {
    await using endpoint = await startEndpoint(name, { RESOLVE_TIMEOUT_MS: "300" });
    const { port } = endpoint.server;
    assertEquals((await sendRaw(port, HIDDEN)).statuses, [202]);
    const hanging = ["GET /health HTTP/1.1\r\nhost: a\r\n", `${HEAD}content-length: 9\r\n\r\n`];
    const connections = hanging.map((text) => sendRaw(port, text));
    const answered = endpoint.server.end("SIGTERM");
    assertEquals(await answered, 0);
    await Promise.all(connections);
  });
}
