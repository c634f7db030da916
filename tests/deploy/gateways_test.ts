// Gateways in front of the functions: each test converts the URL that a caller sees to the event or request
// that the platform passes on, and follows every URL in the responses through the gateway again.
import { assert, assertEquals } from "@std/assert";
import * as v from "valibot";
import { handler as httpApi } from "../../functions/aws_lambda.ts?http-api";
import { handler as restApi } from "../../functions/aws_lambda.ts?rest-api";
import { createApp, readConfig } from "../../functions/app.ts";
import supabase from "../../functions/supabase/index.ts?gateway";
import { captureConsole, IDS, KEY, post, TASK_PATH, TOKEN } from "../helpers/endpoint.ts";
import { withHeaders } from "../helpers/endpoint.ts";
import { environment } from "../helpers/environment.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";
import { listen } from "../helpers/listen.ts";

/** Sends a request to the URL that a caller sees. */
type Send = (url: URL, init: RequestInit) => Promise<Response>;

const PLATFORM = createFakePlatform({ token: TOKEN });
const SETTINGS = {
  DEEPINT_TOKEN: TOKEN,
  RESOLVE_API_KEYS: KEY,
  RESOLVE_LINK_SECRETS: `whsec_${btoa("a-link-secret-of-more-than-24-bytes")}`,
};

/** Headers that a gateway adds. None of them may show in a response. */
const forwarded = {
  "host": "internal.example",
  "x-forwarded-for": "192.0.2.1",
  "x-forwarded-host": "forged.example",
  "x-forwarded-port": "443",
  "x-forwarded-prefix": "/forged",
  "x-forwarded-proto": "http",
  "forwarded": "for=192.0.2.1;host=forged.example;proto=http",
};

/** Checks that every URL of the responses leads through the gateway. */
async function checkUrls(publicUrl: string, send: Send): Promise<void> {
  const call = async (url: string, init: RequestInit = {}) => {
    assert(url.startsWith(`${publicUrl}/`), url);
    const response = await send(new URL(url), withHeaders(init, forwarded));
    const text = await response.text();
    assert(!/forged|internal\.example/.test(text + JSON.stringify([...response.headers])), url);
    return { status: response.status, headers: response.headers, text };
  };
  const authorization = `Bearer ${KEY}`;
  PLATFORM.add({ id: "t-1", status: "running" });
  const running = await call(`${publicUrl}/resolve`, withHeaders(post(IDS), { authorization }));
  const location = running.headers.get("location") ?? "";
  assertEquals([running.status, location], [202, publicUrl + TASK_PATH]);
  assertEquals((await call(location, { headers: { authorization } })).status, 202);

  const link: string = JSON.parse(running.text).links.status;
  const followed = await call(link, { headers: { accept: "application/json" } });
  assertEquals([followed.status, followed.headers.get("location")], [202, link]);
  assertEquals(JSON.parse(followed.text).links.status, link);

  const refused = await call(`${publicUrl}/resolve`, post(IDS));
  const { type } = JSON.parse(refused.text);
  assertEquals([refused.status, type], [401, `${publicUrl}/problems/unauthorized`]);
  assertEquals((await call(type)).status, 200);
  const { servers } = JSON.parse((await call(`${publicUrl}/openapi.json`)).text);
  assertEquals(servers, [{ url: publicUrl }]);
}

/** URL of an API Gateway with a stage. */
const GATEWAY = "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod";

/** Starts the platform behind a gateway, with the settings of its function, until disposed of. */
function behind(publicUrl: string, settings: Record<string, string> = {}) {
  const stack = new AsyncDisposableStack();
  const platform = stack.use(listen(PLATFORM.fetch));
  stack.use(captureConsole());
  const variables = { ...SETTINGS, ...settings, RESOLVE_PUBLIC_URL: publicUrl };
  stack.use(environment({ ...variables, DEEPINT_INSTANCE: platform.origin }));
  return stack;
}

/** Converts a request to the fields that both event formats of API Gateway contain. */
function eventOf({ hostname, pathname }: URL, { method = "GET", body, headers }: RequestInit) {
  const [apiId] = hostname.split(".", 1);
  return {
    pathname,
    method,
    identity: { sourceIp: "192.0.2.1", userAgent: "curl/8.5.0" },
    headers: new Headers(headers),
    context: {
      accountId: "123456789012",
      apiId,
      authorizer: {},
      domainName: hostname,
      domainPrefix: apiId,
      stage: "prod",
    },
    content: { body: typeof body === "string" ? body : null, isBase64Encoded: false },
  };
}

