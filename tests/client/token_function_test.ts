// Token functions: a token that is replaced during a request, and calls that requests share.
import { assertEquals, assertRejects } from "@std/assert";
import { DeepintHTTPError, type Fetch, resolveAll, Task, type Token } from "../../mod.ts";
import { taskWith } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

type Answer = (token: string, url: string) => Response | Promise<Response>;

function taskWithToken(token: Token, answer: Answer, id = "t-1"): Task {
  const fetch: Fetch = async (url, init) =>
    await answer(new Headers(init.headers).get("x-auth-token") ?? "", url);
  return taskWith({ token, fetch, known: { id } }).task;
}

const unauthorized = () => Response.json({ code: "UNAUTHORIZED" }, { status: 401 });

/** A platform that accepts only the current token, which changes with the third request. */
function rotating() {
  const state = { valid: "token-number-one", requests: 0 };
  const answer: Answer = (token, url) => {
    if (++state.requests === 3) state.valid = "token-number-two";
    if (token !== state.valid) return unauthorized();
    const status = state.requests > 5 ? "success" : "running";
    if (new URL(url).pathname.endsWith("/tasks")) {
      return Response.json({
        items: [{ id: "t-1", status }, { id: "t-2", status }],
        pages_count: 1,
      });
    }
    return Response.json({ id: new URL(url).pathname.split("/").at(-1), status });
  };
  return { state, answer };
}

Deno.test("a token that is replaced during a poll does not end resolve()", async () => {
  using clock = new FakeClock();
  const { state, answer } = rotating();
  const task = taskWithToken(() => state.valid, answer);
  const info = await clock.runUntil(task.resolve());
  assertEquals({ status: info.status, requests: state.requests }, {
    status: "success",
    requests: 6,
  });
});

Deno.test("a token that is replaced during a list does not end resolveAll()", async () => {
  using clock = new FakeClock();
  const { state, answer } = rotating();
  const tasks = ["t-1", "t-2"].map((id) => taskWithToken(() => state.valid, answer, id));
  let settled = 0;
  await clock.runUntil((async () => {
    for await (const { error } of resolveAll(tasks)) settled += error ? 0 : 1;
  })());
  assertEquals(settled, 2);
});

Deno.test("a 401 repeats load(), delete() and Task.list() with a new token, whatever retries", async () => {
  for (const operation of ["load", "delete", "list"]) {
    const tokens = ["old-token", "new-token"];
    const seen: string[] = [];
    const answer: Answer = (token) => {
      seen.push(token);
      if (token === "old-token") return unauthorized();
      return Response.json({
        result: "success",
        id: "t-1",
        status: "running",
        items: [],
        pages_count: 0,
      });
    };
    const task = taskWithToken(() => tokens.shift() ?? "new-token", answer);
    if (operation === "load") await task.load({ retries: 0 });
    else if (operation === "delete") await task.delete({ retries: 0 });
    else {
      const { credentials } = task;
      const fetch = async (_url: string, init: RequestInit) =>
        await answer(new Headers(init.headers).get("x-auth-token") ?? "", "");
      const options = { organizationId: "o-1", workspaceId: "w-1", credentials, fetch, retries: 0 };
      for await (const _task of Task.list(options));
    }
    assertEquals(seen, ["old-token", "new-token"], operation);
  }
});

Deno.test("a 401 is not repeated for a fixed token, nor for a function that returns the same", async () => {
  for (const token of ["same-token", () => "same-token"]) {
    let requests = 0;
    const task = taskWithToken(token, () => {
      requests++;
      return unauthorized();
    });
    const error = await assertRejects(() => task.load(), DeepintHTTPError);
    assertEquals([error.code, error.retryable, requests], ["UNAUTHORIZED", false, 1]);
  }
});

Deno.test("a second 401 rejects, although the token is new each time", async () => {
  let requests = 0;
  let calls = 0;
  const task = taskWithToken(() => `token-${calls++}`, () => {
    requests++;
    return unauthorized();
  });
  await assertRejects(() => task.load(), DeepintHTTPError);
  assertEquals({ requests, calls }, { requests: 2, calls: 2 });
});

Deno.test("a 404 after a 401 of the same DELETE is an error", async () => {
  let calls = 0;
  const task = taskWithToken(
    () => `token-${calls++}`,
    (token) => token === "token-0" ? unauthorized() : new Response("{}", { status: 404 }),
  );
  await assertRejects(() => task.delete(), DeepintHTTPError, "404");
});

Deno.test("concurrent requests share one call of the token function", async () => {
  let calls = 0;
  const token = async () => {
    calls++;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return "a-token-for-tests";
  };
  const task = taskWithToken(token, () => Response.json({ id: "t-1", status: "running" }));
  await Promise.all(Array.from({ length: 200 }, () => task.load()));
  assertEquals(calls, 1);
  await task.load();
  assertEquals(calls, 2);
});

Deno.test("a call of the token function that fails does not fail the requests that joined it", async () => {
  let calls = 0;
  const token = async () => {
    const call = ++calls;
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (call === 1) throw new Error("no token yet");
    return "a-token-for-tests";
  };
  const task = taskWithToken(token, () => Response.json({ id: "t-1", status: "running" }));
  const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => task.load()));
  assertEquals(outcomes.filter(({ status }) => status === "rejected").length, 1);
  assertEquals(calls, 2);
});

Deno.test("an abort of the request that called the token function does not end the others", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  let calls = 0;
  const token = () => {
    calls++;
    return promise;
  };
  const task = taskWithToken(token, () => Response.json({ id: "t-1", status: "running" }));
  const controller = new AbortController();
  const first = task.load({ signal: controller.signal });
  const second = task.load();
  controller.abort(new Error("enough"));
  await assertRejects(() => first, Error, "enough");
  resolve("a-token-for-tests");
  await second;
  assertEquals(calls, 1);
});

Deno.test("a call of the token function that hangs is not joined after 10 s", async () => {
  using clock = new FakeClock();
  let calls = 0;
  const token = () => ++calls === 1 ? new Promise<string>(() => {}) : Promise.resolve("a-token");
  const task = taskWithToken(token, () => Response.json({ id: "t-1", status: "running" }));
  await clock.runUntil(task.load());
  assertEquals(calls, 2);
});
