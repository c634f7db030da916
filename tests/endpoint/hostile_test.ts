// Ids, URLs, paths and bodies that an attacker may send to the endpoint.
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type Endpoint,
  KEY,
  problemOf,
  SECRET,
  setUp,
  textOf,
  TOKEN,
} from "../helpers/endpoint.ts";
import { hostileId, hostileUrl } from "../helpers/hostile.ts";
import { hostileBody } from "../helpers/hostile_body.ts";
import { checkProperty } from "../helpers/property.ts";

const ID = /^[A-Za-z0-9_-]{1,128}$/;

const pathOf = (workspace: unknown, task: unknown) => `/api/v1/workspace/${workspace}/task/${task}`;

/** An endpoint behind which every task runs. */
function endpoint(): Endpoint {
  const made = setUp({ DEEPINT_ORGANIZATION: "organization-1" });
  made.platform.inject(() => Response.json({ status: "running" }), Infinity);
  return made;
}

/** Result of a request: a problem without an upstream request, or the request that was made. */
interface Outcome {
  status: number;
  polled?: { path: string; organization: string | undefined };
}

/** Asks, and checks what holds of every answer. */
async function outcomeOf(endpoint: Endpoint, ask: () => Promise<Response>): Promise<Outcome> {
  const { platform, log } = endpoint;
  const before = { requests: platform.requests.length, log: log.length };
  const response = await ask();
  const { status } = response;
  const [request, ...more] = platform.requests.slice(before.requests);
  assertEquals(more, [], "one upstream request at most");
  const seen = await textOf(response) + JSON.stringify(log.slice(before.log));
  assertEquals(log.length, before.log + 1, "one line in the log");
  for (const secret of [TOKEN, KEY, SECRET.slice(6)]) assert(!seen.includes(secret), seen);
  assert(!/\.ts:\d/.test(seen), `a stack: ${seen}`);
  if (!request) {
    await problemOf(response);
    assert([400, 403, 404, 413, 415].includes(status), `${status} without an upstream request`);
    return { status };
  }
  assertEquals(request.method, "GET");
  const { path, headers } = request;
  assert([202, 503].includes(status), `${status} of a task that runs`);
  if (status === 503) assertEquals((await problemOf(response)).code, "TASK_PENDING");
  else await response.body?.cancel();
  return { status, polled: { path, organization: headers["x-deepint-organization"] } };
}

Deno.test("a hostile URL in POST /resolve is 400, 403 or requests the path of its task", async (t) => {
  const made = endpoint();
  const counts: Record<number, number> = {};
  await checkProperty(
    t,
    fc.asyncProperty(hostileUrl, fc.boolean(), async (url, signed) => {
      const ask = () => (signed ? made.webhook : made.bearer)({ url });
      const { status, polled } = await outcomeOf(made, ask);
      counts[status] = (counts[status] ?? 0) + 1;
      if (!polled) return assert(status === 400 || status === 403, `${status}`);
      // the way in which a browser reads it
      const { host, protocol, pathname, searchParams } = new URL(url);
      assertEquals([host, protocol], ["app.deepint.net", "https:"]);
      const [, , organization] = pathname.split("/");
      const [, , , , workspace, , task] = pathname.split("/");
      const expected = pathname.startsWith("/api/")
        ? { path: pathOf(workspace, task), organization: "organization-1" }
        : { path: pathOf(searchParams.get("ws"), searchParams.get("i")), organization };
      assertEquals(polled, expected);
      for (const one of polled.path.split("/").slice(4).filter((_, n) => n % 2 === 0)) {
        assert(ID.test(one));
      }
    }),
  );
  for (const status of [202, 400, 403, 503]) {
    assert((counts[status] ?? 0) > 50, JSON.stringify(counts));
  }
});

Deno.test("a hostile id is 400, 404 or requests the path of its task, on both routes", async (t) => {
  const made = endpoint();
  const counts: Record<number, number> = {};
  await checkProperty(
    t,
    fc.asyncProperty(
      hostileId,
      hostileId,
      hostileId,
      fc.constantFrom("body", "path", "encoded"),
      async (organization, workspace, task, form) => {
        const body = { organization_id: organization, workspace_id: workspace, task_id: task };
        const ids = [organization, workspace, task];
        const [o, w, t] = form === "encoded"
          ? ids.map((id) => encodeURIComponent(id.toWellFormed()))
          : ids;
        const path = `/organizations/${o}/workspaces/${w}/tasks/${t}`;
        const ask = () => form === "body" ? made.bearer(body) : made.get(path);
        const { status, polled } = await outcomeOf(made, ask);
        counts[status] = (counts[status] ?? 0) + 1;
        if (!polled) {
          assert(status === 400 || (form !== "body" && status === 404), `${status}`);
          return;
        }
        let expected = { organization, path: pathOf(workspace, task) };
        if (form === "path") {
          const { pathname } = new URL(`https://endpoint.example${path}`);
          const [, , organization = "", , workspace, , task] = pathname.split("/")
            .map(decodeURIComponent);
          expected = { organization, path: pathOf(workspace, task) };
        }
        assertEquals(polled, expected);
        assert(/^\/api\/v1\/workspace\/[\w-]{1,128}\/task\/[\w-]{1,128}$/.test(polled.path));
      },
    ),
  );
  for (const status of [202, 400, 404]) {
    assert((counts[status] ?? 0) > 100, JSON.stringify(counts));
  }
});

/** Every object in which the ids may stand: the body and, one within the other, its `data`. */
function within(bytes: Uint8Array): Record<string, unknown>[] {
  const found: Record<string, unknown>[] = [];
  for (
    let value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    isObject(value);
    value = value.data
  ) {
    found.push(value);
  }
  return found;
}

/** Every path that the ids of an object may name. */
function pathsOf(ids: Record<string, unknown>): string[] {
  const task = isObject(ids.task) ? ids.task : {};
  const infos = [ids.info, task.info].map((info) => isObject(info) ? info.id : undefined);
  const tasks = [ids.task_id, task.task_id, ...infos];
  return [ids.workspace_id, task.workspace_id]
    .flatMap((workspace) => tasks.map((task) => pathOf(workspace, task)));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

Deno.test("a hostile body is a 4xx without an upstream request, or polls its task", async (t) => {
  const made = endpoint();
  const counts: Record<number, number> = {};
  const types = fc.oneof(
    { weight: 20, arbitrary: fc.constant("application/json") },
    {
      weight: 1,
      arbitrary: fc.constantFrom("application/cloudevents+json; charset=utf-16", "text/plain", "x"),
    },
  );
  await checkProperty(
    t,
    fc.asyncProperty(hostileBody, types, fc.boolean(), async (bytes, type, signed) => {
      const init = { body: bytes, headers: { "content-type": type } };
      const ask = () => (signed ? made.webhook : made.bearer)("", init);
      const { status, polled } = await outcomeOf(made, ask);
      counts[status] = (counts[status] ?? 0) + 1;
      if (!polled) return;
      const asked = within(bytes).flatMap(({ url, ...ids }) => {
        if (typeof url !== "string" || url === "") return pathsOf(ids);
        const { pathname, searchParams } = new URL(url);
        const [, , , , workspace, , task] = pathname.split("/");
        return [
          pathOf(workspace, task),
          pathOf(searchParams.get("ws"), searchParams.get("i")),
        ];
      });
      assert(asked.includes(polled.path), polled.path);
      assert(ID.test(polled.organization ?? ""));
    }),
  );
  for (const status of [202, 400, 413, 415, 503]) {
    assert((counts[status] ?? 0) > 50, JSON.stringify(counts));
  }
});
