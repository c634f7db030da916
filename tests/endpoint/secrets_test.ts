// Token, key, webhook secret and signature are in no rendering of an error. problems_test.ts checks the
// responses and log lines of every problem, hostile_test.ts those of hostile requests.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { upstreamProblem } from "../../functions/task/response.ts";
import { createApp, readConfig } from "../../functions/app.ts";
import { HttpProblem } from "../../functions/http/problem.ts";
import { parseJson } from "../../functions/http/body.ts";
import { parseTaskRequest } from "../../functions/task/request.ts";
import {
  Credentials,
  DeepintBaseError,
  DeepintHTTPError,
  DeepintTimeoutError,
  Task,
  TaskInfo,
} from "../../mod.ts";
import { allRenderings, assertNoSecrets } from "../helpers/client.ts";
import {
  captureConsole,
  IDS,
  KEY,
  post,
  SECRET,
  setUp,
  signed,
  TASK_PATH,
} from "../helpers/endpoint.ts";
import { problemOf, textOf, TOKEN } from "../helpers/endpoint.ts";

const SECRETS = [TOKEN, KEY, SECRET.slice(6), atob(SECRET.slice(6))];

function taskOf(fields: Record<string, unknown>, fetch?: () => Promise<Response>): Task {
  return new Task({
    organizationId: "o-1",
    workspaceId: "w-1",
    credentials: new Credentials({ token: TOKEN }),
    info: TaskInfo.fromDict({ id: "t-1", ...fields }),
    fetch,
  });
}

/** An error of each class with every field that it may have, and the names of those fields. */
const CLASSES: Record<string, [make: () => unknown, fields: string[]]> = {
  DeepintBaseError: [
    () => new DeepintBaseError("HTTP_400", "text", { cause: new Error("cause") }),
    ["cause", "code"],
  ],
  DeepintCredentialsError: [
    () => assertThrows(() => new Credentials({ token: `${TOKEN}\n` })),
    ["code"],
  ],
  DeepintHTTPError: [
    () =>
      new DeepintHTTPError("HTTP_429", "text", {
        ...{ method: "GET", url: "https://a.example/", status: 429, retryable: true },
        ...{ retryAfter: 1_000, cause: new Error("cause") },
      }),
    ["cause", "code", "method", "retryAfter", "retryable", "status", "url"],
  ],
  DeepintTaskError: [
    () => assertRejects(() => taskOf({ status: "failed" }).resolve()),
    ["code", "task"],
  ],
  DeepintTimeoutError: [
    () => {
      const info = TaskInfo.fromDict({ id: "t-1" });
      return new DeepintTimeoutError("text", { elapsed: 1, info, retryable: true, retryAfter: 1 });
    },
    ["code", "elapsed", "info", "retryAfter", "retryable"],
  ],
  ConfigError: [
    () => assertThrows(() => readConfig({ DEEPINT_TOKEN: TOKEN, RESOLVE_API_KEYS: `${KEY} x` })),
    ["variable"],
  ],
  HttpProblem: [
    () => new HttpProblem("invalid-request", "text", { code: "X", headers: { a: "b" }, extra: {} }),
    ["options", "type"],
  ],
};

for (const [name, [make, fields]] of Object.entries(CLASSES)) {
  Deno.test(`a ${name} contains no secret in any of its fields`, async () => {
    const error = await make();
    assert(error instanceof Error && error.name === name);
    assertNoSecrets(error, ...SECRETS);
    const own = Reflect.ownKeys(error).map(String).filter((key) => !/^(stack|message)$/.test(key));
    assertEquals(own.sort(), fields, "a new field is one that may leak");
    for (const key of [...fields, "message", "stack", "name", "cause", "toString", "another"]) {
      const leaks: unknown[] = key === "toString"
        ? [() => TOKEN]
        : ["message", "stack", "name"].includes(key)
        ? [`for ${TOKEN}`]
        : [`for ${TOKEN}`, { deep: [new Map([["key", TOKEN]])] }, new Error(TOKEN)];
      for (const value of leaks) {
        const leaky = await make();
        Object.defineProperty(leaky, key, { value, enumerable: false, configurable: true });
        assertThrows(() => assertNoSecrets(leaky, ...SECRETS), Error, "a secret", `${name}.${key}`);
      }
    }
  });
}

const WEB_URL = "https://app.deepint.net/o/o-1/workspace?ws=w-1&s=task&i=t-1";

function errorOf(run: () => unknown): Error {
  return assertThrows(run, Error);
}

/** The problem of a request with such a URL. */
function urlProblem(url: string): Error {
  const limits = { allowedOrganizations: [], allowedWorkspaces: [], instance: "app.deepint.net" };
  return errorOf(() => parseTaskRequest({ url }, limits));
}

/** The problem of an upstream response that echoes secrets. */
async function upstreamEcho(status: number): Promise<unknown> {
  const echo = { code: "X", message: `the token ${TOKEN} of ${KEY}` };
  const task = taskOf({}, () => Promise.resolve(Response.json(echo, { status })));
  const error = await assertRejects(() => task.load({ retries: 0 }), DeepintHTTPError);
  return upstreamProblem(error);
}

