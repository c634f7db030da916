// The entries of the platforms: each takes a signed webhook from 202 to 200, in its own runtime where
// that can be had here, else called as its platform calls it.
import process from "node:process";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { handler as lambda } from "../../functions/aws_lambda.ts";
import bun from "../../functions/bun.ts";
import cloudflare from "../../functions/cloudflare.ts";
import netlify, { config as netlifyConfig } from "../../functions/netlify.ts";
import supabase from "../../functions/supabase/index.ts";
import vercel from "../../functions/vercel.ts";
import { root } from "../helpers/run_deno.ts";
import {
  captureConsole,
  IDS,
  post,
  SECRET,
  type Settings,
  signed,
  TOKEN,
} from "../helpers/endpoint.ts";
import { environment } from "../helpers/environment.ts";
import { listen } from "../helpers/listen.ts";
import { start } from "../helpers/process.ts";
import { CALLBACK_SECRET } from "../helpers/watches.ts";
import { bunCommand, bundleEntries } from "../helpers/servers.ts";
import { createFakePlatform, type FakePlatform } from "../helpers/fake_platform.ts";

/** An answer, as far as the tests look at it. */
interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/** Sends a request to an entry. */
type Send = (path: string, init: RequestInit) => Promise<Answer>;

const OUT = new URL("dist/entries/", root);
const WITHOUT_DATABASE = {
  DEEPINT_TOKEN: TOKEN,
  RESOLVE_WEBHOOK_SECRETS: SECRET,
  RESOLVE_CALLBACK_HOSTS: `hooks.example=${CALLBACK_SECRET}`,
};
const PORTLESS = { PORT: "an odd one" };

/** A fake platform that listens, and the settings of an entry that uses it. */
function serve(): AsyncDisposable & { platform: FakePlatform; settings: Settings } {
  const platform = createFakePlatform({ token: TOKEN });
  const server = listen(platform.fetch);
  const settings = {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: server.origin,
    RESOLVE_WEBHOOK_SECRETS: SECRET,
  };
  return { ...server, platform, settings };
}

/** Takes a signed delivery from 202 to 200, and an unsigned one nowhere. */
async function deliver(send: Send, platform: FakePlatform, basePath = ""): Promise<void> {
  const steps = [{ status: "running" }, {
    status: "success",
    result: "s-1",
    result_type: "source",
  }];
  platform.add({ id: "t-1", steps });
  const timestamp = Math.floor(Date.now() / 1000);
  const delivery = await signed(post({ ...IDS, pending: "accepted" }), { timestamp });
  const answers = [
    await send(`${basePath}/resolve`, delivery),
    await send(`${basePath}/resolve`, delivery),
    await send(`${basePath}/resolve`, post(IDS)),
    await send(`${basePath}/health`, {}),
  ];
  assertEquals(
    answers.map(({ status, body }) => [status, body.status, body.result, body.type]),
    [
      [202, "running", undefined, undefined],
      [200, "success", { source: "s-1" }, undefined],
      [401, 401, undefined, `${basePath}/problems/unauthorized`],
      [200, "ok", undefined, undefined],
    ],
  );
  assertEquals(platform.count(), 2, "one poll an answer");
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, body: await response.json() };
}

/** Sends to an origin of this machine. */
function over(origin: string): Send {
  return async (path, init) => await answerOf(await fetch(origin + path, init));
}

/** Sends to a function of this process. */
function calling(fetch: (request: Request) => Response | Promise<Response>): Send {
  return async (path, init) =>
    await answerOf(await fetch(new Request(`https://endpoint.example${path}`, init)));
}

/** An event of an API Gateway's HTTP API, in the format 2.0, which function URLs share. */
function gatewayEvent(path: string, init: RequestInit) {
  const { method = "GET", body } = init;
  const headers = {
    host: "id.lambda-url.example",
    ...Object.fromEntries(new Headers(init.headers)),
  };
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: "",
    headers,
    requestContext: {
      accountId: "anonymous",
      apiId: "id",
      authentication: null,
      authorizer: {},
      domainName: headers.host,
      domainPrefix: "id",
      http: { method, path, protocol: "HTTP/1.1", sourceIp: "192.0.2.1", userAgent: "" },
      requestId: "00000000-0000-0000-0000-000000000000",
      routeKey: "$default",
      stage: "$default",
      time: "01/Jan/2026:00:00:00 +0000",
      timeEpoch: 1_767_225_600_000,
    },
    // a gateway hands over what it takes for binary in base64
    body: typeof body === "string" ? btoa(body) : null,
    isBase64Encoded: typeof body === "string",
  };
}

