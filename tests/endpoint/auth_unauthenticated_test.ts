// Without authentication, only callers on this machine are served.
import { assert, assertEquals } from "@std/assert";
import { type Config, ConfigError, createApp, readConfig } from "../../functions/app.ts";
import { lazyHandler } from "../../functions/lazy_handler.ts";
import {
  captureConsole,
  IDS,
  KEY,
  outcomeOf,
  post,
  problemOf,
  setUp,
  TASK_PATH,
  textOf,
  TOKEN,
} from "../helpers/endpoint.ts";
import { NOW, signedRequest } from "../helpers/signature.ts";

const OPEN = {
  RESOLVE_ALLOW_UNAUTHENTICATED: "1",
  RESOLVE_API_KEYS: "",
  RESOLVE_WEBHOOK_SECRETS: "",
};

/** Asks an open endpoint for the task, as a server hands over the request and who sent it. */
async function askOpen(origin: string, peer?: string, authorization?: string) {
  const { app, platform, log } = setUp(OPEN, { allowUnauthenticated: true });
  platform.add({ id: "t-1", status: "running" });
  const connection = peer === undefined ? undefined : { remoteAddr: { hostname: peer } };
  const headers = authorization === undefined ? {} : { authorization };
  const asked = [
    new Request(origin + TASK_PATH, { headers }),
    new Request(`${origin}/resolve`, post(IDS, { headers })),
  ];
  const statuses: number[] = [];
  for (const one of asked) statuses.push((await app.fetch(one, connection)).status);
  return { statuses, asked: platform.count(), auth: log.map(({ auth }) => auth) };
}

Deno.test("RESOLVE_ALLOW_UNAUTHENTICATED serves a loopback Host and peer without authentication", async () => {
  for (const host of ["localhost", "127.0.0.1:8000", "[::1]:8000", "127.8.9.1"]) {
    for (const peer of [undefined, "127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
      const { statuses, auth } = await askOpen(`http://${host}`, peer);
      assertEquals(
        [statuses, auth],
        [[202, 202], ["unauthenticated", "unauthenticated"]],
        `${host} ${peer}`,
      );
    }
  }
});

Deno.test("RESOLVE_ALLOW_UNAUTHENTICATED refuses a Host or peer that is not loopback", async () => {
  const hosts = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"];
  for (const host of [...hosts, "[::]", "0.0.0.0", "128.0.0.1", "[::2]", "xlocalhost"]) {
    const { statuses, asked } = await askOpen(`http://${host}`, "127.0.0.1");
    assertEquals([statuses, asked], [[403, 403], 0], host);
  }
  for (const peer of ["10.0.0.1", "::2", "192.168.127.1", "::ffff:10.0.0.1", "x127.0.0.1"]) {
    const { statuses, asked } = await askOpen("http://localhost:8000", peer);
    assertEquals([statuses, asked], [[403, 403], 0], peer);
  }
  assertEquals((await askOpen("http://localhost", "::1", "Bearer wrong")).statuses, [401, 401]);
});

Deno.test("RESOLVE_ALLOW_UNAUTHENTICATED refuses forwarded requests", async () => {
  const names = ["forwarded", "x-forwarded-for", "x-forwarded-host", "X-Forwarded-Anything", "via"];
  for (const name of names) {
    const { app, platform } = setUp(OPEN, { allowUnauthenticated: true });
    platform.add({ id: "t-1", status: "success" });
    const init = post(IDS, { headers: { [name]: "203.0.113.9" } });
    const request = new Request("http://localhost:8000/resolve", init);
    const response = await app.fetch(request, { remoteAddr: { hostname: "127.0.0.1" } });
    const { code } = await problemOf(response);
    assertEquals([response.status, code, platform.count()], [403, "HOST_NOT_ALLOWED", 0], name);
  }
});

Deno.test("RESOLVE_ALLOW_UNAUTHENTICATED refuses forwarded requests on every route", async () => {
  const { app, log } = setUp(OPEN, { allowUnauthenticated: true });
  const paths = ["/health", "/ready", "/openapi.json", "/problems/forbidden", "/none", "/"];
  for (const path of [...paths, TASK_PATH, "/resolve"]) {
    for (const method of ["GET", "POST", "OPTIONS"]) {
      const url = `http://localhost:8000${path}`;
      const headers = { via: "1.1 proxy.example" };
      const response = await app.fetch(new Request(url, { method, headers }));
      assertEquals(await outcomeOf(response), [403, "forbidden"], `${method} ${path}`);
    }
  }
  const logged = new Set(log.map(({ auth, problem }) => `${auth} ${problem}`));
  assertEquals(logged, new Set(["none forbidden"]));
  const foreign = await app.fetch(new Request("http://evil.example/health"));
  assertEquals(await outcomeOf(foreign), [403, "forbidden"], "a Host that is not loopback");
  assertEquals((await app.fetch(new Request("http://localhost:8000/health"))).status, 200);
});

Deno.test("RESOLVE_ALLOW_UNAUTHENTICATED is refused by entries that do not bind loopback", async () => {
  const environment = { ...OPEN, DEEPINT_TOKEN: TOKEN };
  const keyed = { ...environment, RESOLVE_API_KEYS: KEY };
  for (const env of [environment, keyed] as Record<string, string>[]) {
    let refused: unknown;
    try {
      readConfig(env);
    } catch (error) {
      refused = error;
    }
    assert(refused instanceof ConfigError && refused.variable === "RESOLVE_ALLOW_UNAUTHENTICATED");
    using _output = captureConsole();
    const response = await lazyHandler((name) => env[name])(new Request("http://localhost/health"));
    assert((await textOf(response)).includes("RESOLVE_ALLOW_UNAUTHENTICATED"));
    assertEquals(await outcomeOf(response), [503, "misconfigured"]);
  }
});

Deno.test("an app without keys, secrets and the setting refuses every request", async () => {
  const config: Config = {
    ...readConfig({ ...OPEN, DEEPINT_TOKEN: TOKEN }, { allowUnauthenticated: true }),
  };
  const app = createApp({ ...config, allowUnauthenticated: false }, {
    log: () => {},
    now: () => NOW,
  });
  for (const authorization of ["", "Bearer", "Bearer ", "Bearer undefined"]) {
    const headers = { authorization };
    assertEquals((await app.request(TASK_PATH, { headers })).status, 401, authorization);
  }
  assertEquals((await app.request("/resolve", await signedRequest())).status, 401);
  assertEquals((await app.request("/resolve", post(IDS))).status, 401);
});
