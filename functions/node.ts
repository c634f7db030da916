/**
 * Node 20 and later: its bundle is a server. Like `main.ts` it refuses to start on a wrong setting,
 * so it reads the environment when it is loaded.
 */
import process from "node:process";
import { serve } from "@hono/node-server";
import { ConfigError, createApp, readConfig } from "./app.ts";

try {
  const config = readConfig(process.env);
  const { fetch } = createApp(config);
  const server = serve({ port: config.port, fetch: (request) => fetch(request) }, ({ port }) => {
    const listening = `http://localhost:${port}${config.basePath}/`;
    // deno-lint-ignore no-console -- standard output is the log
    console.log(JSON.stringify({ time: new Date().toISOString(), listening }));
  });
  server.on("error", ({ message }) => exitWithError(`PORT: ${message}`));
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.on(signal, () => {
      // what is under way may end, but an idle connection must not hold the process
      if ("keepAliveTimeout" in server) server.keepAliveTimeout = 1;
      server.close(() => process.exit(0));
      setTimeout(() => process.exit(0), config.timeout);
    });
  }
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  exitWithError(error.message);
}

function exitWithError(line: string): never {
  // deno-lint-ignore no-console -- why it does not start
  console.error(line);
  process.exit(1);
}
