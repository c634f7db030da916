// The loopback servers of the shared suite: one misbehaves as the task's id says, one must not receive
// a request, and one closes its connections.
import { createFakePlatform } from "../helpers/fake_platform.ts";
import { type ServerContext, type ServerState, TOKEN } from "./harness.ts";

/** The running servers and their origins. */
export interface Servers extends AsyncDisposable {
  readonly context: ServerContext;
}

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "x-auth-token, x-deepint-organization, content-type",
  "access-control-allow-methods": "GET, POST, DELETE",
  "access-control-expose-headers": "retry-after",
};

/** A body over the limit of 1 MiB: a task followed by white space. */
const LARGE = new TextEncoder().encode(`{"id":"t-1","status":"success"}`.padEnd(4 << 20));

/** Starts the servers on free ports. */
export function startServers(): Servers {
  const state: ServerState = { other: 0, tokens: 0, open: 0 };
  const platform = createFakePlatform({ token: TOKEN });
  const busy = new Set<string>();

  const strange = serve("127.0.0.1", 0, (request) => {
    state.other++;
    if (request.headers.has("x-auth-token")) state.tokens++;
    return Response.json({ id: "t-1", status: "success", result: "s-1", result_type: "source" });
  });
  const { port } = strange.addr;
  // `localhost` may be IPv4 or IPv6; without IPv6 the first server is enough
  const strangers = [strange, ...attempt(() => serve("::1", port, strange.answer))];

  const home = serve("127.0.0.1", 0, async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/control/state") return Response.json(state);
    if (pathname === "/control/task") return Response.json(platform.add(await request.json()));
    const [, id = ""] = /^\/api\/v1\/workspace\/[^/]+\/task\/([^/]+)$/.exec(pathname) ?? [];
    const [what = "", how = "", place = ""] = id.split("-");
    switch (what) {
      case "redirect":
        return new Response(null, { status: Number(how), headers: { location: locate(place) } });
      case "hang":
        return await hang(how, request.signal);
      case "large":
        return await large(how);
      case "zipped":
        return await zipped(JSON.stringify({ id, status: "success" }));
      case "busy":
        if (busy.has(id)) return Response.json({ id, status: "success" });
        busy.add(id);
        return Response.json({ code: "BUSY" }, { status: 503, headers: { "retry-after": "0" } });
    }
    return await platform.fetch(request);
  });

  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const breaking = breakConnections(listener);
  const unused = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closed = originOf(unused.addr.port);
  unused.close();

  function locate(place: string): string {
    const path = "/api/v1/workspace/w-1/task/t-1";
    if (place === "here") return path;
    return `http://${place === "name" ? "localhost" : "127.0.0.1"}:${port}${path}`;
  }

  /** Keeps a request open until the client leaves it. */
  function hang(how: string, signal: AbortSignal): Promise<Response> | Response {
    state.open++;
    let timer: ReturnType<typeof setInterval> | undefined;
    const leave = () => {
      clearInterval(timer);
      state.open--;
    };
    if (how === "headers") {
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          leave();
          resolve(new Response());
        });
      });
    }
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(LARGE.slice(0, 1));
        if (how !== "trickle") return;
        let sent = 1; // never to its end, which a minute away is long after every deadline
        timer = setInterval(() => controller.enqueue(LARGE.slice(sent, ++sent)), 50);
      },
      cancel: leave,
    });
    return new Response(body, { headers: { "content-type": "application/json" } });
  }

  return {
    context: {
      server: originOf(home.addr.port),
      other: originOf(port),
      broken: originOf(listener.addr.port),
      closed,
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      const servers = [home, ...strangers];
      for (const server of servers) server.controller.abort();
      await Promise.all([breaking, ...servers.map((server) => server.finished)]);
    },
  };
}

type Answer = (request: Request) => Response | Promise<Response>;

/** A server that any page may call. */
function serve(hostname: string, port: number, answer: Answer) {
  const controller = new AbortController();
  const { signal } = controller;
  const server = Deno.serve({ hostname, port, signal, onListen() {} }, async (request) => {
    if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: CORS });
    const response = await answer(request);
    const headers = new Headers(response.headers);
    for (const [name, value] of Object.entries(CORS)) headers.set(name, value);
    return new Response(response.body, { status: response.status, headers });
  });
  return { addr: server.addr, finished: server.finished, controller, answer };
}

async function large(how: string): Promise<Response> {
  if (how === "gzip") return await zipped(LARGE);
  return new Response(how === "length" ? LARGE : new Blob([LARGE]).stream(), {
    headers: { "content-type": "application/json" },
  });
}

async function zipped(body: BlobPart): Promise<Response> {
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(await new Response(stream).bytes(), {
    headers: { "content-type": "application/json", "content-encoding": "gzip" },
  });
}

/** Answers no request in full: the connection ends before the answer, or within it. */
async function breakConnections(listener: Deno.TcpListener): Promise<void> {
  const cors = Object.entries(CORS).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const connections = new Set<Promise<void>>();
  for await (const connection of listener) {
    const done = answer(connection).catch(() => {}).finally(() => connections.delete(done));
    connections.add(done);
  }
  await Promise.all(connections);

  async function answer(connection: Deno.TcpConn): Promise<void> {
    using open = connection;
    const buffer = new Uint8Array(16_384);
    const read = await open.read(buffer) ?? 0; // a request without a body comes in one piece
    const request = new TextDecoder().decode(buffer.subarray(0, read));
    const text = request.startsWith("OPTIONS ")
      ? `HTTP/1.1 204 No Content\r\n${cors}connection: close\r\n\r\n`
      : request.includes("/cut")
      ? `HTTP/1.1 200 OK\r\n${cors}content-length: 1000\r\n\r\n{"id":`
      : "";
    await open.write(new TextEncoder().encode(text));
  }
}

function originOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

function attempt<T>(make: () => T): T[] {
  try {
    return [make()];
  } catch {
    return [];
  }
}
