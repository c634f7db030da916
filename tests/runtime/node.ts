// Node: the endpoint by `@hono/node-server`.
import { serve } from "@hono/node-server";
import process from "node:process";
import { makeEndpoint, runAll } from "./endpoint.ts";
import type { ServerContext } from "./harness.ts";

const servers: ServerContext = JSON.parse(process.argv[2] ?? "");
const app = makeEndpoint(servers);
const options = { hostname: "127.0.0.1", port: 0 };
const server = serve({ ...options, fetch: (request) => app.fetch(request) }, async ({ port }) => {
  const results = await runAll(servers, `http://127.0.0.1:${port}`);
  // deno-lint-ignore no-console
  console.log(JSON.stringify(results));
  server.close();
});
