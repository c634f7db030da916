// Chromium: a page that runs the client's tests and posts the results to its server.
import type { ServerContext } from "./harness.ts";
import { runSuite } from "./suite.ts";

const servers: ServerContext = JSON.parse(new URL(location.href).searchParams.get("servers") ?? "");
const results = await runSuite(servers);
await fetch("/results", { method: "POST", body: JSON.stringify(results) });
