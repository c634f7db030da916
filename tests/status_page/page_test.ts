// The status page: its links, content and headers. `tests/runtime/page.ts` tests it in a browser.
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { assertStringIncludes } from "@std/assert";
import * as esbuild from "esbuild";
import { fileURLToPath } from "node:url";
import { createLinkSigner } from "../../functions/auth/link_token.ts";
import {
  type Endpoint,
  IDS,
  KEY,
  objectOf,
  outcomeOf,
  problemOf,
  setUp,
} from "../helpers/endpoint.ts";
import { root } from "../helpers/run_deno.ts";
import { retryAfterOf, RUNNING, SUCCESS, TASK_PATH, textOf, TOKEN } from "../helpers/endpoint.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { FakeTask } from "../helpers/fake_platform.ts";

const LINK_SECRET = `whsec_${btoa("canary-link-secret-of-32-bytes..")}`;
const OTHER_SECRET = `whsec_${btoa("another-link-secret-of-32-bytes.")}`;
const WITH_LINKS = { RESOLVE_LINK_SECRETS: LINK_SECRET };
const HTML = { headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" } };
const JSON_ALONE = { headers: { accept: "application/json" } };
const DAY = 86_400_000;

const POLICY = new RegExp(
  "^default-src 'none'; style-src ('sha256-[A-Za-z0-9+/]{43}='); " +
    "script-src ('sha256-[A-Za-z0-9+/]{43}='); connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'$",
);

/** The path of a task's page, as the endpoint hands it out. */
async function linkOf({ bearer }: Endpoint, id = "t-1"): Promise<string> {
  const { links } = await objectOf(await bearer({ ...IDS, task_id: id, raise_on_error: false }));
  return String((links as { status: string }).status);
}

/** The path of a page, with a token of one's own making. */
async function linkWith(secret: string, at = Date.now(), ids = IDS): Promise<string> {
  const { organization_id, workspace_id, task_id } = ids;
  const named = { organizationId: organization_id, workspaceId: workspace_id, taskId: task_id };
  return `/status/${await createLinkSigner({ secrets: [secret], ttl: DAY, now: () => at })
    .createToken(named)}`;
}

/** A page as it is read: without style, script and markup. */
function readable(page: string): string {
  const body = page.replace(/<(style|script)>[^]*?<\/\1>/g, "").replace(/<[^>]*>/g, " ");
  const named = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
  return body.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: keyof typeof named) => named[name])
    .replace(/\s+/g, " ").trim();
}

async function pageOf(
  task: FakeTask,
): Promise<{ response: Response; page: string; text: string }> {
  const endpoint = setUp(WITH_LINKS);
  endpoint.platform.add({ ...task, id: "t-1" });
  const response = await endpoint.send(await linkWith(LINK_SECRET), HTML);
  const page = await response.text();
  return { response, page, text: readable(page) };
}

async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
}

Deno.test("200 and 202 link to the status page if a link secret is set", async () => {
  for (const task of [RUNNING, SUCCESS, { ...RUNNING, status: "failed" }]) {
    const [bare, linked] = [setUp(), setUp(WITH_LINKS)];
    for (const { platform } of [bare, linked]) platform.add(task);
    for (
      const ask of [
        (endpoint: Endpoint) => endpoint.bearer({ ...IDS, raise_on_error: false }),
        (endpoint: Endpoint) => endpoint.webhook({ ...IDS, pending: "accepted" }),
        (endpoint: Endpoint) => endpoint.get(TASK_PATH),
      ]
    ) {
      const response = await ask(linked);
      if (response.status === 424) continue; // the GET route has a failed task as an error
      const { links, ...rest } = await objectOf(response) as { links: Record<string, string> };
      assertMatch(links.status ?? "", /^\/status\/v1\.[\w-]+\.[\w-]{43}$/);
      const { links: without, ...same } = await objectOf(await ask(bare));
      assertEquals(Object.keys(rest), Object.keys(same));
      const result = task === SUCCESS
        ? "https://app.deepint.net/o/organization-1/workspace?ws=workspace-1&s=source&i=s-1"
        : undefined;
      assertEquals(links.result, result);
      assertEquals(without, result && { result }, "the result has an address with or without");
    }
  }
});