/** Returns the bundle of an entry. The first call builds all bundles. */
async function bundle(name: string): Promise<string> {
  await (bundled ??= bundleEntries(OUT, ["node", "bun", "vercel", "aws_lambda"]));
  return new URL(`${name}.js`, OUT).pathname;
}

let bundled: Promise<void> | undefined;

/** Sends to what a bundle exports, in a Node that a function's platform would run. */
function node(module: string, call: string, settings: Settings): Send {
  return async (path, init) => {
    const input = JSON.stringify(
      call === "handler" ? gatewayEvent(path, init) : {
        url: `https://endpoint.example${path}`,
        init: { ...init, headers: Object.fromEntries(new Headers(init.headers)) },
      },
    );
    await using child = start("node", ["--input-type=module", "-e", CALL, module], settings, input);
    const { code } = await child.status;
    assertEquals([code, child.output.stderr], [0, ""]);
    return JSON.parse(child.output.stdout.trim().split("\n").at(-1) ?? "");
  };
}

const CALL = `
  import { text } from "node:stream/consumers";
  const { default: entry, handler } = await import(process.argv[1]);
  const input = JSON.parse(await text(process.stdin));
  const answer = handler
    ? await handler(input, { awsRequestId: "1", functionName: "resolve" })
    : await entry.fetch(new Request(input.url, input.init));
  const body = JSON.parse(handler ? answer.body : await answer.text());
  console.log(JSON.stringify({ status: answer.statusCode ?? answer.status, body }));
`;

Deno.test("cloudflare.ts resolves a signed delivery", async () => {
  await using upstream = serve();
  using _log = captureConsole();
  const waiting: Promise<unknown>[] = [];
  const context = {
    waitUntil: (promise: Promise<unknown>) => void waiting.push(promise),
    passThroughOnException() {},
    props: {},
  };
  const bindings = { ...upstream.settings, ...PORTLESS, NAMESPACE: { get() {} } };
  const send = calling((request) => cloudflare.fetch(request, bindings, context));
  await deliver(send, upstream.platform);
  assert(waiting.length > 0, "the poll outlives its request");
  await Promise.all(waiting);
});

Deno.test("netlify.ts resolves a signed delivery", async () => {
  await using upstream = serve();
  using _log = captureConsole();
  const settings: Settings = { ...upstream.settings, ...PORTLESS };
  const Netlify = { env: { get: (name: string) => settings[name] } };
  Object.assign(globalThis, { Netlify });
  try {
    const context = { requestId: "1", ip: "192.0.2.1", geo: {}, waitUntil() {}, next() {} };
    const entry: (request: Request, context: unknown) => Response | Promise<Response> = netlify;
    await deliver(calling((request) => entry(request, context)), upstream.platform);
  } finally {
    Reflect.deleteProperty(globalThis, "Netlify");
  }
  assertEquals(netlifyConfig, { path: "/*" });
});

Deno.test("supabase/index.ts resolves a signed delivery, with its config.toml", async () => {
  await using upstream = serve();
  using _log = captureConsole();
  const toml = await Deno.readTextFile(new URL("functions/supabase/config.toml", root));
  const [, name] = /^\[functions\.([\w-]+)\]$/m.exec(toml) ?? [];
  const [, basePath = ""] = /^RESOLVE_BASE_PATH = "(.+)"$/m.exec(toml) ?? [];
  assertEquals(basePath, `/${name}`);
  assertMatch(toml, /^verify_jwt = false$/m);
  using _set = environment({ ...upstream.settings, ...PORTLESS, RESOLVE_BASE_PATH: basePath });
  await deliver(calling(supabase.fetch), upstream.platform, basePath);
});

for (const file of ["main", "supabase/index"]) {
  Deno.test(`${file}.ts, served by deno serve, resolves a signed delivery`, async () => {
    await using upstream = serve();
    const args = [
      "serve",
      "--frozen",
      "--host=127.0.0.1",
      "--port=0",
      "--allow-env",
      "--allow-net",
    ];
    args.push(`functions/${file}.ts`);
    await using server = start(Deno.execPath(), args, upstream.settings);
    await deliver(over(await server.waitForOutput(/(http:\/\/[\w.]+:\d+)/)), upstream.platform);
  });
}

Deno.test("vercel.ts resolves a signed delivery", async () => {
  await using upstream = serve();
  using _log = captureConsole();
  using _set = environment({ ...upstream.settings, ...PORTLESS });
  await deliver(calling(vercel.fetch), upstream.platform);
});

