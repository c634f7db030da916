// Bun: the endpoint by `Bun.serve`.
import { makeEndpoint, runAll } from "./endpoint.ts";
import type { ServerContext } from "./harness.ts";

declare const Bun: {
  argv: string[];
  serve(options: {
    hostname: string;
    port: number;
    fetch(request: Request): Response | Promise<Response>;
  }): { port: number; stop(closeActive: boolean): void };
};

const servers: ServerContext = JSON.parse(Bun.argv[2] ?? "");
const app = makeEndpoint(servers);
const options = { hostname: "127.0.0.1", port: 0 };
const server = Bun.serve({ ...options, fetch: (request) => app.fetch(request) });
const results = await runAll(servers, `http://127.0.0.1:${server.port}`);
// deno-lint-ignore no-console
console.log(JSON.stringify(results));
server.stop(true);
