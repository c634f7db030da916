// Errors, credentials, waits and lists of the client, and received events.
import type * as module from "../../mod.ts";
import {
  Credentials,
  DeepintBaseError,
  DeepintCredentialsError,
  DeepintTaskError,
  DeepintTimeoutError,
  Task,
} from "../../mod.ts";
import { DeepintWebhookError, verifyEvent } from "../../src/webhook.ts";
import {
  addTask,
  check,
  httpError,
  ids,
  once,
  rejection,
  same,
  SECRET,
  taskAt,
  test,
  TOKEN,
  withoutToken,
} from "./harness.ts";

// Errors and credentials.

test("minified errors are instances of their classes, with name and code", async ({ closed }) => {
  const error = await httpError(() => taskAt(closed, "t-1").load(once), "NETWORK_ERROR");
  check(error instanceof DeepintBaseError, "not a DeepintBaseError");
  check(error instanceof Error, "not an Error");
  same(error.name, "DeepintHTTPError", "the name");
  same(String(error).startsWith("NETWORK_ERROR: Error on HTTP GET http"), true, String(error));
  const timeout = new DeepintTimeoutError("late", { elapsed: 1 });
  check(timeout instanceof DeepintBaseError, "not a DeepintBaseError");
  same([timeout.name, timeout.code], ["DeepintTimeoutError", "TIMEOUT"], "name and code");
});

test("errors of another copy of the module are recognized by name and code", async ({ closed }) => {
  const copy: typeof module = Reflect.get(globalThis, "otherCopy");
  check(copy.Task !== Task, "it is the same copy");
  const credentials = new copy.Credentials({ token: TOKEN, instance: closed });
  const build = () => copy.Task.build({ ...ids, taskId: "t-1", credentials, retries: 0 });
  const error = await rejection(build);
  check(error instanceof Error, `not an Error: ${error}`);
  same(error instanceof copy.DeepintHTTPError, true, "an instance of its own class");
  same(error instanceof DeepintBaseError, false, "an instance of the other copy's class");
  same([error.name, Reflect.get(error, "code")], ["DeepintHTTPError", "NETWORK_ERROR"], "it");
  withoutToken(error);
});

test("Credentials.build() without settings rejects with CREDENTIALS_NOT_FOUND", async () => {
  const error = await rejection(() => Credentials.build());
  check(error instanceof DeepintCredentialsError, `not a DeepintCredentialsError: ${error}`);
  same([error.name, error.code], ["DeepintCredentialsError", "CREDENTIALS_NOT_FOUND"], "the error");
});

test("Credentials.build() takes parameters, and process.env if it is readable", async () => {
  const given = await Credentials.build({ token: TOKEN, instance: "app.example.com" });
  same(given.instance, "app.example.com", "the instance");
  const { Deno, process } = globalThis as {
    Deno?: unknown;
    process?: { env?: Record<string, string | undefined> };
  };
  const environment = process?.env;
  if (Deno || !environment) return; // Deno has its own, which the stub may not read
  environment.DEEPINT_TOKEN = TOKEN;
  environment.DEEPINT_INSTANCE = "env.example.com";
  try {
    same((await Credentials.build()).instance, "env.example.com", "the instance");
  } finally {
    delete environment.DEEPINT_TOKEN;
    delete environment.DEEPINT_INSTANCE;
  }
});

test("printed objects do not contain the token", async ({ closed }) => {
  const task = taskAt(closed, "t-1");
  const error = await httpError(() => task.load(once), "NETWORK_ERROR");
  for (const value of [task.credentials, task, error]) {
    withoutToken(value);
    // deno-lint-ignore no-console -- the test runner searches the output for the token
    console.error(value);
  }
  same(JSON.stringify(task.credentials), JSON.stringify({ instance: closed }), "the JSON");
});

test("a token function is called for each attempt", async ({ server }) => {
  let asked = 0;
  const token = () => Promise.resolve((asked++, TOKEN));
  const credentials = new Credentials({ token, instance: server });
  await Task.build({ ...ids, taskId: `busy-${crypto.randomUUID()}`, credentials });
  same(asked, 2, "calls");
});

