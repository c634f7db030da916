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
import { captureConsole, post, SECRET, type Settings, signed, TOKEN } from "../helpers/endpoint.ts";
import { calling, deliver, gatewayEvent, over, PORTLESS, serve } from "../helpers/entries.ts";
import { environment } from "../helpers/environment.ts";
import { start } from "../helpers/process.ts";
import { CALLBACK_SECRET } from "../helpers/watches.ts";

const WITHOUT_DATABASE = {
  DEEPINT_TOKEN: TOKEN,
  RESOLVE_WEBHOOK_SECRETS: SECRET,
  RESOLVE_CALLBACK_HOSTS: `hooks.example=${CALLBACK_SECRET}`,
};

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
  const [, publicUrl = ""] = /^RESOLVE_PUBLIC_URL = "(.+)"$/m.exec(toml) ?? [];
  assert(publicUrl.endsWith(`/functions/v1${basePath}`), publicUrl);
  const secrets = { RESOLVE_BASE_PATH: basePath, RESOLVE_PUBLIC_URL: publicUrl };
  using _set = environment({ ...upstream.settings, ...PORTLESS, ...secrets });
  await deliver(calling(supabase.fetch), upstream.platform, basePath, publicUrl);
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