Deno.test("the status page is 404 without a link secret", async () => {
  const { send, platform } = setUp();
  platform.add({ id: "t-1" });
  for (const path of ["/status/x", await linkWith(LINK_SECRET)]) {
    assertEquals(await outcomeOf(await send(path, HTML)), [404, "not-found"]);
  }
  assertEquals(platform.count(), 0);
});

Deno.test("a response with a link keeps its ETag", async () => {
  const clock = { now: Date.parse("2026-01-01T12:00:00Z") };
  const { get, platform } = setUp(WITH_LINKS, { now: () => clock.now });
  platform.add({ ...RUNNING, created: "2026-01-01T11:00:00Z", duration: 1 });
  const first = await get(TASK_PATH);
  const tag = first.headers.get("etag") ?? "";
  clock.now += DAY / 16;
  const again = await get(TASK_PATH, { headers: { "if-none-match": tag } });
  assertEquals([again.status, again.headers.get("etag")], [304, tag]);
  // before the old link is too old, a caller who only ever saw 304 is given another
  clock.now += DAY / 8;
  const later = await get(TASK_PATH, { headers: { "if-none-match": tag } });
  assertEquals(later.status, 202);
  assertNotEquals((await objectOf(later)).links, (await objectOf(first)).links);
});

Deno.test("the page of a running task shows name, progress, start and user, and refreshes", async () => {
  const { response, page, text } = await pageOf({
    status: "running",
    name: "Train the model",
    progress: 42.4,
    subtask: "fitting",
    user_name: "Analyst",
    created: new Date(Date.now() - 100_500).toISOString(),
  });
  assertEquals(response.status, 200);
  for (
    const part of [
      "Running",
      "Train the model",
      "fitting",
      "42%",
      "Elapsed 1 min 40 s",
      "Created by Analyst",
    ]
  ) {
    assertStringIncludes(text, part);
  }
  assertMatch(page, /<title>42% · Running · Train the model<\/title>/);
  assertMatch(page, /<progress [^>]*value="42"/);
  const refresh = response.headers.get("refresh") ?? "";
  // a tenth of its age, and up to a tenth more: the adaptive schedule
  assert(/^1[0-2]$/.test(refresh), refresh);
  assertEquals(retryAfterOf(response), Number(refresh));
  assertMatch(
    page,
    new RegExp(`<main [^>]*data-refresh="${refresh}"`),
    "the script goes by the same",
  );
});

Deno.test("the page has a doctype, a language and live regions", async () => {
  const { page } = await pageOf({ status: "running", subtask: "fitting" });
  assertMatch(page, /^<!doctype html>\s+<html lang="en">\s+<head>\s+<meta charset="utf-8">/);
  const live = [...page.matchAll(/<p id="(\w+)" role="status" aria-live="polite"/g)];
  assertEquals(live.map(([, id]) => id), ["note", "announcement"]);
});

Deno.test("progress is shown from 0 to 100, or as indeterminate", async () => {
  for (const [progress, value] of [[-5, "0"], [1e9, "100"], [99.6, "100"], [0, "0"]] as const) {
    const { page } = await pageOf({ status: "running", progress });
    assertMatch(page, new RegExp(`<progress [^>]*value="${value}"`));
  }
  const { page, text } = await pageOf({ status: "pending", progress: null });
  assert(/<progress (?![^>]*value)/.test(page) && !text.includes("%"), "no percentage is invented");
  assertStringIncludes(text, "Waiting to start");
});

