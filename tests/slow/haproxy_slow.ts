// HAProxy in front of the servers, with the HTTP/1.0 health check that it sends by default.
import { assertEquals, assertMatch } from "@std/assert";
import { KEY, TASK_PATH } from "../helpers/endpoint.ts";
import { blockOf } from "../helpers/pages.ts";
import { start } from "../helpers/process.ts";
import { findSystemCommand } from "../helpers/system_command.ts";
import { root } from "../helpers/run_deno.ts";
import { bundleEntries, sendRaw, SERVER_NAMES, startEndpointProcess } from "../helpers/servers.ts";

const BUNDLES = new URL("dist/slow_haproxy/", root);
const CHECK_TIMEOUT_MS = 20_000;

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** The result of the health check of each server, from the statistics of HAProxy. */
async function checks(origin: string): Promise<string[]> {
  const response = await fetch(`${origin}/stats;csv`).catch(() => undefined);
  const [head = "", ...lines] = (await response?.text() ?? "").replace(/^# /, "").split("\n");
  const names = head.split(",");
  const rows = lines.map((line) => {
    const cells = line.split(",");
    return Object.fromEntries(names.map((name, at) => [name, cells[at]]));
  });
  const servers = rows.filter((row) => row.check_status);
  return servers.map((row) => `${row.svname} ${row.status} ${row.check_status} ${row.check_code}`);
}

Deno.test("HAProxy finds every server healthy and hands requests to each", async () => {
  const command = await findSystemCommand("haproxy");
  await bundleEntries(BUNDLES, ["node", "bun"]);
  await using endpoints = new AsyncDisposableStack();
  const lines: string[] = [];
  for (const name of SERVER_NAMES) {
    const { server } = endpoints.use(await startEndpointProcess(name, { bundles: BUNDLES }));
    lines.push(`server ${name} 127.0.0.1:${server.port} check inter 100ms fall 1 rise 1`);
  }
  const port = freePort();
  const config = new URL("haproxy.cfg", BUNDLES);
  await Deno.writeTextFile(
    config,
    `defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
listen endpoint
  bind 127.0.0.1:${port}
  stats enable
  stats uri /stats
  option httpchk GET /health
  ${lines.join("\n  ")}
`,
  );
  await using _haproxy = start(command, ["-db", "-f", config.pathname], {});
  const origin = `http://127.0.0.1:${port}`;
  const end = Date.now() + CHECK_TIMEOUT_MS;
  let found: string[] = [];
  while (
    Date.now() < end &&
    (found.length < SERVER_NAMES.length || found.some((check) => /INI|\* /.test(check)))
  ) {
    found = await checks(origin);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assertEquals(found, SERVER_NAMES.map((name) => `${name} UP L7OK 200`));
  const headers = { authorization: `Bearer ${KEY}` };
  const statuses: number[] = [];
  for (let count = 0; count < 2 * SERVER_NAMES.length; count++) {
    const response = await fetch(origin + TASK_PATH, { headers });
    await response.body?.cancel();
    statuses.push(response.status);
  }
  assertEquals(statuses, [202, 202, 202, 202, 202, 202]);
});

Deno.test("the configuration in deploy.md limits slow headers and the request rate", async () => {
  const command = await findSystemCommand("haproxy");
  await using endpoint = await startEndpointProcess("deno", { bundles: BUNDLES });
  const port = freePort();
  const config = new URL("page.cfg", BUNDLES);
  await Deno.mkdir(BUNDLES, { recursive: true });
  await Deno.writeTextFile(
    config,
    blockOf(".github/docs/deploy.md", "haproxy")
      .replace(/bind :443 ssl.*/, `bind 127.0.0.1:${port}`)
      .replace("http-request 10s", "http-request 1s")
      .replace("127.0.0.1:8000", `127.0.0.1:${endpoint.server.port}`),
  );
  await using _haproxy = start(command, ["-db", "-f", config.pathname], {});
  const origin = `http://127.0.0.1:${port}`;
  const end = Date.now() + CHECK_TIMEOUT_MS;
  const health = async () => {
    const response = await fetch(`${origin}/health`).catch(() => undefined);
    await response?.body?.cancel();
    return response?.status;
  };
  while (await health() !== 200 && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { text } = await sendRaw(port, "GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ");
  assertMatch(text, /^HTTP\/1\.[01] 408 /);
  const statuses = new Set<number | undefined>();
  for (let count = 0; count < 110; count++) statuses.add(await health());
  assertEquals([...statuses], [200, 429]);
});
