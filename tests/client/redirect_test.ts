// The token stays at home: over real connections, since only a runtime's own fetch follows redirects.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Credentials, DeepintHTTPError, Task } from "../../mod.ts";
import { assertNoSecrets, taskWith, TOKEN } from "../helpers/client.ts";
import { listen } from "../helpers/listen.ts";

const KINDS = [301, 302, 303, 307, 308];

/** A server on a free port of loopback that counts its requests. */
function serve(handler: (request: Request) => Response) {
  const seen: string[] = [];
  const server = listen((request) => {
    seen.push(`${request.method} ${new URL(request.url).pathname}`);
    return handler(request);
  });
  return { ...server, seen };
}

/** A server that a token thief would use: it responds with the task. */
function serveTask() {
  return serve(() => Response.json({ id: "t-1", status: "success", result: "success" }));
}

const taskAt = (instance: string, init: object = {}) =>
  taskWith({ instance, fetch: (url, request) => fetch(url, { ...request, ...init }) }).task;

/** Asks the way that the redirect points, to be sure that following it would be seen. */
async function follow(url: string): Promise<void> {
  const response = await fetch(url);
  await response.body?.cancel();
}

for (const kind of KINDS) {
  const places: Record<string, (port: number) => string> = {
    "another port": (port) => `http://127.0.0.1:${port}/`,
    "another host name": (port) => `http://localhost:${port}/`,
    "the same path at another port": (port) =>
      `http://127.0.0.1:${port}/api/v1/workspace/w-1/task/t-1`,
  };
  for (const [place, locate] of Object.entries(places)) {
    Deno.test(`a ${kind} to ${place} is refused, and the other server sees no request`, async () => {
      await using other = serveTask();
      const location = locate(other.port);
      await follow(location);
      assertEquals(other.seen.length, 1);
      await using home = serve(() => new Response(null, { status: kind, headers: { location } }));
      const task = taskAt(home.origin);
      for (const operation of [() => task.load(), () => task.delete(), () => task.resolve()]) {
        const error = await assertRejects(operation, DeepintHTTPError);
        assertEquals([error.code, error.status], ["REDIRECT", kind]);
        assertNoSecrets(error, TOKEN);
      }
      assertEquals(other.seen.length, 1);
      const path = "/api/v1/workspace/w-1/task/t-1";
      assertEquals(home.seen, [`GET ${path}`, `DELETE ${path}`, `GET ${path}`]);
    });
  }

  Deno.test(`a ${kind} within the same server is refused too`, async () => {
    await using home = serve(({ url }) =>
      url.endsWith("/moved")
        ? Response.json({ id: "t-1", status: "success" })
        : new Response(null, { status: kind, headers: { location: "/moved" } })
    );
    const error = await assertRejects(() => taskAt(home.origin).load(), DeepintHTTPError);
    assertEquals([error.code, error.status], ["REDIRECT", kind]);
    assertEquals(home.seen, ["GET /api/v1/workspace/w-1/task/t-1"]);
  });
}

Deno.test("Task.list refuses a redirect, and the other server sees no request", async () => {
  await using other = serve(() => Response.json({ items: [], pages_count: 0 }));
  const headers = { location: `${other.origin}/api/v1/workspace/w-1/tasks` };
  await using home = serve(() => new Response(null, { status: 307, headers }));
  const { credentials, organizationId, workspaceId } = taskAt(home.origin);
  const listing = (async () => {
    for await (const _task of Task.list({ credentials, organizationId, workspaceId }));
  })();
  const error = await assertRejects(() => listing, DeepintHTTPError);
  assertEquals([error.code, other.seen.length, home.seen.length], ["REDIRECT", 0, 1]);
  assertNoSecrets(error, TOKEN);
});

Deno.test("a URL with another host name or port is refused without a request", async () => {
  await using home = serveTask();
  await using other = serveTask();
  const credentials = new Credentials({ token: TOKEN, instance: home.origin });
  const options = { credentials, organizationId: "o-1" };
  const path = "/api/v1/workspace/w-1/task/t-1";
  const page = "/o/o-1/workspace?ws=w-1&s=task&i=t-1";
  const origins = [
    other.origin,
    `http://localhost:${home.port}`,
    `http://127.0.0.2:${home.port}`,
    `http://[::1]:${home.port}`,
    `https://127.0.0.1:${home.port}`,
    "https://app.deepint.net",
    `http://127.0.0.1:${home.port}@127.0.0.1:${other.port}`,
    `http://127.0.0.1:${home.port}.localhost`,
  ];
  for (const origin of origins) {
    for (const url of [origin + path, origin + page]) {
      assertNoSecrets(
        await assertRejects(() => Task.fromUrl(url, options), RangeError, "", url),
        TOKEN,
      );
    }
  }
  assertEquals([home.seen, other.seen], [[], []]);
  assertEquals((await Task.fromUrl(home.origin + path, options)).info.status, "success");
  assertEquals((await Task.fromUrl(home.origin + page, options)).info.status, "success");
  assertEquals([home.seen.length, other.seen.length], [2, 0]);
});

/** A certificate for localhost that nobody else trusts, made for this run. */
async function certificate(): Promise<{ cert: string; key: string }> {
  const folder = await Deno.makeTempDir();
  try {
    const made = await new Deno.Command("openssl", {
      cwd: folder,
      args: [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
        ...["-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        ...["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key", "-out", "cert"],
      ],
    }).output();
    assert(made.success, new TextDecoder().decode(made.stderr));
    const read = (name: string) => Deno.readTextFile(`${folder}/${name}`);
    return { cert: await read("cert"), key: await read("key") };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a redirect from https to http is refused, and the http server sees no request", async () => {
  const { cert, key } = await certificate();
  await using other = serveTask();
  let status = 0;
  const tls = { port: 0, hostname: "localhost", cert, key, onListen() {} };
  await using home = Deno.serve(tls, () => {
    const location = `${other.origin}/api/v1/workspace/w-1/task/t-1`;
    return new Response(null, { status, headers: { location } });
  });
  using client = Deno.createHttpClient({ caCerts: [cert] });
  const task = taskAt(`localhost:${home.addr.port}`, { client });
  for (status of KINDS) {
    const error = await assertRejects(() => task.load({ retries: 0 }), DeepintHTTPError);
    assertEquals([error.code, error.status], ["REDIRECT", status]);
    assertNoSecrets(error, TOKEN);
  }
  assertEquals(other.seen, []);
});
