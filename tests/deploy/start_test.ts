// The server as a process: `deno task start` and `deno serve`, over real HTTP on loopback.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  captureConsole,
  IDS,
  KEY,
  objectOf,
  outcomeOf,
  post,
  RUNNING,
} from "../helpers/endpoint.ts";
import { SECRET, type Settings, signed, TASK_PATH, TOKEN } from "../helpers/endpoint.ts";
import { environment } from "../helpers/environment.ts";
import { listenAs } from "../helpers/listen.ts";
import { type Process, start } from "../helpers/process.ts";
import { createFakePlatform, type FakePlatform } from "../helpers/fake_platform.ts";

const READY = { DEEPINT_TOKEN: TOKEN, RESOLVE_API_KEYS: KEY, PORT: "0" };
const AUTHORIZED = { authorization: `Bearer ${KEY}` };
const SERVE = ["serve", "--host=127.0.0.1", "--port=0", "--allow-net=127.0.0.1", "--allow-env"];

/** Runs Deno with only these settings in its environment. */
function run(args: string[], settings: Settings): Process {
  return start(Deno.execPath(), args, settings);
}

/** Returns the origin that a process prints. */
async function originOf(process: Process): Promise<string> {
  const origin = await process.waitForOutput(/(http:\/\/[^/\s]+:\d+)\/.*\n/);
  return origin.replace("0.0.0.0", "127.0.0.1");
}

/** A fake platform that listens. */
function serve(): AsyncDisposable & { platform: FakePlatform; settings: Settings } {
  const platform = createFakePlatform({ token: TOKEN });
  const server = listenAs(platform);
  const settings = { ...READY, DEEPINT_INSTANCE: platform.origin, RESOLVE_WEBHOOK_SECRETS: SECRET };
  return { ...server, platform, settings };
}

/** Sends text as it is, and ends it if it `breaks`; reads the response up to the end of its JSON. */
async function raw(origin: string, text: string, breaks = false): Promise<string> {
  using connection = await Deno.connect({
    hostname: "127.0.0.1",
    port: Number(new URL(origin).port),
  });
  // the server may answer, and read no further, before all of it is sent
  const sent = connection.write(new TextEncoder().encode(text)).catch(() => {});
  if (breaks) await sent.then(() => connection.closeWrite());
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let answer = "";
  while (!answer.endsWith("}")) {
    const size = await connection.read(buffer);
    if (size === null) break;
    answer += decoder.decode(buffer.subarray(0, size), { stream: true });
  }
  return answer;
}

Deno.test("deno task start prints its address and resolves tasks over HTTP", async () => {
  await using upstream = serve();
  await using server = run(["task", "start"], upstream.settings);
  const origin = await originOf(server);
  const { platform } = upstream;
  assertEquals(await objectOf(await fetch(`${origin}/health`)), { status: "ok" });

  const { webUrl } = platform.add({ ...RUNNING, duration: 5 });
  const url = `${origin}/resolve`;
  const accepted = await fetch(url, post({ url: webUrl }, { headers: AUTHORIZED }));
  assertEquals([accepted.status, (await objectOf(accepted)).status], [202, "running"]);
  const location = accepted.headers.get("location") ?? "";
  const followed = await fetch(origin + location, { headers: AUTHORIZED });
  assertEquals([followed.status, location], [202, TASK_PATH]);
  await followed.body?.cancel();
  const tag = { "if-none-match": followed.headers.get("etag") ?? "" };
  const known = await fetch(origin + location, { headers: { ...AUTHORIZED, ...tag } });
  assertEquals([known.status, await known.text()], [304, ""]);

  platform.add({ id: "t-2", steps: [{ status: "running" }, { status: "success" }] });
  const timestamp = Math.floor(Date.now() / 1000);
  const deliver = async () =>
    await fetch(url, await signed(post({ ...IDS, task_id: "t-2" }), { timestamp }));
  assertEquals(await outcomeOf(await deliver()), [503, "task-pending"]);
  assertEquals((await objectOf(await deliver())).status, "success");
  assertEquals(await outcomeOf(await fetch(url, post(IDS))), [401, "unauthorized"]);
  assertEquals(platform.count(), 5);
  assertEquals(await server.end("SIGTERM"), 0);

  const lines = server.output.stdout.trim().split("\n").map((line) => JSON.parse(line));
  const requests = lines.filter((line) => line.request_id !== undefined);
  assertEquals(requests.map(({ status }) => status), [202, 202, 304, 503, 200, 401]);
  for (const { method, ms, time, route } of requests) {
    assertMatch(`${method} ${route} ${ms} ${time}`, /^(GET|POST) \/\S+ [\d.]+ 20\d\d-/);
  }
  const written = server.output.stdout + server.output.stderr;
  assert(!/canary|whsec_|v1,/.test(written), written);
  const [task, ...rest] = server.output.stderr.trim().split("\n");
  assertMatch(task ?? "", /^Task start /);
  assertEquals(rest.length, 1, `nothing but the address: ${rest.join("\n")}`);
});

