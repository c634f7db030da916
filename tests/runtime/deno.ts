// Deno: the endpoint by `Deno.serve`. No permission to read the environment or a file.
import { makeEndpoint, runAll } from "./endpoint.ts";
import type { ServerContext } from "./harness.ts";

const servers: ServerContext = JSON.parse(Deno.args[0] ?? "");
const app = makeEndpoint(servers);
const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
await using server = Deno.serve(options, (request) => app.fetch(request));
const results = await runAll(servers, `http://127.0.0.1:${server.addr.port}`);
// deno-lint-ignore no-console
console.log(JSON.stringify(results));
