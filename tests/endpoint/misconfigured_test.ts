// Functions with wrong settings: 503 misconfigured.
import { assert, assertEquals } from "@std/assert";
import { SETTING_NAMES } from "../../functions/app.ts";
import cloudflare from "../../functions/cloudflare.ts";
import { lazyHandler } from "../../functions/lazy_handler.ts";
import {
  captureConsole,
  IDS,
  KEY,
  outcomeOf,
  post,
  problemOf,
  SECRET,
  textOf,
  TOKEN,
} from "../helpers/endpoint.ts";

const BODY = { ...IDS, note: "canary-body" };

Deno.test("a wrong setting is 503 misconfigured and named without its value", async () => {
  const enough = { DEEPINT_TOKEN: TOKEN, RESOLVE_API_KEYS: KEY };
  const wrong: [variable: string, environment: Record<string, unknown>][] = [
    ["DEEPINT_TOKEN", { RESOLVE_API_KEYS: KEY }],
    ["DEEPINT_TOKEN", { ...enough, DEEPINT_TOKEN: "canary\n" }],
    ["DEEPINT_INSTANCE", { ...enough, DEEPINT_INSTANCE: "http://a.example" }],
    ["DEEPINT_ORGANIZATION", { ...enough, DEEPINT_ORGANIZATION: "a b" }],
    ["RESOLVE_API_KEYS", { DEEPINT_TOKEN: TOKEN }],
    ["RESOLVE_API_KEYS", { ...enough, RESOLVE_API_KEYS: "canary-short" }],
    ["RESOLVE_API_KEYS", { ...enough, RESOLVE_API_KEYS: `${KEY},` }],
    ["RESOLVE_WEBHOOK_SECRETS", { DEEPINT_TOKEN: TOKEN, RESOLVE_WEBHOOK_SECRETS: "canary" }],
    ["RESOLVE_WEBHOOK_SECRETS", { ...enough, RESOLVE_WEBHOOK_SECRETS: `${SECRET},whsec_` }],
    ["RESOLVE_ALLOWED_ORGANIZATIONS", { ...enough, RESOLVE_ALLOWED_ORGANIZATIONS: "," }],
    ["RESOLVE_ALLOWED_WORKSPACES", { ...enough, RESOLVE_ALLOWED_WORKSPACES: "a,,b" }],
    ["RESOLVE_TIMEOUT_MS", { ...enough, RESOLVE_TIMEOUT_MS: "0" }],
    ["RESOLVE_PENDING", { ...enough, RESOLVE_PENDING: "202" }],
    ["RESOLVE_BASE_PATH", { ...enough, RESOLVE_BASE_PATH: "a/.." }],
    ["RESOLVE_PUBLIC_URL", { ...enough, RESOLVE_PUBLIC_URL: "http://a.example" }],
    ["RESOLVE_CORS_ORIGINS", { ...enough, RESOLVE_CORS_ORIGINS: "*" }],
    ["RESOLVE_LINK_SECRETS", { ...enough, RESOLVE_LINK_SECRETS: "whsec_canary" }],
    ["RESOLVE_LINK_TTL_S", { ...enough, RESOLVE_LINK_TTL_S: "59" }],
    ["RESOLVE_ALLOW_UNAUTHENTICATED", { ...enough, RESOLVE_ALLOW_UNAUTHENTICATED: "1" }],
    ["RESOLVE_CALLBACK_HOSTS", { ...enough, RESOLVE_CALLBACK_HOSTS: `canary.example=${SECRET}` }],
    ["RESOLVE_DATABASE_URL", { ...enough, RESOLVE_DATABASE_URL: "canary://a:canary@db/a" }],
    ["RESOLVE_KV_PATH", { ...enough, RESOLVE_KV_PATH: ":memory:" }],
    ["RESOLVE_SWEEP_MS", { ...enough, RESOLVE_SWEEP_MS: "0" }],
    ["RESOLVE_MAX_WATCHES", { ...enough, RESOLVE_MAX_WATCHES: "0" }],
  ];
  const settings = SETTING_NAMES.filter((name) => !["HOST", "PORT"].includes(name)); // the platform's
  assertEquals(new Set(wrong.map(([variable]) => variable)), new Set(settings));
  for (const [variable, environment] of wrong) {
    using output = captureConsole();
    const headers = { authorization: `Bearer ${KEY}` };
    const request = new Request("https://a.example/resolve", post(BODY, { headers }));
    const response = await lazyHandler((name) => environment[name])(request);
    assert(!/canary/.test(await textOf(response)));
    assertEquals(response.headers.get("cache-control"), "no-store");
    assertEquals(response.headers.get("x-content-type-options"), "nosniff");
    const { status, type, code, detail } = await problemOf(response);
    assertEquals([status, type, code], [503, "/problems/misconfigured", "MISCONFIGURED"]);
    assert(detail.includes(variable), detail);
    const told = JSON.stringify([...output.log, ...output.error]);
    assert(told.includes(variable) && !told.includes("canary"), told);
  }
});

Deno.test("a Worker without bindings is 503 misconfigured on every route", async () => {
  using _output = captureConsole();
  for (const path of ["/health", "/resolve", "/none"]) {
    const request = new Request(`https://a.example${path}`);
    const response = await cloudflare.fetch(request, {}, { waitUntil() {} });
    assertEquals(await outcomeOf(response), [503, "misconfigured"], path);
  }
});

Deno.test("a misconfigured endpoint keeps and logs the caller's request id", async () => {
  using output = captureConsole();
  const headers = { "x-request-id": "req-1" };
  const request = new Request("https://a.example/health", { headers });
  const response = await lazyHandler(() => undefined)(request);
  assertEquals(response.headers.get("x-request-id"), "req-1");
  assertEquals((await problemOf(response)).request_id, "req-1");
  assert(JSON.stringify([...output.log, ...output.error]).includes("req-1"));
});
