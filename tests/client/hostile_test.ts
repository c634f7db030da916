// What an attacker may send: ids to the client; ids, URLs, paths and bodies to the endpoint. For URLs to
// the client see task_url_test.ts.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { Credentials, Task, TaskInfo } from "../../mod.ts";
import {
  type Endpoint,
  KEY,
  problemOf,
  SECRET,
  setUp,
  textOf,
  TOKEN,
} from "../helpers/endpoint.ts";
import { hostile, hostileId, hostileUrl, id } from "./hostile.ts";
import { checkProperty } from "../helpers/property.ts";

const ID = /^[A-Za-z0-9_-]{1,128}$/;

const pathOf = (workspace: unknown, task: unknown) => `/api/v1/workspace/${workspace}/task/${task}`;

/** An answer for every kind of request. */
const ANY = { status: "running", result: "success", page: 0, pages_count: 0, items: [] };

Deno.test("a hostile id is a RangeError or requests the path of its task", async (t) => {
  const credentials = new Credentials({ token: TOKEN });
  const ways = ["build", "constructor", "fromDict", "delete", "list"] as const;
  let requested = 0;
  await checkProperty(
    t,
    fc.asyncProperty(
      hostileId,
      hostileId,
      hostileId,
      fc.constantFrom(...ways),
      async (organizationId, workspaceId, taskId, way) => {
        const seen: unknown[] = [];
        const fetch = (url: string, init: RequestInit) => {
          seen.push([init.method, url, new Headers(init.headers).get("x-deepint-organization")]);
          return Promise.resolve(Response.json(ANY));
        };
        const where = { organizationId, workspaceId, credentials, fetch };
        const dict = {
          organization_id: organizationId,
          workspace_id: workspaceId,
          task_id: taskId,
        };
        const made = () => new Task({ ...where, info: TaskInfo.fromDict({ id: taskId }) });
        try {
          if (way === "build") await Task.build({ ...where, taskId });
          else if (way === "constructor") await made().load();
          else if (way === "fromDict") await Task.fromDict(dict, { credentials, fetch }).load();
          else if (way === "delete") await made().delete();
          else await Array.fromAsync(Task.list(where));
        } catch (error) {
          assertInstanceOf(error, RangeError);
          assert(!/[\p{C}\p{Zl}\p{Zp}]/u.test(error.message), error.message);
          assertEquals(seen, []);
          return;
        }
        requested++;
        const used = way === "list"
          ? [organizationId, workspaceId]
          : [organizationId, workspaceId, taskId];
        for (const one of used) assert(ID.test(one), one);
        const path = way === "list"
          ? `/api/v1/workspace/${workspaceId}/tasks?page=0&limit=500`
          : pathOf(workspaceId, taskId);
        const method = way === "delete" ? "DELETE" : "GET";
        assertEquals(seen, [[method, `https://app.deepint.net${path}`, organizationId]]);
      },
    ),
  );
  assert(requested > 1_000, `${requested} requests`);
});

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

/** JSON that is not what `JSON.stringify` would make: its members may repeat, or be anyhow. */
const jsonText = fc.oneof(
  { weight: 3, arbitrary: id.map((id) => JSON.stringify(id)) },
  { weight: 2, arbitrary: fc.oneof(hostileId, hostileUrl, hostile).map((text) => `"${text}"`) },
  { weight: 2, arbitrary: fc.oneof(hostileId, hostileUrl).map((text) => JSON.stringify(text)) },
  { weight: 2, arbitrary: fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.stringify(value)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...["true", "false", "null", '"accepted"', '"retry"', "{}", "[]", "", "NaN", "'x'"],
      ...["1e999", "-1e999", "-0", "9".repeat(400), "0.".padEnd(300, "1"), "01", "0x1"],
      ...['"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', '"\ud800"', '"\\x"', '{"__proto__":{}}'],
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.integer({ min: 1, max: 9_000 }), fc.constantFrom("[]", '{"a":}')).map(
      ([depth, pair]) => pair.slice(0, -1).repeat(Math.min(depth, 18_000 / pair.length)) + "1",
    ),
  },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 9_000 }).map((depth) =>
      "[".repeat(depth) + "]".repeat(depth)
    ),
  },
);
const member = fc.tuple(
  fc.oneof(
    fc.constantFrom("organization_id", "workspace_id", "task_id", "url", "raise_on_error"),
    fc.constantFrom("pending", "type", "data", "timestamp", "info", "task"),
    fc.constantFrom("__proto__", "constructor", ""),
    fc.constantFrom("toString", "hasOwnProperty", "then", "toJSON", "length", "\ud800", "0"),
  ),
  jsonText,
).map(([name, value]) => `${JSON.stringify(name)}:${value}`);
/** Enough to be answered, unless a member after it takes the place of one. */
const enough = fc.tuple(id, id, fc.constantFrom("ids", "info", "task")).map(
  ([workspace, task, form]) => {
    if (form === "ids") return `"workspace_id":"${workspace}","task_id":"${task}"`;
    const dict = `"workspace_id":"${workspace}","info":{"id":"${task}","name":null}`;
    return form === "info" ? dict : `"task":{${dict}}`;
  },
);
const object = fc.tuple(fc.option(enough, { nil: undefined }), fc.array(member, { maxLength: 4 }))
  .map(([first, rest]) => `{${[...first ? [first] : [], ...rest].join(",")}}`);
const wrapped = fc.tuple(object, fc.integer({ min: 0, max: 3 }), fc.constantFrom(...["", "x"]))
  .map(([data, levels, type]) => {
    let text = data;
    for (let level = 0; level < levels; level++) {
      text = `{"type":"${type}","timestamp":"2026-01-01T00:00:00Z","data":${text}}`;
    }
    return text;
  });
const utf8 = new TextEncoder();
const body = fc.oneof(
  { weight: 6, arbitrary: fc.oneof(object, wrapped).map((text) => utf8.encode(text)) },
  { weight: 1, arbitrary: jsonText.map((text) => utf8.encode(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  // a few bytes of JSON are others, or it ends early
  {
    weight: 2,
    arbitrary: fc.tuple(
      object,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }),
      fc.nat(),
    )
      .map(([text, changes, end]) => {
        const bytes = utf8.encode(text);
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        return end % 4 === 0 ? bytes.slice(0, end % bytes.length) : bytes;
      }),
  },
  // other encodings, and sizes about the limit
  {
    weight: 1,
    arbitrary: fc.tuple(object, fc.constantFrom("\ufeff", "", " ")).map(([text, first]) =>
      new Uint8Array(Uint16Array.from(first + text, (unit) => unit.charCodeAt(0)).buffer)
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(object, fc.integer({ min: 19_990, max: 20_010 }), fc.boolean()).map(
      ([text, size, mark]) => utf8.encode((mark ? "\ufeff" : "") + text.padEnd(size)),
    ),
  },
);

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
    fc.asyncProperty(body, types, fc.boolean(), async (bytes, type, signed) => {
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
