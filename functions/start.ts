/**
 * A server of its own: `deno task start`. Apart from `main.ts`, whose default export `deno run` would
 * take for a slip.
 */
import main, { config, watches } from "./main.ts";

const { allowUnauthenticated, port } = config;
// without authentication, nobody but this machine may come near
const hostname = allowUnauthenticated ? "127.0.0.1" : "0.0.0.0";

const stop = new AbortController();
const watching = watches?.run(stop.signal);

try {
  const server = Deno.serve({ hostname, port, onListen }, main.fetch);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, async () => {
      // what is under way may end, but an idle connection must not hold the process
      const late = setTimeout(() => Deno.exit(0), config.timeout);
      stop.abort();
      await Promise.all([server.shutdown(), watching]);
      clearTimeout(late);
      Deno.exit(0);
    });
  }
} catch (error) {
  if (!(error instanceof Deno.errors.AddrInUse)) throw error;
  say(`PORT: ${port} is in use`);
  Deno.exit(1);
}

function onListen(address: Deno.NetAddr): void {
  const host = allowUnauthenticated ? address.hostname : "localhost";
  const url = `http://${host}:${address.port}${config.basePath}/`;
  say(`Listening on ${url}`);
  // deno-lint-ignore no-console -- standard output is the log, for machines
  console.log(JSON.stringify({ time: new Date().toISOString(), listening: url }));
}

function say(line: string): void {
  // deno-lint-ignore no-console -- for the person who starts it
  console.error(line);
}
