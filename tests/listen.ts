/** Servers of the tests: on a free port of loopback, until they are disposed of. */

/** A server that listens. */
export interface Listening extends AsyncDisposable {
  readonly port: number;
  readonly origin: string;
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