Deno.test("the page of a finished task links to its result and does not refresh", async () => {
  const { response, page, text } = await pageOf({
    ...SUCCESS,
    result: "m-1",
    result_type: "model",
    duration: 3_723_000,
  });
  assertEquals([response.status, response.headers.get("refresh")], [200, null]);
  for (const part of ["Finished", "model m-1", "Duration 1 h 02 min"]) {
    assertStringIncludes(text, part);
  }
  const url = "https://app.deepint.net/o/organization-1/workspace?ws=workspace-1&s=model&i=m-1";
  assertStringIncludes(page, `href="${url.replaceAll("&", "&amp;")}"`);
  assertStringIncludes(page, 'data-refresh=""');
});

Deno.test("a pending task shows when it was created and the time of the last update", async () => {
  const now = Date.parse("2026-03-01T12:00:30Z");
  const { send, platform } = setUp(WITH_LINKS, { now: () => now });
  platform.add({ id: "t-1", name: "Import", status: "pending", created: "2026-03-01T12:00:00Z" });
  const page = await (await send(await linkWith(LINK_SECRET, now), HTML)).text();
  const text = readable(page);
  for (
    const part of [
      "Elapsed 30 s",
      "Created by analyst",
      "Created 1 Mar 2026, 12:00:00 UTC",
      "Updated 1 Mar 2026, 12:00:30 UTC",
    ]
  ) assertStringIncludes(text, part);
  assertStringIncludes(page, "<title>Waiting to start · Import</title>");
  assert(!text.includes("Started"), text);
});

Deno.test("a file is a download link with its whole URL", async () => {
  const file = `https://files.example.com/w-1.zip?signature=${"f".repeat(1_000)}`;
  const { page, text } = await pageOf({ ...SUCCESS, result: file, result_type: "file" });
  assertStringIncludes(page, `href="${file}" download`);
  assertStringIncludes(text, file);
  assertStringIncludes(text, "File files.example.com");
  const loopback = "http://127.0.0.1:9000/w-1.zip";
  const local = await pageOf({ ...SUCCESS, result: loopback, result_type: "file" });
  assertStringIncludes(local.page, `href="${loopback}" download`);
});

Deno.test("the address of a file that is not https is text, and whole", async () => {
  const rest = "x".repeat(1_000);
  for (
    const file of [
      `http://files.example.com/${rest}`,
      `javascript:alert(1)//${rest}`,
      `data:text/html,${rest}`,
      `w-1.zip${rest}`,
    ]
  ) {
    const { page, text } = await pageOf({ ...SUCCESS, result: file, result_type: "file" });
    assert(!page.includes("href="), file.slice(0, 30));
    assertStringIncludes(text, file);
  }
});

Deno.test("the page of a finished task without a result has no link", async () => {
  for (
    const [result, result_type, says] of [[null, null, "without a result"], [
      "x-1",
      "dashboard",
      "x-1",
    ]]
  ) {
    const { page, text } = await pageOf({ ...SUCCESS, result, result_type });
    assert(!page.includes("href="), "no link");
    assertStringIncludes(text, String(says));
  }
});

Deno.test("the page of a failed task shows its code and description", async () => {
  const fields = { error_code: "QUOTA", error_description: "The quota is used up" };
  const failed = await pageOf({ ...RUNNING, ...fields, status: "failed" });
  assertEquals([failed.response.status, failed.response.headers.get("refresh")], [200, null]);
  assertStringIncludes(failed.text, "Failed");
  assertStringIncludes(failed.text, "QUOTA The quota is used up");
  const silent = await pageOf({ ...RUNNING, status: "failed" });
  assertStringIncludes(silent.text, "UNKNOWN Deep Intelligence gave no reason.");
});

Deno.test("failed tasks and unknown statuses show the task's id and link to its workspace", async () => {
  for (const status of ["failed", "archived"]) {
    const { page, text } = await pageOf({ ...RUNNING, status });
    assertStringIncludes(
      page,
      'href="https://app.deepint.net/o/organization-1/workspace?ws=workspace-1"',
    );
    assertStringIncludes(text, "Task t-1");
    assertStringIncludes(text, "Open the workspace in Deep Intelligence");
  }
});

