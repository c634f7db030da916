// What an answer may be: any 2xx with a task, read up to 1 MiB; what is anything else; redirects.
import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { DeepintHTTPError, type RequestOptions, type TaskInfo } from "../../mod.ts";
import { listen } from "../helpers/listen.ts";
import { taskWith, TOKEN } from "../helpers/client.ts";

const LIMIT = 1_048_576;
const TASK = '{"id":"t-1","status":"success","name":"näme €"}';

const taskAt = (fetch?: () => Promise<Response>, instance?: string) =>
  taskWith({ fetch: fetch ?? globalThis.fetch, instance }).task;

/** Loads the task from such an answer, and counts how often it was asked for. */
async function load(answer: () => Response): Promise<TaskInfo> {
  let requests = 0;
  const task = taskAt(() => {
    requests++;
    return Promise.resolve(answer());
  });
  try {
    return (await task.load()).info;
  } finally {
    assertEquals(requests, 1);
  }
}

function rejects(answer: () => Response, message?: string): Promise<DeepintHTTPError> {
  return assertRejects(() => load(answer), DeepintHTTPError, undefined, message);
}

/** A body that gives chunks of spaces without end, and tells what became of it. */
function endless(chunk = 65_536) {
  const state = { given: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      state.given += chunk;
      controller.enqueue(new Uint8Array(chunk).fill(32));
    },
    cancel() {
      state.cancelled = true;
    },
  }, { highWaterMark: 0 });
  return { body, state };
}

function streamed(text: string, chunk: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let rest = new TextEncoder().encode(text);
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(rest.slice(0, chunk));
      rest = rest.slice(chunk);
      if (rest.length === 0) controller.close();
    },
  });
}

/** A property of a response that only a runtime's own fetch can give it. */
function withProperties(response: Response, properties: Record<string, unknown>): Response {
  for (const [name, value] of Object.entries(properties)) {
    Object.defineProperty(response, name, { value });
  }
  return response;
}

Deno.test("any 2xx with a task is accepted", async () => {
  for (const status of [200, 201, 202, 203, 206, 226, 299]) {
    assertEquals((await load(() => new Response(TASK, { status }))).status, "success");
  }
});

Deno.test("content type, byte order mark and surrounding white space are ignored", async () => {
  const headers = { "content-type": "text/html" };
  assertEquals((await load(() => new Response(TASK, { headers }))).status, "success");
  assertEquals((await load(() => new Response(`\ufeff ${TASK}\r\n`))).status, "success");
});

Deno.test("a response without an id gets the requested id", async () => {
  for (const body of [{ status: "running" }, { id: null, status: "running" }]) {
    const info = await load(() => Response.json(body));
    assertEquals([info.taskId, info.status], ["t-1", "running"]);
  }
});

Deno.test("a response that is not the requested task is INVALID_RESPONSE, without a retry", async () => {
  const bodies = [
    "",
    " ",
    "null",
    "[]",
    "5",
    "true",
    '"t-1"',
    `[${TASK}]`,
    "{}",
    '{"id":null,"status":null}',
    '{"name":"import"}',
    '{"result":"success"}',
    '{"id":"t-2","status":"running"}',
    '{"id":"T-1","status":"running"}',
    '{"id":5,"status":"running"}',
    '{"id":"","status":"running"}',
    '{"id":"t-1","status":5}',
    '{"id":"t-1","status":"running","name":5}',
    '{"id":"t-1","status":"success","result":{}}',
    '{"id":"t-1","status":"running","progress":[]}',
    '{"id":"t-1","status":"running","created":true}',
    TASK.slice(0, -1),
    `${TASK}${TASK}`,
    "<!doctype html><h1>Sign in</h1>",
  ];
  for (const body of bodies) {
    const error = await rejects(() => new Response(body), body);
    assertEquals([error.code, error.status], ["INVALID_RESPONSE", 200], body);
  }
  const empty = await rejects(() => new Response(null, { status: 204 }));
  assertEquals([empty.code, empty.status], ["INVALID_RESPONSE", 204]);
});

Deno.test("a body is read in any chunks, including split characters", async () => {
  for (const chunk of [1, 2, 3, 7, 1_000]) {
    const info = await load(() => new Response(streamed(TASK, chunk)));
    assertEquals(info.name, "näme €", `chunks of ${chunk}`);
  }
});

Deno.test("a body of 1 MiB is read, one byte more is BODY_TOO_LARGE", async () => {
  const exact = TASK + " ".repeat(LIMIT - new TextEncoder().encode(TASK).length);
  for (const length of [true, false]) {
    const answer = (text: string) => {
      const headers = length
        ? { "content-length": `${new TextEncoder().encode(text).length}` }
        : {};
      return new Response(streamed(text, 100_000), { headers });
    };
    assertEquals((await load(() => answer(exact))).status, "success");
    const error = await rejects(() => answer(`${exact} `));
    assertEquals([error.code, error.status], ["BODY_TOO_LARGE", 200]);
  }
});

Deno.test("a body with a declared length over the limit is cancelled unread", async () => {
  const { body, state } = endless();
  const headers = { "content-length": String(50_000_000) };
  const error = await rejects(() => new Response(body, { headers }));
  assertEquals([error.code, state.given, state.cancelled], ["BODY_TOO_LARGE", 0, true]);
});

