// The bundles of the entries, in the runtimes of their platforms where those run here.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { SECRET, type Settings, TOKEN } from "../helpers/endpoint.ts";
import { deliver, gatewayEvent, over, PORTLESS, type Send, serve } from "../helpers/entries.ts";
import { start } from "../helpers/process.ts";
import { CALLBACK_SECRET } from "../helpers/watches.ts";
import { root } from "../helpers/run_deno.ts";
import { bunCommand, bundleEntries } from "../helpers/servers.ts";

const OUT = new URL("dist/entries/", root);
const WITHOUT_DATABASE = {
  DEEPINT_TOKEN: TOKEN,
  RESOLVE_WEBHOOK_SECRETS: SECRET,
  RESOLVE_CALLBACK_HOSTS: `hooks.example=${CALLBACK_SECRET}`,
};

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

  assertEquals(await server.end("SIGTERM"), 0);
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
  // not a development server, whose response to an error has the source code
  const origin = await server.waitForOutput(/^Started server: (http:\/\/localhost:\d+)/m);
  await deliver(over(origin.replace("localhost", "127.0.0.1")), upstream.platform);

  await using refused = start(command, [file], { DEEPINT_TOKEN: TOKEN });
  assertEquals((await refused.status).code, 1);
  assertMatch(refused.output.stderr, /^RESOLVE_API_KEYS: (?!.*canary).+\n$/);
});