Deno.test("the page of a task with an unknown status shows it and does not refresh", async () => {
  const { response, text } = await pageOf({ ...RUNNING, status: "paused", name: "Train" });
  assertEquals([response.status, response.headers.get("refresh")], [200, null]);
  assertStringIncludes(text, "Unknown status");
  assertStringIncludes(text, "Train");
  assertMatch(text, /“ ?paused ?”/);
});

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

Deno.test("a tampered, foreign or expired link is 404 without a poll", async () => {
  const { send, platform } = setUp(WITH_LINKS);
  platform.add(SUCCESS);
  const good = await linkWith(LINK_SECRET);
  const other = await linkWith(LINK_SECRET, Date.now(), { ...IDS, task_id: "t-2" });
  const [head, payload] = [good.split(".")[0], other.split(".")[1]];
  const bad = {
    tampered: `${head}.${payload}.${good.split(".")[2]}`,
    cut: good.slice(0, -1),
    foreign: await linkWith(OTHER_SECRET),
    expired: await linkWith(LINK_SECRET, Date.now() - DAY),
    junk: "/status/junk",
    encoded: "/status/%00",
  };
  const unknown = await objectOf(await send("/nothing", JSON_ALONE));
  const pages = new Set<string>();
  for (const [name, path] of Object.entries(bad)) {
    const problem = await problemOf(await send(path, JSON_ALONE));
    assertEquals({ ...problem, request_id: unknown.request_id }, unknown, name);
    const response = await send(path, HTML);
    assertEquals([response.status, response.headers.get("refresh")], [404, null], name);
    assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8");
    const page = await response.text();
    assertStringIncludes(readable(page), "This link is not valid");
    pages.add(page);
  }
  assertEquals(pages.size, 1, "nobody can tell one from another");
  assertEquals(platform.count(), 0);
  assertEquals((await send(good)).status, 200);
  assertEquals(platform.count(), 1);
});

Deno.test("the first link secret signs and the others still verify", async () => {
  const endpoint = setUp({ RESOLVE_LINK_SECRETS: `${OTHER_SECRET},${LINK_SECRET}` });
  endpoint.platform.add(RUNNING);
  const fresh = await linkOf(endpoint);
  assertEquals(fresh, await linkWith(OTHER_SECRET));
  for (const path of [fresh, await linkWith(LINK_SECRET)]) {
    assertEquals((await endpoint.send(path)).status, 200);
  }
});

Deno.test("RESOLVE_LINK_TTL_S sets the lifetime of a link", async () => {
  const clock = { now: Date.parse("2026-01-01T12:00:00Z") };
  const endpoint = setUp({ ...WITH_LINKS, RESOLVE_LINK_TTL_S: "80" }, { now: () => clock.now });
  endpoint.platform.add(RUNNING);
  const link = await linkOf(endpoint);
  clock.now += 69_000;
  assertEquals((await endpoint.send(link)).status, 200);
  clock.now += 11_000;
  assertEquals((await endpoint.send(link)).status, 404);
});

Deno.test("a link to a task that is no longer allowed is 403 without a poll", async () => {
  const { send, platform } = setUp({ ...WITH_LINKS, RESOLVE_ALLOWED_WORKSPACES: "another" });
  platform.add(RUNNING);
  const link = await linkWith(LINK_SECRET);
  assertEquals(await outcomeOf(await send(link, JSON_ALONE)), [403, "forbidden"]);
  assertEquals((await send(link, HTML)).status, 403);
  assertEquals(platform.count(), 0);
});