/** Operations whose outcome must not show a secret, however it is printed. */
const OPERATIONS: Record<string, () => unknown> = {
  ...Object.fromEntries([200, 301, 400, 401, 404, 429, 500, 503, 504].map((status) => [
    `the problem of an upstream ${status}`,
    () => upstreamEcho(status),
  ])),
  "a URL with a user": () => urlProblem(WEB_URL.replace("://", `://${KEY}@`)),
  "a URL with a password": () => urlProblem(WEB_URL.replace("://", `://user:${KEY}@`)),
  "a URL with a token": () => urlProblem(WEB_URL.replace("s=task", `token=${KEY}`)),
  "a URL with a repeated parameter": () => urlProblem(`${WEB_URL}&ws=w-2&key=${KEY}`),
  "a URL with a fragment": () => urlProblem(`${WEB_URL}&i=t-2#${KEY}`),
  "a URL of another scheme": () => urlProblem(`ftp://user:${KEY}@app.deepint.net/`),
  "an unparsable URL": () => urlProblem(`https://${KEY}@[`),
  "a body that is not JSON": () =>
    errorOf(() => parseJson(new TextEncoder().encode(`{"key":"${KEY}"`))),
};

for (const [name, run] of Object.entries(OPERATIONS)) {
  Deno.test(`no rendering shows a secret: ${name}`, async () => {
    const problem = await run();
    assert(problem instanceof HttpProblem);
    assertNoSecrets(problem, ...SECRETS, "the token");
  });
}

Deno.test("an endpoint prints without token, keys and secrets", () => {
  const environment = {
    DEEPINT_TOKEN: TOKEN,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_WEBHOOK_SECRETS: SECRET,
  };
  const app = createApp(readConfig(environment), { log: () => {} });
  const { request, fetch } = app;
  // an app holds functions, which structuredClone() refuses
  for (const value of [{ ...app }, request, fetch]) {
    const text = Deno.inspect(value, { depth: 20, showHidden: true, getters: true }) +
      JSON.stringify(value);
    for (const secret of SECRETS) assert(!text.includes(secret), text);
  }
});

Deno.test("a refused signature is in no response and no log line", async () => {
  const seconds = Math.floor(Date.now() / 1_000);
  const good = new Headers((await signed(post(IDS), { timestamp: seconds })).headers);
  const signature = good.get("webhook-signature") ?? "";
  const changes: Record<string, string>[] = [
    {},
    { "webhook-id": "msg_2" },
    { "webhook-id": "" },
    { "webhook-timestamp": "1" },
    { "webhook-timestamp": signature },
    { "webhook-signature": signature.replace("v1", "v2") },
    { "webhook-signature": signature.slice(0, -1) },
    { authorization: signature },
    { authorization: `Bearer ${signature}` },
    { "content-type": "text/plain" },
    { "content-encoding": "gzip" },
  ];
  using output = captureConsole();
  for (const change of changes) {
    for (const body of [JSON.stringify(IDS), JSON.stringify(IDS) + "\n", "{"]) {
      const { platform, send, log } = setUp();
      platform.add({ id: "t-1", status: "running" });
      const headers = { ...Object.fromEntries(good), ...change };
      const seen = await textOf(await send("/resolve", post(body, { headers })));
      assert(!`${seen}${JSON.stringify(log)}`.includes(signature.slice(3, -1)), seen);
    }
  }
  assertEquals([...output.log, ...output.error], []);
});

Deno.test("the error of a callback is printed without the token", async () => {
  using output = captureConsole();
  const task = taskOf(
    { status: "running" },
    () => Promise.resolve(Response.json({ status: "success", name: `for ${TOKEN}` })),
  );
  const onProgress = () => {
    throw Object.assign(new Error("failed"), { task });
  };
  await task.resolve({ onProgress });
  assertEquals(output.error.length > 0, true);
  for (const part of output.error) {
    assertNoSecrets(part, ...SECRETS);
    assert(typeof part === "string" || allRenderings(part).includes("t-1"));
  }
});

Deno.test("a key in a query, path or cookie does not authenticate, and no key is logged", async () => {
  const { send, log, platform } = setUp();
  const query = `?key=${KEY}&token=${TOKEN}`;
  const headers = { "cookie": `key=${KEY}`, "x-request-id": `${KEY} ${TOKEN}` };
  const requests: [path: string, headers: Record<string, string>][] = [
    [TASK_PATH + query, headers],
    [TASK_PATH + query, { ...headers, "x-api-key": `${KEY} ${TOKEN}` }],
    [TASK_PATH + query, { ...headers, "x-api-key": KEY }],
    [`/openapi.json${query}`, { ...headers, "x-api-key": KEY }],
    [`/none/${KEY}${query}`, { ...headers, "x-api-key": KEY }],
  ];
  for (const [path, headers] of requests) {
    const response = await send(path, { headers });
    const seen = await textOf(response) + JSON.stringify(log);
    for (const secret of SECRETS) assert(!seen.includes(secret), seen);
  }
  assertEquals(log.map(({ status }) => status), [401, 401, 404, 200, 404]);
  assertEquals(platform.count(), 1);
});

Deno.test("a defect of the endpoint is 500 internal-error with only the error's name", async () => {
  let calls = 0;
  const now = () => {
    // the second time is within the handler
    if (++calls === 2) throw new RangeError(`no time for ${TOKEN}`, { cause: { KEY, SECRET } });
    return Date.UTC(2026, 0, 1);
  };
  using output = captureConsole();
  const { get, log, platform } = setUp({}, { now });
  const response = await get(TASK_PATH);
  const seen = await textOf(response) + JSON.stringify([log, output.log, output.error]);
  assertEquals((await problemOf(response)).code, "INTERNAL_ERROR");
  assertEquals([response.status, log[0]?.problem, log[0]?.hint], [
    500,
    "internal-error",
    "RangeError",
  ]);
  assertEquals(platform.count(), 0);
  for (const secret of SECRETS) assert(!seen.includes(secret), seen);
  assert(!/no time for|\.ts:\d/.test(seen), seen);
});
