// Each case of the fault matrix against a real server.
import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertLess,
  assertLessOrEqual,
} from "@std/assert";
import { PROBLEMS } from "../../functions/http/problem.ts";
import { DeepintHTTPError, DeepintTimeoutError } from "../../mod.ts";
import { allRenderings, TOKEN } from "../helpers/client.ts";
import { outcomeOf, retryAfterOf, textOf } from "../helpers/endpoint.ts";
import type { Growth } from "./memory.ts";
import { faultTable, KEY, load, resolve, TABLE } from "./table.ts";
import { type Fault, FAULTS } from "./matrix.ts";
import { type FaultServer, startFaultServer } from "./server.ts";
import { start } from "../helpers/process.ts";
import { withTimeout } from "../../src/internal/deadline.ts";

const DEADLINE = 400;
const SLACK = 100;
const MEBIBYTE = 1 << 20;

/** Checks that the client has left every socket; the patience is for a test that fails. */
async function assertNoneOpen(server: FaultServer): Promise<void> {
  await withTimeout(() => server.idle(), { ms: 5_000, onTimeout: () => {} });
  assertEquals(server.open, 0, "open sockets");
}

function assertNear(seconds: number, expected: number): void {
  assertLessOrEqual(Math.abs(seconds - expected), 1, `Retry-After: ${seconds}, not ${expected}`);
}

Deno.test("the fault matrix has 47 cases, each with an id of its own", () => {
  assertEquals(FAULTS.length, 47);
  assertEquals(new Set(FAULTS.map(({ id }) => id)).size, 47);
});

for (const fault of FAULTS) {
  Deno.test(`load() ends as documented, in time, without output or open sockets: ${fault.name}`, async () => {
    await using server = await startFaultServer();
    const { task, error, ms } = await load(server.originOf(fault), fault.id, DEADLINE);
    assertLessOrEqual(ms, DEADLINE + SLACK);
    assertClient(error, fault);
    assertEquals(task.info.status, fault.client === "success" ? "running" : "unknown");
    for (const value of [error, task]) assert(!allRenderings(value).includes(TOKEN), fault.name);
    await assertNoneOpen(server);
    assertEquals(server.accepted > 0, server.originOf(fault) === server.origin);
  });

  Deno.test(`POST /resolve responds as documented, in time and without open sockets: ${fault.name}`, async () => {
    await using server = await startFaultServer();
    const { response, log, ms } = await resolve(server.originOf(fault), fault.id, DEADLINE);
    assertLessOrEqual(ms, DEADLINE + SLACK);
    for (const text of [await textOf(response), JSON.stringify(log)]) {
      for (const secret of [TOKEN, KEY]) assert(!text.includes(secret), text);
    }
    assertEquals(log.length, 1);
    await assertEndpoint(response, fault);
    await assertNoneOpen(server);
  });
}

function assertClient(error: unknown, { client }: Fault): void {
  if (client === "success") return assertEquals(error, undefined);
  const { retryAfter, ...expected } = client;
  if (expected.code === "TIMEOUT") {
    assertInstanceOf(error, DeepintTimeoutError);
    assertEquals({ code: error.code, retryable: error.retryable }, expected);
    return;
  }
  assertInstanceOf(error, DeepintHTTPError);
  const { code, status, retryable } = error;
  assertEquals({ code, status, retryable }, expected);
  assertEquals(error.retryAfter === undefined, retryAfter === undefined);
  if (retryAfter !== undefined) assertNear((error.retryAfter ?? 0) / 1_000, retryAfter);
}

async function assertEndpoint(response: Response, { client, endpoint }: Fault): Promise<void> {
  if (endpoint === 202) {
    assertEquals([response.status, (await response.json()).status], [202, "running"]);
    return;
  }
  if (endpoint === "rate-limited") {
    const seconds = retryAfterOf(response);
    const { retryAfter } = client === "success" ? {} : client;
    // without Retry-After from the platform, the longest polling interval and its jitter
    if (retryAfter === undefined) assert(seconds >= 60 && seconds <= 66, `${seconds}`);
    else assertNear(seconds, retryAfter);
  }
  assertEquals(await outcomeOf(response), [PROBLEMS[endpoint].status, endpoint]);
}

for (const who of ["client", "endpoint"]) {
  Deno.test(`the memory of the ${who} grows by less than 16 MiB on every fault`, async () => {
    await using server = await startFaultServer();
    const served = FAULTS.filter((fault) => server.originOf(fault) === server.origin);
    const small = served.filter((fault) => !isLarge(fault));
    // a process each, so that memory freed by one large body cannot hide the next
    for (const faults of [small, ...served.filter(isLarge).map((fault) => [fault])]) {
      const grown = await memory(who, server, faults);
      assertEquals(grown.length, faults.length);
      for (const { id, bytes } of grown) assertLess(bytes, 16 * MEBIBYTE, id);
    }
    await assertNoneOpen(server);
  });
}

Deno.test("reading a large fault to its end takes more than 16 MiB", async () => {
  await using server = await startFaultServer();
  const large = FAULTS.filter(isLarge);
  assertEquals(large.length, 4);
  for (const fault of large) {
    const [{ bytes } = { bytes: 0 }] = await memory("reader", server, [fault]);
    assertGreater(bytes, 16 * MEBIBYTE, fault.name);
  }
});

function isLarge({ name }: Fault): boolean {
  return name.includes("MB");
}

async function memory(who: string, server: FaultServer, faults: Fault[]): Promise<Growth[]> {
  const flags = ["--frozen", "--v8-flags=--expose-gc", "--allow-net=127.0.0.1"];
  const command = ["run", ...flags, "tests/faults/memory.ts", who, server.origin];
  await using child = start(Deno.execPath(), [...command, ...faults.map(({ id }) => id)], {});
  assertEquals((await child.status).code, 0, child.output.stderr);

  return child.output.stdout.trim().split("\n").map((line) => JSON.parse(line));
}

Deno.test(".github/FAULTS.md is what `deno task faults` generates", async () => {
  assertEquals(await Deno.readTextFile(TABLE), await faultTable());
});

Deno.test("the reset of the fault server is a reset on the wire", async () => {
  await using server = await startFaultServer();
  const { port } = new URL(server.origin);
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  await socket.write(
    new TextEncoder().encode("GET /api/v1/workspace/w-1/task/connection-reset HTTP/1.1\r\n\r\n"),
  );
  const read = await socket.read(new Uint8Array(1)).catch((error: unknown) => error);
  assertInstanceOf(read, Deno.errors.ConnectionReset);
});
