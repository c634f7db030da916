// Requests of the client: redirects, aborts, deadlines, bodies, and the use of `fetch`.
import { DeepintTimeoutError } from "../../mod.ts";
import {
  addTask,
  allLeft,
  check,
  httpError,
  NONE,
  once,
  pause,
  rejection,
  same,
  seenByOther,
  taskAt,
  test,
  TOKEN,
  withoutToken,
} from "./harness.ts";

// Redirects: the token is never sent to another origin.

test("the other server counts its requests under both host names", async (context) => {
  for (const origin of [context.other, context.other.replace("127.0.0.1", "localhost")]) {
    const reach = async () => await (await fetch(origin)).text();
    same(await seenByOther(context, reach), { other: 1, tokens: 0 }, "seen");
  }
});

for (const kind of [301, 302, 303, 307, 308]) {
  const places = { port: "another port", name: "another host name", here: "the same server" };
  for (const [place, words] of Object.entries(places)) {
    test(`a ${kind} to ${words} is refused without a request to the other server`, async (context) => {
      const task = taskAt(context.server, `redirect-${kind}-${place}`);
      const seen = await seenByOther(context, async () => {
        for (const operation of [() => task.load(), () => task.delete(), () => task.resolve()]) {
          const { status } = await httpError(operation, "REDIRECT");
          check(status === kind || status === 0, `the status is ${status}`); // 0: a browser's
        }
      });
      same(seen, NONE, "seen by the other server");
    });
  }
}

// Abort and deadlines: immediate, and the connection ends.

for (const how of ["headers", "body", "trickle"]) {
  const where = how === "headers" ? "before the headers" : how === "body" ? "in the body" : "on";
  const what = how === "trickle" ? "a body that trickles" : "a server that hangs";

  test(`an abort of ${what} ${where} rejects immediately with the signal's reason`, async (context) => {
    for (const operation of ["load", "resolve"] as const) {
      const controller = new AbortController();
      const reason = new Error("enough");
      const task = taskAt(context.server, `hang-${how}`);
      const rejected = rejection(() => task[operation]({ signal: controller.signal }));
      await pause(200);
      const began = Date.now();
      controller.abort(reason);
      check(await rejected === reason, `${operation} rejects with something else`);
      const took = Date.now() - began;
      check(took < 250, `${operation} took ${took} ms to reject`);
    }
    await allLeft(context);
  });

  test(`${what} ${where} ends at the attempt's deadline`, async (context) => {
    const began = Date.now();
    const options = { retries: 0, requestTimeout: 300 };
    const error = await rejection(() => taskAt(context.server, `hang-${how}`).load(options));
    const took = Date.now() - began;
    check(error instanceof DeepintTimeoutError, `not a DeepintTimeoutError: ${error}`);
    same([error.code, error.retryable], ["TIMEOUT", true], "code and retryable");
    withoutToken(error);
    check(took >= 290 && took < 900, `it took ${took} ms`);
    await allLeft(context);
  });
}

test("an aborted signal rejects with its reason, without a request", async ({ server }) => {
  const signal = AbortSignal.abort("a reason that is no error");
  let asked = 0;
  const task = taskAt(server, "t-1", () => Promise.reject(asked++));
  same(await rejection(() => task.load({ signal })), "a reason that is no error", "the reason");
  same(asked, 0, "requests");
});

test("AbortSignal.timeout() ends an operation with its TimeoutError", async (context) => {
  const signal = AbortSignal.timeout(200);
  const error = await rejection(() => taskAt(context.server, "hang-body").load({ signal }));
  check(error === signal.reason, "another reason");
  same(error instanceof DOMException && error.name, "TimeoutError", "the name");
  await allLeft(context);
});

// Bodies.

for (const how of ["gzip", "length", "chunked"]) {
  const words = { gzip: "unzips to more", length: "declares more", chunked: "brings more" }[how];
  test(`a body that ${words} than 1 MiB is refused`, async ({ server }) => {
    const { status } = await httpError(
      () => taskAt(server, `large-${how}`).load(),
      "BODY_TOO_LARGE",
    );
    same(status, 200, "the status");
  });
}

test("a gzipped body is read", async ({ server }) => {
  const task = taskAt(server, "zipped");
  await task.load();
  same(task.info.status, "success", "the status");
});

test("a truncated body is a retryable NETWORK_ERROR", async ({ broken }) => {
  const { retryable } = await httpError(() => taskAt(broken, "cut").load(once), "NETWORK_ERROR");
  same(retryable, true, "retryable");
});

test("a connection that closes without a response is a NETWORK_ERROR", async ({ broken }) => {
  const error = await httpError(() => taskAt(broken, "t-1").load(once), "NETWORK_ERROR");
  same([error.status, error.retryable], [0, true], "status and retryable");
});

test("a refused connection is a NETWORK_ERROR with its cause", async ({ closed }) => {
  const error = await httpError(() => taskAt(closed, "t-1").load(once), "NETWORK_ERROR");
  same([error.status, error.retryable], [0, true], "status and retryable");
  check(error.cause !== undefined, "there is no cause");
});

test("a 503 with Retry-After is retried", async ({ server }) => {
  const task = taskAt(server, `busy-${crypto.randomUUID()}`);
  await task.load();
  same(task.info.status, "success", "the status");
});

test("an error response becomes an error with its code and status", async ({ server }) => {
  const { status } = await httpError(
    () => taskAt(server, "unheard-of").load(),
    "TASK_NOT_FOUND",
  );
  same(status, 404, "the status");
});

// Fetch.

test("a custom fetch is called unbound with manual redirects, headers and no caching", async () => {
  let cache: unknown;
  const task = taskAt("https://app.example.com", "t-1", function (this: unknown, url, init) {
    same(url, "https://app.example.com/api/v1/workspace/workspace-1/task/t-1", "the URL");
    same(this === undefined || this === globalThis, true, "unbound"); // by the bundle's mode
    same(init.redirect, "manual", "redirect");
    same(new Headers(init.headers).get("x-auth-token"), TOKEN, "the header");
    cache = init.cache;
    return Promise.resolve(Response.json({ id: "t-1", status: "running" }));
  });
  await task.load();
  same(task.info.status, "running", "the status");
  let tolerated = true;
  try {
    new Request("https://app.example.com", { cache: "no-store" });
  } catch {
    tolerated = false;
  }
  same(cache, tolerated ? "no-store" : undefined, "the option");
});

test("the global fetch works as a custom one and is looked up on each request", async (context) => {
  const handle = await addTask(context, { status: "success" });
  const task = taskAt(context.server, handle.id, globalThis.fetch);
  await task.load();
  same(task.info.status, "success", "the status");
  const real = globalThis.fetch;
  let called = 0;
  globalThis.fetch = (input, init) => {
    called++;
    return real(input, init);
  };
  try {
    await taskAt(context.server, handle.id).load();
  } finally {
    globalThis.fetch = real;
  }
  same(called, 1, "calls");
});
