/** The entries of the platforms as callers: each takes a signed delivery from 202 to 200. */
import { assertEquals } from "@std/assert";
import { IDS, post, SECRET, type Settings, signed, TOKEN } from "./endpoint.ts";
import { createFakePlatform, type FakePlatform } from "./fake_platform.ts";
import { listen } from "./listen.ts";

/** An answer, as far as the tests look at it. */
export interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/** Sends a request to an entry. */
export type Send = (path: string, init: RequestInit) => Promise<Answer>;

export const PORTLESS = { PORT: "an odd one" };

/** A fake platform that listens, and the settings of an entry that uses it. */
export function serve(): AsyncDisposable & { platform: FakePlatform; settings: Settings } {
  const platform = createFakePlatform({ token: TOKEN });
  const server = listen(platform.fetch);
  const settings = {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: server.origin,
    RESOLVE_WEBHOOK_SECRETS: SECRET,
  };
  return { ...server, platform, settings };
}

/** Takes a signed delivery from 202 to 200, and an unsigned one nowhere. */
export async function deliver(
  send: Send,
  platform: FakePlatform,
  basePath = "",
  publicUrl = basePath,
): Promise<void> {
  const steps = [{ status: "running" }, {
    status: "success",
    result: "s-1",
    result_type: "source",
  }];
  platform.add({ id: "t-1", steps });
  const timestamp = Math.floor(Date.now() / 1000);
  const delivery = await signed(post({ ...IDS, pending: "accepted" }), { timestamp });
  const answers = [
    await send(`${basePath}/resolve`, delivery),
    await send(`${basePath}/resolve`, delivery),
    await send(`${basePath}/resolve`, post(IDS)),
    await send(`${basePath}/health`, {}),
  ];
  assertEquals(
    answers.map(({ status, body }) => [status, body.status, body.result, body.type]),
    [
      [202, "running", undefined, undefined],
      [200, "success", { source: "s-1" }, undefined],
      [401, 401, undefined, `${publicUrl}/problems/unauthorized`],
      [200, "ok", undefined, undefined],
    ],
  );
  assertEquals(platform.count(), 2, "one poll an answer");
}

async function answerOf(response: Response): Promise<Answer> {
  return { status: response.status, body: await response.json() };
}

/** Sends to an origin of this machine. */
export function over(origin: string): Send {
  return async (path, init) => await answerOf(await fetch(origin + path, init));
}

/** Sends to a function of this process. */
export function calling(fetch: (request: Request) => Response | Promise<Response>): Send {
  return async (path, init) =>
    await answerOf(await fetch(new Request(`https://endpoint.example${path}`, init)));
}

/** An event of an API Gateway's HTTP API, in the format 2.0, which function URLs share. */
export function gatewayEvent(path: string, init: RequestInit) {
  const { method = "GET", body } = init;
  const headers = {
    host: "id.lambda-url.example",
    ...Object.fromEntries(new Headers(init.headers)),
  };
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: "",
    headers,
    requestContext: {
      accountId: "anonymous",
      apiId: "id",
      authentication: null,
      authorizer: {},
      domainName: headers.host,
      domainPrefix: "id",
      http: { method, path, protocol: "HTTP/1.1", sourceIp: "192.0.2.1", userAgent: "" },
      requestId: "00000000-0000-0000-0000-000000000000",
      routeKey: "$default",
      stage: "$default",
      time: "01/Jan/2026:00:00:00 +0000",
      timeEpoch: 1_767_225_600_000,
    },
    // a gateway hands over what it takes for binary in base64
    body: typeof body === "string" ? btoa(body) : null,
    isBase64Encoded: typeof body === "string",
  };
}
