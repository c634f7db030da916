/**
 * Servers to compare the endpoint with, each a process on loopback. The argument selects one: `upstream`
 * responds for the platform as fast as possible; `forward` only forwards the GET; `duties` also has the
 * duties of an endpoint (key, body, deadline, client abort, log line, headers) without the Task API.
 */
import { Hono } from "hono/tiny";
import { TASK, TOKEN, UPSTREAM_PATH } from "./task.ts";

const [kind = "", upstream = "", key = ""] = Deno.args;
const servers: Record<string, () => (request: Request) => Response | Promise<Response>> = {
  upstream: () => {
    const headers = { "content-type": "application/json" };
    const [before, after = ""] = JSON.stringify({ ...TASK, id: "$" }).split("$");
    return ({ url }) =>
      new Response(before + url.slice(url.lastIndexOf("/") + 1) + after, { headers });
  },
  forward: () => {
    const app = new Hono();
    app.get("/:organization/:workspace/:task", (c) => {
      const { organization, workspace, task } = c.req.param();
      return ask(organization, workspace, task);
    });
    return (request) => app.fetch(request);
  },
  duties: () => {
    const app = new Hono();
    app.use(async (c, next) => {
      const began = Date.now();
      await next();
      const time = new Date(began).toISOString();
      const { req: { method, path }, res: { status } } = c;
      // deno-lint-ignore no-console -- a duty
      console.log(JSON.stringify({ time, method, path, status, ms: Date.now() - began }));
    });
    app.post("/resolve", async (c) => {
      if (c.req.header("authorization") !== `Bearer ${key}`) return c.text("no", 401);
      const { organization_id, workspace_id, task_id } = await c.req.json();
      const signal = AbortSignal.any([c.req.raw.signal, AbortSignal.timeout(8_000)]);
      const response = await ask(organization_id, workspace_id, task_id, signal);
      return new Response(await response.text(), {
        status: response.ok ? 202 : 502,
        headers: {
          "content-type": "application/json",
          "cache-control": "no-store",
          "x-content-type-options": "nosniff",
          "x-request-id": c.req.header("x-request-id") ?? crypto.randomUUID(),
          "retry-after": "60",
          "location": `/${organization_id}/${workspace_id}/${task_id}`,
        },
      });
    });
    return (request) => app.fetch(request);
  },
};

const handler = servers[kind]?.();
if (!handler) throw new Error(`There is no server ${kind}`);
Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  // deno-lint-ignore no-console -- as the endpoint says it
  onListen: ({ port }) => console.error(`Listening on http://localhost:${port}`),
}, (request) => handler(request));

function ask(
  organization = "",
  workspace = "",
  task = "",
  signal?: AbortSignal,
): Promise<Response> {
  return fetch(upstream + UPSTREAM_PATH(workspace, task), {
    headers: {
      "accept": "application/json",
      "x-auth-token": TOKEN,
      "x-deepint-organization": organization,
    },
    redirect: "manual",
    ...(signal && { signal }),
  });
}