Deno.test("SIGINT and SIGTERM end the server with code 0 despite an idle connection", async () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    await using server = run(["task", "start"], READY);
    const origin = await originOf(server);
    await (await fetch(`${origin}/health`)).body?.cancel();
    const began = performance.now();
    assertEquals(await server.end(signal), 0, signal);
    assert(performance.now() - began < 4_000, `${signal}: well before the deadline of 8 s`);
    assert(!/error|warn|at file/i.test(server.output.stderr), server.output.stderr);
  }
});

Deno.test("a client disconnect aborts the upstream request and is logged", async () => {
  await using upstream = serve();
  await using server = run(["task", "start"], upstream.settings);
  const origin = await originOf(server);
  const asked = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<Response>();
  upstream.platform.inject((request) => {
    request.signal.addEventListener("abort", () => aborted.resolve(new Response()));
    asked.resolve();
    return aborted.promise;
  });
  const caller = new AbortController();
  const { signal } = caller;
  const response = fetch(origin + TASK_PATH, { headers: AUTHORIZED, signal });
  await Promise.race([asked.promise, response]);
  caller.abort();
  assertEquals(await response.then(() => "answered", () => "gone"), "gone");
  await Promise.race([aborted.promise, server.status.then(() => assert(false, "not aborted"))]);
  await server.waitForOutput(/"request_id".*\n/);
  assertEquals(await server.end("SIGTERM"), 0);
  assert(!/error|at file|canary/i.test(server.output.stderr), server.output.stderr);
});

Deno.test("a truncated body is 400 and not logged as an internal error", async () => {
  await using server = run(["task", "start"], READY);
  const origin = await originOf(server);
  const head = `POST /resolve HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${KEY}\r\n` +
    "content-type: application/json\r\nconnection: close\r\n";
  for (
    const body of ["content-length: 9\r\n\r\n{", "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"]
  ) {
    const answer = await raw(origin, head + body, true);
    assertMatch(answer, /^HTTP\/1\.1 400 /);
    assertStringIncludes(answer, '"errors":[{"pointer":"#","detail":"the body is incomplete"}]');
  }
  assertEquals(await server.end("SIGTERM"), 0);
  assert(!/internal-error|hint/.test(server.output.stdout), server.output.stdout);
});

/** Wrong settings, some with a secret. `settings_test.ts` has those of every variable. */
const BAD: [variable: string, wrong: Settings][] = [
  ["DEEPINT_TOKEN", { DEEPINT_TOKEN: "canary\ntoken" }],
  ["RESOLVE_API_KEYS", { RESOLVE_API_KEYS: "" }],
  ["RESOLVE_API_KEYS", { RESOLVE_API_KEYS: `${KEY},canary` }],
  ["RESOLVE_WEBHOOK_SECRETS", { RESOLVE_WEBHOOK_SECRETS: `${SECRET.slice(6)}` }],
  ["DEEPINT_INSTANCE", { DEEPINT_INSTANCE: "https://canary@deepint.example" }],
  ["RESOLVE_CALLBACK_HOSTS", { RESOLVE_CALLBACK_HOSTS: "hooks.example=whsec_canary" }],
  ["RESOLVE_CALLBACK_HOSTS", { RESOLVE_CALLBACK_HOSTS: `10.0.0.1=${SECRET}` }],
  ["RESOLVE_DATABASE_URL", { RESOLVE_DATABASE_URL: "canary.example" }],
  ["HOST", { HOST: "192.0.2.1" }],
  ["PORT", { PORT: "abc" }],
];