Deno.test("a link responds with JSON on request, like the task route", async () => {
  for (const task of [RUNNING, SUCCESS, { ...RUNNING, status: "failed", error_code: "E" }]) {
    const endpoint = setUp(WITH_LINKS);
    endpoint.platform.add({ ...task, duration: 1 });
    const link = await linkOf(endpoint);
    const asked = { ...IDS, raise_on_error: false };
    const expected = await objectOf(await endpoint.bearer(asked));
    for (const accept of ["application/json", "application/json, text/plain, */*"]) {
      const response = await endpoint.send(link, { headers: { accept } });
      assertEquals(response.headers.get("content-type"), "application/json");
      const { retry_after, ...body } = await objectOf(response);
      const { retry_after: other, ...rest } = expected;
      assertEquals([body, typeof retry_after], [rest, typeof other]);
      const location = response.status === 202 ? link : null;
      assertEquals(response.headers.get("location"), location, "it needs no key");
      if (response.status === 202) assertEquals(retryAfterOf(response), retry_after);
    }
  }
});

Deno.test("a caller without a preference gets the page", async () => {
  const endpoint = setUp(WITH_LINKS);
  endpoint.platform.add(RUNNING);
  const link = await linkOf(endpoint);
  const both = "text/html, application/json;q=0.9";
  for (const accept of ["*/*", "text/*", "image/png", both, "application/json;q=0"]) {
    const response = await endpoint.send(link, { headers: { accept } });
    await response.body?.cancel();
    assertEquals(response.headers.get("content-type"), "text/html; charset=utf-8", accept);
  }
});

Deno.test("a response to a link contains no new link", async () => {
  const clock = { now: Date.parse("2026-01-01T12:00:00Z") };
  const endpoint = setUp(WITH_LINKS, { now: () => clock.now });
  endpoint.platform.add({ ...RUNNING, created: "2026-01-01T11:00:00Z" });
  const link = await linkOf(endpoint);
  clock.now += DAY / 2;
  const response = await endpoint.send(link, JSON_ALONE);
  assertEquals((await objectOf(response)).links, { status: link });
  const page = await (await endpoint.send(link, HTML)).text();
  assert(!page.includes("v1."), "the page holds no token at all");
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

Deno.test("long texts are truncated, and a task without a name shows its id", async () => {
  const { page } = await pageOf({
    ...RUNNING,
    status: "failed",
    name: "n".repeat(100_000),
    error_description: "d".repeat(100_000),
  });
  assert(page.length < 20_000, `${page.length}`);
  assertStringIncludes(page, `${"n".repeat(199)}…</h1>`);
  for (const name of [null, "", " \u200f "]) {
    assertStringIncludes((await pageOf({ ...RUNNING, name })).text, "Task t-1");
  }
});

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

Deno.test("the status page and its links are below the base path", async () => {
  const endpoint = setUp({ ...WITH_LINKS, RESOLVE_BASE_PATH: "/resolve-task" });
  endpoint.platform.add(RUNNING);
  const link = await linkOf(endpoint);
  assert(link.startsWith("/resolve-task/status/v1."), link);
  const response = await endpoint.app.request(`https://endpoint.example${link}`, JSON_ALONE);
  assertEquals([response.status, response.headers.get("location")], [202, link]);
  assertEquals((await objectOf(response)).links, { status: link });
});

Deno.test('the log has the route and auth "link", never the token', async () => {
  const endpoint = setUp(WITH_LINKS);
  endpoint.platform.add(RUNNING);
  const link = await linkOf(endpoint);
  const answers = [await endpoint.send(link, HTML), await endpoint.send(`${link}x`, HTML)];
  const [, seen, refused] = endpoint.log;
  assertEquals([seen?.route, seen?.auth, seen?.task_status], ["/status/:token", "link", "running"]);
  assertEquals([refused?.route, refused?.auth, refused?.problem], [
    "/status/:token",
    "none",
    "not-found",
  ]);
  const token = link.slice("/status/".length);
  const said = JSON.stringify(endpoint.log) + (await Promise.all(answers.map(textOf))).join("");
  for (const part of [token, ...token.split(".").slice(1), LINK_SECRET.slice(6), TOKEN, KEY]) {
    assert(!said.includes(part), part);
  }
  for (const { body } of answers) await body?.cancel();
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
