// Responses of the status page: headers, escaping, and what it shows when a poll fails.
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import * as esbuild from "esbuild";
import { fileURLToPath } from "node:url";
import { RUNNING, setUp, SUCCESS, TOKEN } from "../helpers/endpoint.ts";
import { root } from "../helpers/run_deno.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import {
  HTML,
  JSON_ALONE,
  LINK_SECRET,
  linkOf,
  linkWith,
  pageOf,
  POLICY,
  WITH_LINKS,
} from "../helpers/status_page.ts";

async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
}

const AWAY: [name: string, answer: () => Response, status: number, refresh: number | null][] = [
  ["fails", () => new Response("secret words", { status: 500 }), 502, 10],
  ["refuses the token", () => new Response("secret words", { status: 401 }), 502, 60],
  [
    "limits the rate",
    () => new Response("secret words", { status: 429, headers: { "retry-after": "77" } }),
    503,
    77,
  ],
  ["has no such task", () => new Response("secret words", { status: 404 }), 404, null],
];
for (const [name, answer, status, refresh] of AWAY) {
  Deno.test(`the page explains in its own words that Deep Intelligence ${name}`, async () => {
    const { send, platform, log } = setUp(WITH_LINKS);
    platform.inject(answer);
    const response = await send(await linkWith(LINK_SECRET), HTML);
    assertEquals(response.status, status);
    const header = (name: string) => response.headers.get(name) ?? "null";
    assertEquals([header("refresh"), header("retry-after")], Array(2).fill(String(refresh)));
    assertEquals(header("content-type"), "text/html; charset=utf-8");
    assertMatch(header("content-security-policy"), POLICY);
    const page = await response.text();
    assert(!page.includes("secret words") && !page.includes(TOKEN));
    assertMatch(page, /<h1 [^>]*>(Deep Intelligence is unavailable|This task no longer exists)/);
    assertEquals(
      page.includes("workspace?ws=workspace-1"),
      status === 404,
      "link to the workspace",
    );
    assertEquals(log.map(({ status }) => status), [status]);
    assertNotEquals(log[0]?.problem, undefined, "the log says what");
  });
}

Deno.test("the content security policy allows only the page's own style and script", async () => {
  for (const task of [RUNNING, SUCCESS]) {
    const { response, page } = await pageOf(task);
    const policy = response.headers.get("content-security-policy") ?? "";
    const [, style, script] = POLICY.exec(policy) ?? [];
    const only = (tag: string) => {
      const found = [...page.matchAll(new RegExp(`<${tag}\\b[^>]*>([^]*?)</${tag}>`, "g"))];
      assertEquals(found.length, 1, tag);
      return found[0]?.[1] ?? "";
    };
    assertEquals([style, script], [await hashOf(only("style")), await hashOf(only("script"))]);
    assert(!/ (style|on\w+)=/.test(page), "none in an attribute, which no hash allows");
    assert(!/<(link|img|base|meta http-equiv)/.test(page), "it loads nothing");
  }
});

Deno.test("responses to a link are not stored, indexed or referred", async () => {
  const endpoint = setUp(WITH_LINKS);
  endpoint.platform.add(RUNNING);
  const good = await linkOf(endpoint);
  for (const path of [good, "/status/v1.x.y"]) {
    for (const init of [HTML, JSON_ALONE]) {
      const { headers, body } = await endpoint.send(path, init);
      await body?.cancel();
      assertEquals(
        ["cache-control", "referrer-policy", "x-robots-tag", "x-content-type-options", "vary"]
          .map((name) => headers.get(name)),
        ["no-store", "no-referrer", "noindex", "nosniff", "Accept"],
      );
      assertMatch(headers.get("x-request-id") ?? "", /^[\w-]{36}$/);
      assertEquals(headers.get("set-cookie"), null);
    }
  }
});