Deno.test("aws_lambda.ts resolves a signed event", async () => {
  await using upstream = serve();
  using _log = captureConsole();
  using _set = environment({ ...upstream.settings, ...PORTLESS });
  await deliver(async (path, init) => {
    const { statusCode, body, isBase64Encoded } = await lambda(gatewayEvent(path, init));
    assertEquals(isBase64Encoded, false);
    return { status: statusCode, body: JSON.parse(body) };
  }, upstream.platform);
});

Deno.test("bun.ts reads its port late and resolves a signed delivery", async () => {
  await using upstream = serve();
  using _log = captureConsole();
  using _set = environment({ ...upstream.settings, PORT: "8123" });
  assertEquals(bun.port, 8123);
  await deliver(calling(bun.fetch), upstream.platform);
});

Deno.test("bun.ts reads a body in one piece if Bun names the peer", async () => {
  using _log = captureConsole();
  using _set = environment({ DEEPINT_TOKEN: TOKEN, RESOLVE_WEBHOOK_SECRETS: SECRET });
  const timestamp = Math.floor(Date.now() / 1000);
  const server = { requestIP: () => ({ address: "192.0.2.1" }), stop: () => Promise.resolve() };
  for (const [peer, expected] of [[server, 1], [undefined, 0]] as const) {
    const init = await signed(post({}), { timestamp });
    const request = new Request("https://endpoint.example/resolve", init);
    request.headers.set("content-length", String(String(init.body).length));
    let reads = 0;
    const arrayBuffer = () => (reads++, Request.prototype.arrayBuffer.call(request));
    Object.defineProperty(request, "arrayBuffer", { value: arrayBuffer });
    const { status } = await bun.fetch(request, peer);
    assertEquals({ status, reads }, { status: 400, reads: expected });
  }
  // the entry handles signals from its first request on
  for (const signal of ["SIGINT", "SIGTERM"]) process.removeAllListeners(signal);
});

Deno.test("the functions read no setting at import time", async () => {
  const names = ["aws_lambda", "bun", "cloudflare", "netlify", "supabase/index", "vercel"];
  const script = names.map((name) => `import "./functions/${name}.ts";\n`).join("");
  // without permissions and prompts, reading a setting throws
  const args = ["run", "--frozen", "--no-prompt", "-"];
  await using child = start(Deno.execPath(), args, {}, script);
  const { code } = await child.status;
  assertEquals([code, child.output], [0, { stdout: "", stderr: "" }]);
});

Deno.test("functions refuse watches without a database, and Netlify always", async () => {
  const script = `
    import { handler } from "./functions/aws_lambda.ts";
    import netlify from "./functions/netlify.ts";
    import supabase from "./functions/supabase/index.ts";
    import vercel from "./functions/vercel.ts";
    globalThis.Netlify = { env: Deno.env };
    const lambda = async () => {
      const { statusCode, body } = await handler(${JSON.stringify(gatewayEvent("/health", {}))});
      return new Response(body, { status: statusCode });
    };
    const request = new Request("https://endpoint.example/health");
    for (const call of [lambda, vercel.fetch, supabase.fetch, netlify]) {
      console.log((await call(request)).status);
    }
  `;
  const args = ["run", "--frozen", "--no-prompt", "--allow-env", "-"];
  await using child = start(Deno.execPath(), args, WITHOUT_DATABASE, script);
  const { code } = await child.status;
  assertEquals([code, child.output.stderr], [0, ""]);
  const lines = child.output.stdout.trim().split("\n");
  const hints = lines.flatMap((line) => line.startsWith("{") ? [JSON.parse(line).hint] : []);
  const needed = "RESOLVE_CALLBACK_HOSTS: needs RESOLVE_DATABASE_URL on this platform";
  const refused = "RESOLVE_CALLBACK_HOSTS: this platform does not support durable watches";
  assertEquals(hints, [needed, needed, needed, refused]);
  assertEquals(lines.filter((line) => !line.startsWith("{")), ["503", "503", "503", "503"]);
});

Deno.test("the Deno and Cloudflare functions answer 503 without settings", async () => {
  const script = `
    import cloudflare from "./functions/cloudflare.ts";
    import netlify from "./functions/netlify.ts";
    import supabase from "./functions/supabase/index.ts";
    globalThis.Netlify = { env: { get() {} } };
    const request = new Request("https://endpoint.example/health");
    for (const call of [(it) => cloudflare.fetch(it, {}, {}), netlify, supabase.fetch]) {
      const response = await call(request);
      console.log(response.status, (await response.json()).detail);
    }
  `;
  const args = ["run", "--frozen", "--no-prompt", "--allow-env", "-"];
  await using child = start(Deno.execPath(), args, {}, script);
  const { code } = await child.status;
  assertEquals([code, child.output.stderr], [0, ""]);
  const answers = child.output.stdout.split("\n").filter((line) => /^\d/.test(line));
  const answer = "503 the setting DEEPINT_TOKEN is missing or malformed; the log says how";
  assertEquals(answers, [answer, answer, answer]);
});

