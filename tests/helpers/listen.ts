/** Servers of the tests, on a free loopback port until they are disposed of. */

import type { FakePlatform } from "./fake_platform.ts";

/** A server that listens. */
export interface Listening extends AsyncDisposable {
  readonly port: number;
  readonly origin: string;
}

/** Serves a fake platform and sets its origin. Suppresses the errors of requests that clients abort. */
export function listenAs(platform: FakePlatform): Listening {
  const server = listen(platform.fetch, { onError: () => new Response(null, { status: 500 }) });
  platform.origin = server.origin;
  return server;
}

/** Serves over HTTP without printing the address. */
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
