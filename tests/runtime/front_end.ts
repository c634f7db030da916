// The page of .github/docs/recipes.md in headless Chromium: it follows a task on an endpoint of another
// origin. Part of `deno task page`.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createApp, readConfig } from "../../functions/app.ts";
import { listen } from "../helpers/listen.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";
import { root } from "../helpers/run_deno.ts";
import type { Page, Playwright } from "./browser.ts";
import { findChromium, install, output } from "./packages.ts";

const KEY = "a-key-of-16-characters-or-more";
const IDS = { organization_id: "organization-1", workspace_id: "workspace-1", task_id: "t-1" };
const TASK_PATH = "/organizations/organization-1/workspaces/workspace-1/tasks/t-1";
const TIMEOUT_MS = 40_000;

const recipes = await Deno.readTextFile(new URL(".github/docs/recipes.md", root));
const [, html = ""] = /^```html\n([^]*?)^```$/m.exec(recipes) ?? [];

/** Servers of a page and of an endpoint that allows its origin, and a browser. */
async function setUp() {
  await install();
  const platform = createFakePlatform({ token: "a-token" });
  const upstream = listen(platform.fetch);
  const front = listen(() => new Response(html, { headers: { "content-type": "text/html" } }));
  const foreign = listen(() => new Response(html, { headers: { "content-type": "text/html" } }));
  const requests: { method: string; origin: string | null; authorization: string | null }[] = [];
  const app = Promise.withResolvers<ReturnType<typeof createApp>>();
  const endpoint = listen(async (request) => {
    const [origin, authorization] = ["origin", "authorization"].map((it) =>
      request.headers.get(it)
    );
    requests.push({
      method: request.method,
      origin: origin ?? null,
      authorization: authorization ?? null,
    });
    return await (await app.promise).fetch(request);
  });
  const settings = {
    DEEPINT_TOKEN: "a-token",
    DEEPINT_INSTANCE: upstream.origin,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_LINK_SECRETS: `whsec_${btoa("a secret of the links, 32 bytes.")}`,
    RESOLVE_PUBLIC_URL: endpoint.origin,
    RESOLVE_CORS_ORIGINS: front.origin,
  };
  app.resolve(createApp(readConfig(settings), { log() {} }));
  const { chromium } = createRequire(output)("playwright-core") as Playwright;
  const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];
  const browser = await chromium.launch({ executablePath: await findChromium(), args });
  return {
    platform,
    front,
    foreign,
    endpoint,
    requests,
    async open(origin: string, link: string): Promise<Page> {
      const page = await (await browser.newContext({ baseURL: origin })).newPage();
      page.setDefaultTimeout(TIMEOUT_MS);
      await page.goto(`/?link=${encodeURIComponent(link)}`);
      return page;
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      await Promise.all(
        [front, foreign, endpoint, upstream].map((it) => it[Symbol.asyncDispose]()),
      );
    },
  };
}

/** The link that the page's server receives with its key. */
async function linkFrom(origin: string): Promise<string> {
  const headers = { "authorization": `Bearer ${KEY}`, "content-type": "application/json" };
  const response = await fetch(`${origin}/resolve`, {
    method: "POST",
    headers,
    body: JSON.stringify(IDS),
  });
  const { links } = await response.json();
  assert(links.status.startsWith(`${origin}/status/`), "an absolute link");
  return links.status;
}

Deno.test("a page of another origin follows a task with a link and without a key", async () => {
  const [, script = ""] = /<script type="module">([^]*)<\/script>/.exec(html) ?? [];
  assert(script.trim().split("\n").length <= 21, "20 lines of JavaScript");
  await using setup = await setUp();
  const name = "<b>Train</b> the model";
  setup.platform.add({
    id: "t-1",
    name,
    created: new Date().toISOString(), // the schedule of a new task is short
    steps: [{ status: "running", polls: 2 }, { status: "success" }],
  });
  const link = await linkFrom(setup.endpoint.origin);
  setup.requests.length = 0;
  const page = await setup.open(setup.front.origin, link);
  await page.waitForSelector("#state >> text=: running");
  await page.waitForSelector("#state >> text=: success");
  assert.equal(await page.textContent("#state"), `${name}: success`);
  const expected = { method: "GET", origin: setup.front.origin, authorization: null };
  assert.deepEqual(setup.requests, [expected, expected], "no preflight and no key");
});

Deno.test("a page reads the error of an invalid link and then stops", async () => {
  await using setup = await setUp();
  const page = await setup.open(setup.front.origin, `${setup.endpoint.origin}/status/v1.x.y`);
  await page.waitForSelector("#state >> text=Not found");
});

Deno.test("a page of an origin that is not allowed cannot read the link", async () => {
  await using setup = await setUp();
  setup.platform.add({ id: "t-1", status: "success" });
  const page = await setup.open(setup.foreign.origin, await linkFrom(setup.endpoint.origin));
  await page.waitForSelector("#state >> text=Cannot reach the endpoint");
});

Deno.test("a page with a key polls the task route after one preflight", async () => {
  await using setup = await setUp();
  setup.platform.add({ id: "t-1", status: "running" });
  const page = await setup.open(setup.front.origin, `${setup.endpoint.origin}/status/v1.x.y`);
  await page.waitForSelector("#state >> text=Not found");
  setup.requests.length = 0;
  const names = ["etag", "retry-after", "location", "x-request-id"];
  const poll = (tag?: string) => {
    const keys = { "x-api-key": KEY, "authorization": `Bearer ${KEY}` };
    const headers = tag === undefined ? keys : { ...keys, "if-none-match": tag };
    const url = setup.endpoint.origin + TASK_PATH;
    return page.evaluate<[number, ...string[]]>(
      `fetch(${JSON.stringify(url)}, ${JSON.stringify({ headers })})
        .then((it) => [it.status, ...${
        JSON.stringify(names)
      }.map((name) => it.headers.get(name))])`,
    );
  };
  const [status, tag, ...rest] = await poll();
  assert.equal(status, 202);
  assert(tag && rest.length === 3 && rest.every(Boolean), rest.join());
  await poll();
  assert.deepEqual(setup.requests.map(({ method }) => method), ["OPTIONS", "GET", "GET"]);
  assert.equal((await poll(tag))[0], 304);
});