for (const [file, call] of [["vercel", "default.fetch"], ["aws_lambda", "handler"]] as const) {
  Deno.test(`${file}.ts bundled runs under Node and answers 503 without settings`, async () => {
    await using upstream = serve();
    const module = await bundle(file);
    const send = node(module, call, { ...upstream.settings, ...PORTLESS });
    await deliver(send, upstream.platform);
    const { RESOLVE_WEBHOOK_SECRETS: _, ...rest } = upstream.settings;
    const { status, body } = await node(module, call, rest)("/health", {});
    assertEquals([status, body.type], [503, "/problems/misconfigured"]);
    assertMatch(String(body.detail), /RESOLVE_API_KEYS/);
  });
}

async function listens(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test("node.ts bundled serves under Node and ends on a signal", async () => {
  await using upstream = serve();
  const args = [await bundle("node")];
  await using server = start("node", args, { ...upstream.settings, PORT: "0" });
  const origin = await server.waitForOutput(/"listening":"(http:\/\/localhost:\d+)\/"/);
  const send = over(origin.replace("localhost", "127.0.0.1"));
  await deliver(send, upstream.platform);

  const { port } = new URL(origin);
  await using second = start("node", args, { ...upstream.settings, PORT: port });
  assertEquals((await second.status).code, 1);
  assertMatch(second.output.stderr, /^PORT: .*EADDRINUSE.*\n$/);

  // a request in flight gets its response when the server ends
  const [polled, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  upstream.platform.add({ id: "t-2" });
  upstream.platform.inject(async () => {
    polled.resolve();
    await held.promise;
    return undefined;
  });
  const timestamp = Math.floor(Date.now() / 1000);
  const late = post({ ...IDS, task_id: "t-2", pending: "accepted" });
  const answering = send("/resolve", await signed(late, { timestamp }));
  await polled.promise;
  const ending = server.end("SIGTERM");
  // a new connection each time: one that is kept alive is served to its end
  while (await listens(Number(port)));
  held.resolve();
  assertEquals((await answering).status, 202);
  assertEquals(await ending, 0);
  assertEquals(server.output.stderr, "");
  const written = server.output.stdout;
  assert(!/canary|whsec_|v1,/.test(written), written);
});

Deno.test("node.ts bundled does not start with a wrong setting", async () => {
  const args = [await bundle("node")];
  for (
    const [settings, variable] of [
      [{}, "DEEPINT_TOKEN"],
      [{ DEEPINT_TOKEN: TOKEN }, "RESOLVE_API_KEYS"],
      [
        { DEEPINT_TOKEN: TOKEN, RESOLVE_ALLOW_UNAUTHENTICATED: "1" },
        "RESOLVE_ALLOW_UNAUTHENTICATED",
      ],
      [{ DEEPINT_TOKEN: TOKEN, RESOLVE_WEBHOOK_SECRETS: SECRET, ...PORTLESS }, "PORT"],
      [
        {
          DEEPINT_TOKEN: TOKEN,
          RESOLVE_WEBHOOK_SECRETS: SECRET,
          RESOLVE_CALLBACK_HOSTS: "a.example",
        },
        "RESOLVE_CALLBACK_HOSTS",
      ],
      [WITHOUT_DATABASE, "RESOLVE_CALLBACK_HOSTS"],
      [{ ...WITHOUT_DATABASE, RESOLVE_DATABASE_URL: "postgres:canary" }, "RESOLVE_DATABASE_URL"],
    ] as const
  ) {
    await using refused = start("node", args, settings);
    assertEquals((await refused.status).code, 1);
    assertMatch(refused.output.stderr, new RegExp(`^${variable}: (?!.*canary).+\n$`));
    assertEquals(refused.output.stdout, "");
  }
});

Deno.test("bun.ts bundled serves under Bun and does not start with a wrong setting", async () => {
  await using upstream = serve();
  const file = await bundle("bun");
  const command = await bunCommand();
  await using server = start(command, [file], { ...upstream.settings, PORT: "0" });
  const origin = await server.waitForOutput(/(http:\/\/localhost:\d+)/);
  await deliver(over(origin.replace("localhost", "127.0.0.1")), upstream.platform);

  await using refused = start(command, [file], { DEEPINT_TOKEN: TOKEN });
  assertEquals((await refused.status).code, 1);
  assertMatch(refused.output.stderr, /^RESOLVE_API_KEYS: (?!.*canary).+\n$/);
});
