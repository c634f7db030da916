// The fault matrix against `functions/node.ts` as a process: it has its own transport for the upstream.
import { assert, assertEquals, assertLess } from "@std/assert";
import { PROBLEMS } from "../../functions/http/problem.ts";
import { TOKEN } from "../helpers/client.ts";
import { root } from "../helpers/run_deno.ts";
import { withTimeout } from "../../src/internal/deadline.ts";
import { FAULTS } from "./matrix.ts";
import { faultNamed, post, startEntry, TIMEOUT } from "./process.ts";
import { startFaultServer } from "./server.ts";
import { KEY } from "./table.ts";

const BUNDLES = new URL("dist/faults/", root);
const SLACK = 1_000;

const startNode = (origin: string) => startEntry("node", { origin, bundles: BUNDLES });

Deno.test("node.ts responds to each fault as documented, with one upstream request and no open socket", async () => {
  let requests = 0;
  await using platform = await startFaultServer({
    choose({ id }) {
      requests++;
      return FAULTS.find((fault) => fault.id === id);
    },
  });
  await using server = await startNode(platform.origin);
  const reachable = FAULTS.filter((fault) => platform.originOf(fault) === platform.origin);
  for (const fault of reachable) {
    requests = 0;
    const startedAt = performance.now();
    const response = await post(server, fault);
    const { type, status } = await response.json();
    assertLess(performance.now() - startedAt, TIMEOUT + SLACK, fault.name);
    const expected = fault.endpoint === 202
      ? [202, "running"]
      : [PROBLEMS[fault.endpoint].status, `/problems/${fault.endpoint}`];
    assertEquals([response.status, type ?? status], expected, fault.name);
    assertEquals(requests, 1, fault.name);
  }
  await withTimeout(() => platform.idle(), { ms: 5_000, onTimeout: () => {} });
  assertEquals(platform.open, 0, "open sockets");
  const { stdout, stderr } = server.output;
  for (const secret of [TOKEN, KEY]) assert(!(stdout + stderr).includes(secret));
});

Deno.test("node.ts responds 502 while the platform refuses connections", async () => {
  await using platform = await startFaultServer();
  const refused = faultNamed("connection refused");
  await using server = await startNode(platform.originOf(refused));
  const response = await post(server, refused);
  await response.body?.cancel();
  assertEquals([response.status, platform.accepted], [502, 0]);
});