const Result = v.object({
  statusCode: v.number(),
  body: v.string(),
  headers: v.optional(v.record(v.string(), v.string())),
  multiValueHeaders: v.optional(v.record(v.string(), v.array(v.string()))),
});

/** Passes an event on as JSON, as Lambda does, and converts the result. */
async function invoke(handler: typeof restApi, event: object): Promise<Response> {
  const result = await handler(JSON.parse(JSON.stringify(event)));
  const { statusCode: status, body, headers = {}, multiValueHeaders = {} } = v.parse(
    Result,
    result,
  );
  const pairs = Object.entries(multiValueHeaders).flatMap(([name, values]) =>
    values.map((value): [string, string] => [name, value])
  );
  return new Response(body, { status, headers: [...Object.entries(headers), ...pairs] });
}

Deno.test("behind a stage of an API Gateway HTTP API, URLs have the stage", async () => {
  await using _ = behind(GATEWAY, { RESOLVE_BASE_PATH: "/prod" });
  await checkUrls(GATEWAY, async (url, init) => {
    const { pathname, method, identity, headers, context, content } = eventOf(url, init);
    return await invoke(httpApi, {
      version: "2.0",
      routeKey: "$default",
      rawPath: pathname, // with the stage
      rawQueryString: "",
      headers: Object.fromEntries(headers),
      requestContext: {
        ...context,
        authentication: null,
        http: { method, path: pathname, protocol: "HTTP/1.1", ...identity },
        requestId: "JKJaXmPLvHcESHA=",
        routeKey: "$default",
        time: "01/Jan/2026:00:00:00 +0000",
        timeEpoch: 1_767_225_600_000,
      },
      ...content,
    });
  });
});

Deno.test("behind a stage of an API Gateway REST API, URLs have the stage", async () => {
  await using _ = behind(GATEWAY);
  await checkUrls(GATEWAY, async (url, init) => {
    const { pathname, method, identity, headers, context, content } = eventOf(url, init);
    const path = pathname.replace("/prod", ""); // without the stage
    return await invoke(restApi, {
      resource: "/{proxy+}",
      path,
      httpMethod: method,
      headers: Object.fromEntries(headers),
      multiValueHeaders: Object.fromEntries([...headers].map(([name, it]) => [name, [it]])),
      queryStringParameters: null,
      multiValueQueryStringParameters: null,
      pathParameters: { proxy: path.slice(1) },
      stageVariables: null,
      requestContext: {
        ...context,
        resourceId: "d4e5f6",
        resourcePath: "/{proxy+}",
        httpMethod: method,
        extendedRequestId: "JJbxmplHYosFVYQ=",
        requestTime: "01/Jan/2026:00:00:00 +0000",
        path: pathname,
        protocol: "HTTP/1.1",
        requestTimeEpoch: 1_767_225_600_000,
        requestId: "00000000-0000-0000-0000-000000000000",
        identity,
      },
      ...content,
    });
  });
});

Deno.test("behind Supabase's gateway, URLs have /functions/v1 and the function's name", async () => {
  const publicUrl = "https://abcdefghijklmnopqrst.supabase.co/functions/v1/resolve-task";
  await using _ = behind(publicUrl, { RESOLVE_BASE_PATH: "/resolve-task" });
  await checkUrls(publicUrl, async ({ host, pathname }, init) => {
    const path = pathname.replace("/functions/v1", ""); // the function sees its name, over http
    return await supabase.fetch(new Request(`http://${host}${path}`, init));
  });
});

Deno.test("behind a proxy that strips a prefix, URLs have the prefix", async () => {
  await using platform = listen(PLATFORM.fetch);
  using _log = captureConsole();
  // a real proxy in front of a real server, whose address only the proxy knows
  const endpoint = Promise.withResolvers<string>();
  await using proxy = listen(async (request) => {
    const path = new URL(request.url).pathname.replace("/tasks", "");
    const { method, headers } = request;
    const body = method === "POST" ? await request.text() : null;
    return await fetch(await endpoint.promise + path, {
      method,
      headers,
      body,
      redirect: "manual",
    });
  });
  const publicUrl = `${proxy.origin}/tasks`;
  const settings = { DEEPINT_INSTANCE: platform.origin, RESOLVE_PUBLIC_URL: `${publicUrl}/` };
  const app = createApp(readConfig({ ...SETTINGS, ...settings }));
  await using server = listen(app.fetch);
  endpoint.resolve(server.origin);
  await checkUrls(publicUrl, async (url, init) => await fetch(url, init));
});
