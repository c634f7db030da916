/** Servers of the tests: on a free port of loopback, until they are disposed of. */

import type { FakePlatform } from "./fake_platform.ts";

/** A server that listens. */
export interface Listening extends AsyncDisposable {
  readonly port: number;
  readonly origin: string;
}

/** Serves a stand-in, whose origin it becomes; a request that its caller breaks off is no error to print. */
export function listenAs(platform: FakePlatform): Listening {
  const server = listen(platform.fetch, { onError: () => new Response(null, { status: 500 }) });
  platform.origin = server.origin;
  return server;
}

/** Serves over HTTP, without a word about where. */
export function listen(
  handler: Deno.ServeHandler,
  options: Pick<Deno.ServeTcpOptions, "onError"> = {},
): Listening {
  const address = { hostname: "127.0.0.1", port: 0 };
  const server = Deno.serve({ ...address, ...options, onListen() {} }, handler);
  const { port } = server.addr;
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}
