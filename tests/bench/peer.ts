/**
 * A server to compare the endpoint with, on Deno, Node or Bun. Its arguments are the kind, the origin of
 * the upstream and the caller's key. `forward` only forwards the GET; `duties` also has the duties of an
 * endpoint (key, body, deadline, client abort, log line, headers) without the Task API.
 */
// deno-lint-ignore-file no-console
import process from "node:process";
import { Hono } from "hono/tiny";
import { TOKEN, UPSTREAM_PATH } from "./task.ts";

/** The part of Bun that serves. */
interface BunGlobal {
  Bun?: { serve(options: object): { port: number } };
}

const TIMEOUT_MS = 8_000;
const [kind = "", upstream = "", key = ""] = process.argv.slice(2);

function requestTask(
  [organization = "", workspace = "", task = ""]: (string | undefined)[],
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

function forward(): Hono {
  const app = new Hono();
  return app.get("/:organization/:workspace/:task", (c) => {
    const { organization, workspace, task } = c.req.param();
    return requestTask([organization, workspace, task]);
  });
}

function duties(): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    const startedAt = Date.now();
    await next();
    const time = new Date(startedAt).toISOString();
    const { req: { method, path }, res: { status } } = c;
    console.log(JSON.stringify({ time, method, path, status, ms: Date.now() - startedAt }));
  });
  return app.post("/resolve", async (c) => {
    if (c.req.header("authorization") !== `Bearer ${key}`) return c.text("no", 401);
    const { organization_id, workspace_id, task_id } = await c.req.json();
    const signal = AbortSignal.any([c.req.raw.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const response = await requestTask([organization_id, workspace_id, task_id], signal);
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
}

const app = kind === "duties" ? duties() : forward();

const hostname = "127.0.0.1";
const handler = (request: Request) => app.fetch(request);
const onListen = ({ port }: { port: number }) =>
  console.error(`Listening on http://${hostname}:${port}`);
const { Bun } = globalThis as BunGlobal;
if (Bun) onListen(Bun.serve({ hostname, port: 0, fetch: handler }));
else if ("Deno" in globalThis) Deno.serve({ hostname, port: 0, onListen }, handler);
else {
  const { serve } = await import("@hono/node-server");
  serve({ hostname, port: 0, fetch: handler }, onListen);
}