// Waiting and listing.

test("resolve() waits on timers until the task ends", async (context) => {
  const steps = [{ status: "running", polls: 2 }, { status: "running", progress: 50 }, {
    status: "success",
    result: "s-1",
    result_type: "source",
  }];
  const handle = await addTask(context, { steps });
  const credentials = new Credentials({ token: TOKEN, instance: context.server });
  const seen: (number | null)[] = [];
  const began = Date.now();
  const task = await Task.fromUrl(handle.webUrl.replace(/^https:\/\/[^/]+/, context.server), {
    credentials,
  });
  await task.resolve({ pollInterval: 250, onProgress: ({ progress }) => void seen.push(progress) });
  const took = Date.now() - began;
  check(took >= 740 && took < 2_500, `it took ${took} ms`);
  same(seen.includes(50), true, "the progress was seen");
  same(await task.fetchResult(), { source: "s-1" }, "the result");
});

test("resolve() of a failed task rejects with its error", async (context) => {
  const { id } = await addTask(context, {
    steps: [{ status: "running" }, { status: "failed", error_code: "NO_MEMORY" }],
  });
  const error = await rejection(() => taskAt(context.server, id).resolve({ pollInterval: 250 }));
  check(error instanceof DeepintTaskError, `not a DeepintTaskError: ${error}`);
  check(error instanceof DeepintBaseError, "not a DeepintBaseError");
  same([error.name, error.code], ["DeepintTaskError", "TASK_NO_MEMORY"], "name and code");
});

test("resolve() of a task that does not end rejects at its timeout", async (context) => {
  const { id } = await addTask(context, { status: "running" });
  const began = Date.now();
  const error = await rejection(() =>
    taskAt(context.server, id).resolve({ pollInterval: 250, timeout: 600 })
  );
  const took = Date.now() - began;
  check(error instanceof DeepintTimeoutError, `not a DeepintTimeoutError: ${error}`);
  check(took >= 590 && took < 1_500, `it took ${took} ms`);
});

test("Task.list yields the tasks of every page, and delete() stops one", async (context) => {
  const workspace = `list-${crypto.randomUUID()}`;
  const all = ["t-1", "t-2", "t-3", "t-4", "t-5"];
  for (const id of all) await addTask(context, { id, workspace, status: "running" });
  const credentials = new Credentials({ token: TOKEN, instance: context.server });
  const options = { ...ids, workspaceId: workspace, credentials, pageSize: 2 };
  const listed: Task[] = [];
  for await (const task of Task.list(options)) listed.push(task);
  same(listed.map(({ taskId }) => taskId), all, "the tasks");
  await listed[2]?.delete();
  const stopped: string[] = [];
  for await (const { taskId } of Task.list({ ...options, status: "failed" })) stopped.push(taskId);
  same(stopped, ["t-3"], "the stopped tasks");
});

// Receiving events.

test("verifyEvent() accepts a signed event as Request and as text, and no other body", async () => {
  const body = JSON.stringify({
    type: "task.expired",
    timestamp: new Date().toISOString(),
    data: {
      status: "running",
      task: { organization_id: "o", workspace_id: "w", info: { id: "é" } },
    },
  });
  const timestamp = Math.floor(Date.now() / 1_000);
  const bytes = new TextEncoder().encode(`msg_1.${timestamp}.${body}`);
  const secret = new TextEncoder().encode(atob(SECRET.slice("whsec_".length)));
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes));
  const headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(timestamp),
    "webhook-signature": `v1,${btoa(String.fromCharCode(...mac))}`,
  };
  const request = new Request("https://receiver.example/", { method: "POST", headers, body });
  for (const received of [request, { headers, body }, { headers: new Headers(headers), body }]) {
    const event = await verifyEvent(received, SECRET);
    check(event.type === "task.expired", `the type is ${event.type}`);
    same(event.data.task.info.id, "é", "the id");
  }
  const error = await rejection(() => verifyEvent({ headers, body: `${body} ` }, SECRET));
  check(error instanceof DeepintWebhookError, `not a DeepintWebhookError: ${error}`);
  same(error.code, "SIGNATURE_MISMATCH", "the code");
});
