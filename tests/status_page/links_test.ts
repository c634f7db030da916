// Links to the status page: who gets one, how long it is valid, and what it responds with.
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import {
  type Endpoint,
  IDS,
  KEY,
  objectOf,
  outcomeOf,
  problemOf,
  retryAfterOf,
  RUNNING,
  setUp,
  SUCCESS,
  TASK_PATH,
  textOf,
  TOKEN,
} from "../helpers/endpoint.ts";
import {
  DAY,
  HTML,
  JSON_ALONE,
  LINK_SECRET,
  linkOf,
  linkWith,
  OTHER_SECRET,
  readable,
  WITH_LINKS,
} from "../helpers/status_page.ts";

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