Deno.test("an endless body is cancelled after 1 MiB, even if its declared length lies", async () => {
  for (const headers of [{}, { "content-length": "50" }]) {
    const { body, state } = endless();
    const error = await rejects(() => new Response(body, { headers }));
    assertEquals([error.code, state.cancelled], ["BODY_TOO_LARGE", true]);
    assertLess(state.given, LIMIT + 3 * 65_536);
  }
});

Deno.test("the endless body of an error is cancelled and the status decides the code", async () => {
  for (const headers of [{}, { "content-length": String(50_000_000) }]) {
    const { body, state } = endless();
    const error = await rejects(() => new Response(body, { status: 403, headers }));
    assertEquals([error.code, error.status, state.cancelled], ["HTTP_403", 403, true]);
    assertLess(state.given, LIMIT + 3 * 65_536);
  }
});

Deno.test("an error with an incomplete body has the code of its status", async () => {
  const body = () =>
    new ReadableStream({ start: (controller) => controller.error(new Error("reset")) });
  const error = await rejects(() => new Response(body(), { status: 403 }));
  assertEquals([error.code, error.status], ["HTTP_403", 403]);
});

Deno.test("each 3xx is REDIRECT and its body is cancelled unread", async () => {
  for (const status of [300, 301, 302, 303, 305, 306, 307, 308]) {
    for (const location of ["/", "https://elsewhere.example/", undefined]) {
      const { body, state } = endless();
      const headers: Record<string, string> = location === undefined ? {} : { location };
      const error = await rejects(() => new Response(body, { status, headers }));
      assertEquals([error.code, error.status, error.retryable], ["REDIRECT", status, false]);
      assertEquals([state.given, state.cancelled], [0, true]);
    }
  }
  const error = await rejects(() => new Response(null, { status: 304 }));
  assertEquals([error.code, error.status], ["REDIRECT", 304]);
  assertEquals((await rejects(() => new Response(TASK, { status: 302 }))).code, "REDIRECT");
});

Deno.test("an opaque redirect, as browsers return it, is REDIRECT", async () => {
  const opaque = { type: "opaqueredirect", status: 0, ok: false };
  const error = await rejects(() => withProperties(new Response(null), opaque));
  assertEquals([error.code, error.retryable], ["REDIRECT", false]);
});

Deno.test("a response after a followed redirect is REDIRECT and cancelled", async () => {
  const { body, state } = endless();
  const error = await rejects(() => withProperties(new Response(body), { redirected: true }));
  assertEquals([error.code, state.cancelled], ["REDIRECT", true]);
  const task = await rejects(() => withProperties(new Response(TASK), { redirected: true }));
  assertEquals(task.code, "REDIRECT");
});

/** A real server on loopback, and a task at it. */
function serve(handler: (request: Request) => Response) {
  const server = listen(handler);
  return { ...server, task: taskAt(undefined, server.origin) };
}

async function gzip(parts: Iterable<Uint8Array<ArrayBuffer>>): Promise<ArrayBuffer> {
  const compressed = ReadableStream.from(parts).pipeThrough(new CompressionStream("gzip"));
  return await new Response(compressed).arrayBuffer();
}

Deno.test("a body over a real connection is read declared, chunked and compressed", async () => {
  const compressed = await gzip([new TextEncoder().encode(TASK)]);
  const answers: Record<string, () => Response> = {
    declared: () => new Response(TASK),
    chunked: () => new Response(streamed(TASK, 5)),
    compressed: () => new Response(compressed, { headers: { "content-encoding": "gzip" } }),
  };
  for (const [name, answer] of Object.entries(answers)) {
    await using server = serve(answer);
    assertEquals((await server.task.load()).info.name, "näme €", name);
  }
});

Deno.test("a gzip bomb over a real connection is BODY_TOO_LARGE", async () => {
  const megabyte = new Uint8Array(LIMIT).fill(32);
  const bomb = await gzip(Array.from({ length: 64 }, () => megabyte));
  assertLess(bomb.byteLength, LIMIT / 4);
  const headers = { "content-encoding": "gzip" };
  await using server = serve(() => new Response(bomb, { headers }));
  const error = await assertRejects(() => server.task.load(), DeepintHTTPError);
  assertEquals([error.code, error.status], ["BODY_TOO_LARGE", 200]);
});

Deno.test("a body over the limit on a real connection is BODY_TOO_LARGE", async () => {
  const bodies = [() => new Uint8Array(2 * LIMIT).fill(32), () => endless().body];
  for (const body of bodies) {
    await using server = serve(() => new Response(body()));
    const error = await assertRejects(() => server.task.load(), DeepintHTTPError);
    assertEquals(error.code, "BODY_TOO_LARGE");
  }
});

Deno.test("a hanging body on a real connection ends with the attempt's deadline", async () => {
  const answers = [{}, { "content-length": "100" }].map((headers) => () => {
    const body = new ReadableStream({ start: (to) => to.enqueue(new Uint8Array([123])) });
    return new Response(body, { headers });
  });
  for (const answer of answers) {
    await using server = serve(answer);
    const options: RequestOptions = { requestTimeout: 100, retries: 0 };
    const error = await assertRejects(() => server.task.load(options), Error);
    assert("code" in error && error.code === "TIMEOUT", String(error));
  }
});

Deno.test("a refused connection is NETWORK_ERROR", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  const task = taskAt(undefined, `http://127.0.0.1:${port}`);
  const error = await assertRejects(() => task.load({ retries: 0 }), DeepintHTTPError);
  assertEquals([error.code, error.status, error.retryable], ["NETWORK_ERROR", 0, true]);
  assert(!Deno.inspect(error, { depth: Infinity }).includes(TOKEN));
});
