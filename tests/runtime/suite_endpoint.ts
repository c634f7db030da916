// The endpoint, in process and served by the runtime.
import {
  addTask,
  allLeft,
  check,
  type Endpoint,
  endpointTest,
  ids,
  KEY,
  NONE,
  same,
  SECRET,
  seenByOther,
  TOKEN,
} from "./harness.ts";
import type { FakeTask } from "../helpers/fake_platform.ts";

type Send = (path: string, init?: RequestInit) => Promise<Response>;

const ways: Record<string, (endpoint: Endpoint) => Send> = {
  "in process": ({ app }) => async (path, init) =>
    await app.fetch(new Request(`https://endpoint.example${path}`, init)),
  "over HTTP": ({ origin }) => (path, init) => fetch(origin + path, init),
};

const json = { "content-type": "application/json" };
const bearer = { authorization: `Bearer ${KEY}` };

const post = (body: BodyInit, headers: Record<string, string>): RequestInit => ({
  method: "POST",
  body,
  headers: { ...json, ...headers },
});

async function signatureOf({ signWebhook }: Endpoint, body: string, offset = 0) {
  const timestamp = Math.floor(Date.now() / 1_000) + offset;
  return {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(timestamp),
    "webhook-signature": await signWebhook(SECRET, { id: "msg_1", timestamp, body }),
  };
}

/** Checks an answer, and that no secret is in it; returns its JSON. */
async function answered(
  response: Response,
  status: number,
  problem?: string,
): Promise<Record<string, unknown>> {
  const text = await response.text();
  same(response.status, status, `the status of ${text}`);
  const whole = JSON.stringify([...response.headers]) + text;
  for (const secret of [TOKEN, KEY, SECRET]) check(!whole.includes(secret), "a secret shows");
  check(response.headers.has("x-request-id"), "there is no x-request-id");
  const body = JSON.parse(text);
  if (problem !== undefined) {
    same(response.headers.get("content-type"), "application/problem+json", "the type");
    same(String(body.type).endsWith(`/problems/${problem}`), true, String(body.type));
  }
  return body;
}

function wants(taskId: string, more: Record<string, unknown> = {}): string {
  const { organizationId, workspaceId } = ids;
  const location = { organization_id: organizationId, workspace_id: workspaceId };
  return JSON.stringify({ ...location, task_id: taskId, ...more });
}

const ending: FakeTask = {
  steps: [{ status: "running" }, { status: "success", result: "s-1", result_type: "source" }],
};

for (const [words, way] of Object.entries(ways)) {
  const endpoint = (name: string, run: Parameters<typeof endpointTest>[1]) =>
    endpointTest(`${name}, ${words}`, run);

  endpoint("/health answers", async (endpoint) => {
    same(await answered(await way(endpoint)("/health"), 200), { status: "ok" }, "the body");
    const head = await way(endpoint)("/health", { method: "HEAD" });
    same([head.status, await head.text()], [200, ""], "HEAD");
  });

  endpoint("a signed webhook goes from 503 to 200", async (endpoint, context) => {
    const body = wants((await addTask(context, ending)).id);
    const ask = async () =>
      await way(endpoint)("/resolve", post(body, await signatureOf(endpoint, body)));
    const first = await ask();
    same(Number(first.headers.get("retry-after")) >= 1, true, "Retry-After");
    await answered(first, 503, "task-pending");
    same((await answered(await ask(), 200)).result, { source: "s-1" }, "the result");
  });

  endpoint("a signed webhook that wants it so goes from 202 to 200", async (endpoint, context) => {
    const body = wants((await addTask(context, ending)).id, { pending: "accepted" });
    const ask = async () =>
      await way(endpoint)("/resolve", post(body, await signatureOf(endpoint, body)));
    same((await answered(await ask(), 202)).status, "running", "the status");
    same((await answered(await ask(), 200)).status, "success", "the status");
  });

  endpoint("a signature that does not fit is refused", async (endpoint) => {
    const body = wants("t-1");
    const headers = await signatureOf(endpoint, body);
    const old = await signatureOf(endpoint, body, -400);
    for (const init of [post(`${body} `, headers), post(body, old), post(body, {})]) {
      await answered(await way(endpoint)("/resolve", init), 401, "unauthorized");
    }
  });

  endpoint(
    "a bearer key goes from 202 to 200, and a wrong one to 401",
    async (endpoint, context) => {
      const { id } = await addTask(context, ending);
      const send = way(endpoint);
      const { organizationId, workspaceId } = ids;
      const path = `/organizations/${organizationId}/workspaces/${workspaceId}/tasks/${id}`;
      const wrong = { authorization: `Bearer ${KEY}x` };
      await answered(await send(path, { headers: wrong }), 401, "unauthorized");
      const first = await send("/resolve", post(wants(id), bearer));
      same(first.headers.get("location"), path, "the location");
      await answered(first, 202);
      const response = await send(path, { headers: bearer });
      const etag = response.headers.get("etag") ?? "";
      await answered(response, 200);
      check(etag !== "", "there is no ETag");
      const again = await send(path, { headers: { ...bearer, "if-none-match": etag } });
      same([again.status, await again.text()], [304, ""], "with If-None-Match");
    },
  );

  endpoint("a body over 20 kB is answered 413", async (endpoint) => {
    const body = wants("t-1").padEnd(30_000);
    await answered(
      await way(endpoint)("/resolve", post(body, bearer)),
      413,
      "content-too-large",
    );
  });

  endpoint("a hanging upstream is answered 504 within the deadline", async (endpoint, context) => {
    const began = Date.now();
    const init = post(wants("hang-headers"), bearer);
    await answered(await way(endpoint)("/resolve", init), 504, "upstream-timeout");
    const took = Date.now() - began;
    check(took >= 990 && took < 1_750, `it took ${took} ms`);
    await allLeft(context);
  });

  endpoint(
    "an upstream that redirects is answered 502, and not followed",
    async (endpoint, context) => {
      const seen = await seenByOther(context, async () => {
        for (const place of ["port", "name"]) {
          const init = post(wants(`redirect-307-${place}`), bearer);
          await answered(await way(endpoint)("/resolve", init), 502, "upstream-unavailable");
        }
      });
      same(seen, NONE, "seen by the other server");
    },
  );

  endpoint("callers of one task at once are all answered", async (endpoint, context) => {
    const { id } = await addTask(context, { status: "running" });
    const send = way(endpoint);
    const ask = () => send("/resolve", post(wants(id), bearer));
    const answers = await Promise.all([ask(), ask(), ask(), ask()]);
    for (const answer of answers) await answered(answer, 202);
  });
}

endpointTest(
  "a streamed body is read up to 20 kB, whatever length it declares",
  async ({ app }) => {
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(1_000).fill(0x20));
      },
    });
    const init = { ...post(body, { ...bearer, "content-length": "10" }), duplex: "half" };
    const request = new Request("https://endpoint.example/resolve", init);
    await answered(await app.fetch(request), 413, "content-too-large");
    check(pulled < 40, `${pulled} kB were read`);
  },
);