for (const [variable, wrong] of BAD) {
  const [value = ""] = Object.values(wrong);
  const shown = value.replace(SECRET.slice(6), "a secret without its prefix");
  Deno.test(`the server does not start with ${variable}=${JSON.stringify(shown)}`, async () => {
    await using server = run(["task", "start"], { ...READY, ...wrong });
    const { code } = await server.status;
    const { stdout, stderr } = server.output;
    const lines = stderr.split("\n").filter((line) => !/^(Task start .*)?$/.test(line));
    assertEquals([code, lines.length, stdout], [1, 1, ""], stderr);
    assertStringIncludes(lines[0] ?? "", variable);
    assert(!lines.join().includes("canary") && !lines.join().includes(SECRET.slice(6)), stderr);
  });
}

Deno.test("the server does not start on a used port and prints one line", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const settings = { ...READY, PORT: String(port), RESOLVE_ALLOW_UNAUTHENTICATED: "1" };
  await using server = run(["task", "start"], settings);
  const { code } = await server.status;
  const [, ...lines] = server.output.stderr.trim().split("\n");
  assertEquals([code, lines.length], [1, 1], server.output.stderr);
  assertMatch(lines[0] ?? "", /PORT.*\b\d+\b/);
});

Deno.test("RESOLVE_ALLOW_UNAUTHENTICATED=1 binds 127.0.0.1 and needs a loopback Host", async () => {
  await using upstream = serve();
  const { RESOLVE_API_KEYS: _keys, RESOLVE_WEBHOOK_SECRETS: _secrets, ...rest } = upstream.settings;
  await using server = run(["task", "start"], { ...rest, RESOLVE_ALLOW_UNAUTHENTICATED: "1" });
  const origin = await originOf(server);
  assertMatch(origin, /^http:\/\/127\.0\.0\.1:\d+$/);
  upstream.platform.add({ id: "t-1", status: "running" });
  const response = await fetch(`${origin}/resolve`, post(IDS));
  assertEquals((await objectOf(response)).status, "running");

  const request = (host: string) =>
    `GET ${TASK_PATH} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
  assertMatch(await raw(origin, request("localhost")), /^HTTP\/1\.1 202 /);
  assertMatch(await raw(origin, request("evil.example")), /^HTTP\/1\.1 403 /);
  assertEquals(upstream.platform.count(), 2);

  // another address of this machine; only a process of its own may reach for it
  const { port } = new URL(origin);
  const connect = `await Deno.connect({ hostname: "127.0.0.2", port: ${port} })`;
  await using other = run(["eval", connect], {});
  assertEquals((await other.status).success, false, "the server accepted the connection");
});

Deno.test("deno serve functions/main.ts serves, and prints one line for a wrong setting", async () => {
  const { PORT: _port, ...settings } = READY;
  await using server = run([...SERVE, "functions/main.ts"], settings);
  const origin = await originOf(server);
  assertEquals(await objectOf(await fetch(`${origin}/health`)), { status: "ok" });
  assertEquals(await outcomeOf(await fetch(origin + TASK_PATH)), [401, "unauthorized"]);

  const wrong = { ...settings, RESOLVE_API_KEYS: "canary" };
  await using refused = run([...SERVE, "functions/main.ts"], wrong);
  const { code } = await refused.status;
  assertEquals(code, 1);
  assertMatch(refused.output.stderr, /^RESOLVE_API_KEYS: (?!.*canary).+\n$/);
});

Deno.test("main.ts passes the environment and the connection to the app", async () => {
  const set = {
    DEEPINT_TOKEN: TOKEN,
    RESOLVE_ALLOW_UNAUTHENTICATED: "1",
    RESOLVE_BASE_PATH: "/base",
  };
  using _set = environment(set);
  const { default: main, config } = await import("../../functions/main.ts");
  assertEquals([config.allowUnauthenticated, config.basePath, config.port], [true, "/base", 8000]);
  using output = captureConsole();
  const request = new Request(`http://127.0.0.1/base${TASK_PATH}`);
  const response = await main.fetch(request, { remoteAddr: { hostname: "10.0.0.1" } });
  assertEquals(await outcomeOf(response), [403, "forbidden"]);
  const [line, ...more] = output.log;
  assertEquals([JSON.parse(String(line)).status, more], [403, []], "one line of JSON");
});