Deno.test("the status page supports only GET and HEAD", async () => {
  const endpoint = setUp(WITH_LINKS);
  endpoint.platform.add(RUNNING);
  const link = await linkOf(endpoint);
  const polls = endpoint.platform.count();
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
    const response = await endpoint.send(link, { method });
    assertEquals([response.status, response.headers.get("allow")], [405, "GET, HEAD"], method);
    await response.body?.cancel();
  }
  assertEquals(endpoint.platform.count(), polls);
  const head = await endpoint.send(link, { ...HTML, method: "HEAD" });
  assertEquals([head.status, await head.text()], [200, ""]);
  assertMatch(head.headers.get("content-security-policy") ?? "", POLICY);
});

Deno.test("every text of a task is escaped on the page", async () => {
  const hostile = (field: string) =>
    `<img src=x onerror=alert(1)>${field}"'&\u202e\u0000\u2028</main></script><script>x</script>`;
  const fields = Object.fromEntries(
    ["name", "user_name", "subtask", "description", "error_code", "error_description", "result"]
      .concat("result_type", "user_id").map((field) => [field, hostile(field)]),
  );
  const shown: Record<string, string[]> = {
    running: ["name", "user_name", "subtask"],
    success: ["name", "user_name", "result", "result_type"],
    failed: ["name", "user_name", "error_code", "error_description"],
    [hostile("status")]: ["name", "user_name"],
  };
  for (const [status, names] of Object.entries(shown)) {
    const { page, text } = await pageOf({ ...fields, status });
    const tags = new Set([...page.matchAll(/<([a-z]\w*)/gi)].map(([, tag]) => tag));
    assert(!tags.has("img"), status);
    assertEquals(page.split("<script").length, 2, "one script, and it is ours");
    assertEquals(page.split("</main>").length, 2);
    for (const char of "\u202e\0\u2028") assert(!page.includes(char), "nothing that controls");
    for (const name of names) {
      assertStringIncludes(text, `<img src=x onerror=alert(1)>${name}"'&`, status);
    }
  }
});

// not in the test: the bundler's process ends some time after `stop`
const { outputFiles: [output] } = await esbuild.build({
  entryPoints: [fileURLToPath(new URL("functions/status_page/script.ts", root))],
  bundle: true,
  format: "esm",
  keepNames: true, // the default of wrangler
  write: false,
});
Deno.test.afterAll(() => esbuild.stop());

Deno.test("the script survives a bundler that keeps the names of functions", async () => {
  const { SCRIPT } = await import(`data:text/javascript,${encodeURIComponent(output?.text ?? "")}`);
  assertStringIncludes(SCRIPT, "toLocaleString");
  assert(!SCRIPT.includes("__name"), "no call of a helper outside the script");
  new Function(SCRIPT); // it parses
});

Deno.test("a hanging poll is 504 on the page, which refreshes", async () => {
  const { send, platform } = setUp({ ...WITH_LINKS, RESOLVE_TIMEOUT_MS: "100" });
  platform.inject(() => new Promise<never>(() => {}));
  const response = await send(await linkWith(LINK_SECRET), HTML);
  assertEquals([response.status, response.headers.get("refresh")], [504, "10"]);
  await response.body?.cancel();
});

Deno.test("a caller that disconnects from the page is logged with 499", async () => {
  const { app, platform, log } = setUp(WITH_LINKS);
  const controller = new AbortController();
  platform.inject(() => {
    controller.abort("gone");
    return new Promise<never>(() => {});
  });
  const url = `https://endpoint.example${await linkWith(LINK_SECRET)}`;
  await app.fetch(new Request(url, { ...HTML, signal: controller.signal }));
  assertEquals(log.map(({ status }) => status), [499]);
});

Deno.test("concurrent readers of the page share one poll", async () => {
  using clock = new FakeClock();
  const endpoint = setUp(WITH_LINKS);
  const { promise, resolve } = Promise.withResolvers<Response>();
  endpoint.platform.inject(() => promise);
  const link = await linkWith(LINK_SECRET);
  const pages = Array.from({ length: 20 }, () => endpoint.send(link, HTML));
  // until all have come: one that comes after the answer polls for itself
  await clock.tick(0);
  resolve(Response.json(RUNNING));
  for (const { status, body } of await Promise.all(pages)) {
    assertEquals(status, 200);
    await body?.cancel();
  }
  assertEquals(endpoint.platform.count(), 1);
});
