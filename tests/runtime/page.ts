// The tests behind `deno task page`: the status page in headless Chromium, served by the real endpoint in
// front of the fake platform. Saves screenshots in dist/screens/.
// deno-lint-ignore-file no-console
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createApp, readConfig } from "../../functions/app.ts";
import { createLinkSigner } from "../../functions/auth/link_token.ts";
import { root } from "../helpers/run_deno.ts";
import { listen } from "../helpers/listen.ts";
import { createFakePlatform, type FakeTask } from "../helpers/fake_platform.ts";
import type { Axe, Browser, ContextOptions, Page, Playwright } from "./browser.ts";
import { findChromium, install, output, path } from "./packages.ts";

const SECRET = `whsec_${btoa("a secret of the page, 32 bytes..")}`;
const SCREENS = new URL("dist/screens/", root);
/** Time for one test. */
const TIMEOUT_MS = 40_000;

/** Texts with markup, long words and characters that reverse the line. */
const HOSTILE = {
  name: `<img src=x onerror="seen=1"> \u202egnp.exe\u0007 ${"W".repeat(150)}`,
  user_name: `"><script>seen=1</script>`,
  subtask: `</main><svg onload=seen=1> <b>bold</b> ${"m".repeat(80)}`,
  description: `<iframe srcdoc="<script>parent.seen=1</script>">`,
  error_code: `<a href="javascript:seen=1">E</a>`,
  error_description: `'"><img src=x onerror=seen=1>\n<style>*{display:none}</style>`,
  result: `"onmouseover="seen=1`,
  result_type: `<b>source</b>`,
} as const;

const STATES: Record<string, FakeTask> = {
  pending: { status: "pending" },
  running: { status: "running", progress: 62.4, subtask: "Fitting 12 of 20 trees" },
  indeterminate: { status: "running", subtask: "Reading the source" },
  success: { status: "success", result: "churn-2026-03", result_type: "model", duration: 192_000 },
  nothing: { status: "success" },
  failed: {
    status: "failed",
    duration: 75_000,
    error_code: "QUOTA_EXCEEDED",
    error_description:
      "The workspace has no room left: 50 GB of 50 GB are in use. Delete sources " +
      "that are not needed, or ask the owner of the workspace for more.",
  },
  unknown: { status: "paused" },
  "hostile-running": { ...HOSTILE, status: "running", progress: 1e9 },
  "hostile-success": { ...HOSTILE, status: "success" },
  "hostile-failed": { ...HOSTILE, status: "failed" },
  "hostile-unknown": { ...HOSTILE, status: HOSTILE.user_name },
};

const platform = createFakePlatform({ token: "a-token" });
const app = createApp(
  readConfig({
    DEEPINT_TOKEN: "a-token",
    RESOLVE_API_KEYS: "a-key-of-16-characters-or-more",
    RESOLVE_LINK_SECRETS: SECRET,
  }),
  { fetch: (url, init) => platform.fetch(url, init), log: () => {} },
);

/** Adds a task and returns the path of a link to it that is valid for `ttl` ms. */
async function linkTo(task: FakeTask, ttl = 3_600_000): Promise<string> {
  const { organization, workspace, id } = platform.add({
    name: "Train the churn model on orders of March",
    user_name: "Analyst",
    created: new Date(Date.now() - 95_000).toISOString(),
    ...task,
  });
  const links = createLinkSigner({ secrets: [SECRET], ttl, now: Date.now });
  const ids = { organizationId: organization, workspaceId: workspace, taskId: id };
  return `/status/${await links.createToken(ids)}`;
}

/** Starts Chromium with access to loopback only: no other host name resolves. */
async function launch(): Promise<Browser> {
  const { chromium } = createRequire(output)("playwright-core") as Playwright;
  return await chromium.launch({
    executablePath: await findChromium(),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
}

let axe: string;
let browser: Browser;
const server = listen((request) => app.fetch(request));

Deno.test.beforeAll(async () => {
  await install();
  await Deno.mkdir(SCREENS, { recursive: true });
  axe = await Deno.readTextFile(path("node_modules/axe-core/axe.min.js"));
  browser = await launch();
  console.log(`Chromium ${browser.version()}`);
});

Deno.test.afterAll(async () => {
  await browser?.close();
  await server[Symbol.asyncDispose]();
});

/** Options of {@linkcode check}. */
interface CheckOptions extends ContextOptions {
  /** Console messages that are part of the test. */
  expected?: RegExp;
}

/** Tests a page. Fails also on an uncaught error, a console message or a violation of the policy. */
function check(
  name: string,
  { expected = /^$/, ...options }: CheckOptions,
  body: (page: Page, loads: () => number) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const context = await browser.newContext({ baseURL: server.origin, ...options });
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(TIMEOUT_MS);
      const wrong: string[] = [];
      let loads = 0;
      page.on("pageerror", ({ message }) => wrong.push(message));
      page.on("console", (message) => {
        if (!expected.test(message.text())) wrong.push(message.text());
      });
      page.on("request", (request) => {
        if (request.resourceType() === "document") loads++;
      });
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not done after ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
      });
      await Promise.race([body(page, () => loads), late]);
      assert.deepEqual(wrong, []);
    } finally {
      clearTimeout(timer);
      await context.close();
    }
  });
}

const look = (page: Page, wanted: string) => page.waitForSelector(`main[data-look=${wanted}]`);
const text = async (page: Page, selector: string) =>
  (await page.textContent(selector) ?? "").replaceAll(/\s+/g, " ").trim();

/** Returns the accessibility problems that axe-core finds. The debugger loads it, past the policy. */
async function violations(page: Page): Promise<string> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate<Axe>("axe.run()");
  return violations.map(({ id, nodes }) => `${id} (${nodes.map(({ html }) => html)})`).join("; ");
}

async function screen(page: Page, name: string): Promise<void> {
  const file = new URL(`${name}.png`, SCREENS);
  await page.screenshot({ path: decodeURIComponent(file.pathname), fullPage: true });
}

const journey: FakeTask = {
  created: new Date().toISOString(),
  steps: [
    { status: "pending" },
    { status: "running", progress: 30, subtask: "reading" },
    { status: "running", progress: 80, subtask: "fitting" },
    { status: "success", result: "m-1", result_type: "model" },
  ],
};

check("the page follows a task from pending to success in one load", {}, async (
  page,
  loads,
) => {
  await page.goto(await linkTo(journey));
  await look(page, "pending");
  await page.waitForSelector("#percent >> text=30 %");
  assert(await text(page, "#say") === "Running: reading", "the progress is announced");
  const bar = await page.evaluate<number>("document.querySelector('progress').value");
  assert(bar === 30, `the bar is at ${bar}`);
  await page.waitForSelector("#percent >> text=80 %");
  await look(page, "success");
  assert(await text(page, "#say") === "Finished", "the end is announced");
  assert((await page.title()).startsWith("Finished · "), "the title is updated");
  const footer = "getComputedStyle(document.querySelector('footer')).display";
  assert(await page.evaluate(footer) === "none", "the refresh note is hidden");
  const href = await page.getAttribute("a.button", "href");
  assert(href?.endsWith("ws=workspace-1&s=model&i=m-1") ?? false, `the button leads to ${href}`);
  assert(loads() === 1, `loaded ${loads()} times`);
});

check("without scripts, the Refresh header follows the task to its end", {
  javaScriptEnabled: false,
}, async (page, loads) => {
  const answer = await page.goto(await linkTo(journey));
  assert(Number(answer?.headers().refresh) >= 2, "Refresh header");
  await look(page, "running");
  const ended = page.waitForResponse((response) => response.headers().refresh === undefined);
  await ended;
  await look(page, "success");
  assert(loads() === 4, `loaded ${loads()} times`);
});

check("the clock advances between polls", {}, async (page) => {
  await page.clock.install();
  await page.goto(await linkTo({ status: "running" }));
  const before = await text(page, "#clock");
  await page.clock.runFor(5_000);
  const after = await text(page, "#clock");
  assert(/^1 min 3\d s$/.test(before) && after !== before, `from ${before} to ${after}`);
});

check("a hidden page does not poll, and polls immediately when shown", {}, async (
  page,
) => {
  await page.clock.install();
  await page.addInitScript("Object.defineProperty(document, 'hidden', { get: () => self.away })");
  const link = await linkTo({ status: "running" });
  await page.goto(link);
  const switchTo = (away: boolean) =>
    page.evaluate(
      `self.away = ${away}; document.dispatchEvent(new Event("visibilitychange", { bubbles: true }))`,
    );
  await switchTo(true);
  const before = platform.count();
  await page.clock.runFor(600_000);
  assert(platform.count() === before, "polled while hidden");
  const poll = page.waitForResponse((response) => response.url().endsWith(link));
  await switchTo(false);
  await page.clock.runFor(1_000);
  assert((await poll).status() === 200, "polls again");
});

check(
  "the page keeps the last state and shows a note when Deep Intelligence fails",
  { expected: /502 \(Bad Gateway\)/ },
  async (page) => {
    await page.goto(await linkTo({ ...journey, steps: [{ status: "running" }] }));
    await look(page, "running");
    const mend = platform.inject(() => new Response("down", { status: 500 }), Infinity);
    try {
      await page.waitForSelector("#note:not(:empty)");
      assert(
        (await text(page, "#note")).startsWith("Deep Intelligence is unavailable"),
        "the note",
      );
      assert(await page.getAttribute("main", "data-look") === "running", "the last state stays");
      await screen(page, "away");
      assert(await violations(page) === "", await violations(page));
    } finally {
      mend(); // the other tests share the platform
    }
    await page.waitForSelector("#note:empty", { state: "attached" });
  },
);

check(
  "the page shows a note while offline and recovers",
  { expected: /ERR_INTERNET_DISCONNECTED/ },
  async (page) => {
    await page.goto(await linkTo({ ...journey, steps: [{ status: "running" }] }));
    await page.context().setOffline(true);
    await page.waitForSelector("#note:not(:empty)");
    assert((await text(page, "#note")).startsWith("You are offline"), "the note");
    await page.context().setOffline(false);
    await page.waitForSelector("#note:empty", { state: "attached" });
  },
);

check("an error page becomes the status page when the platform recovers", {
  expected: /502 \(Bad Gateway\)/,
}, async (page, loads) => {
  const link = await linkTo({ status: "running", progress: 5 });
  platform.inject(() => new Response("upstream says <b>no</b>", { status: 500 }));
  await page.clock.install();
  const answer = await page.goto(link);
  assert(answer?.status() === 502, `status ${answer?.status()}`);
  assert(!(await text(page, "body")).includes("upstream says"), "the upstream text is hidden");
  await page.clock.runFor(11_000);
  await look(page, "running");
  assert(loads() === 1, `loaded ${loads()} times`);
});

check(
  "the page stops polling when its link expires",
  { expected: /404 \(Not Found\)/ },
  async (page) => {
    const task = { status: "running", created: new Date().toISOString() };
    const answer = await page.goto(await linkTo(task, 5_000));
    assert(answer?.status() === 200, `status ${answer?.status()}`);
    await page.waitForSelector("h1 >> text=This link is not valid");
    assert(await page.getAttribute("main", "data-refresh") === "", "polling has stopped");
  },
);

for (const [name, task] of Object.entries(STATES).filter(([name]) => /^hostile/.test(name))) {
  check(`markup in a task is shown as text: ${name}`, {}, async (page) => {
    await page.goto(await linkTo(task));
    assert(await page.evaluate("self.seen") === undefined, "markup ran");
    const found = await page.evaluate<number>(
      "document.querySelectorAll('img, iframe, b b, main script, main style, svg[onload], [onmouseover], [href^=java]').length",
    );
    assert(found === 0, `${found} foreign elements`);
    const all = await text(page, "main");
    assert(all.includes(`<img src=x onerror="seen=1">`), "the name is shown as text");
    assert(!/[\p{Cc}\p{Cf}]/u.test(all), "without control and format characters");
  });
}

const pages: Record<string, () => Promise<string>> = {
  ...Object.fromEntries(
    Object.entries(STATES).map(([name, task]) => [name, () => linkTo(task)]),
  ),
  expired: () => linkTo({}, -8_000),
  gone: async () => {
    const link = await linkTo({ id: "deleted" });
    await platform.fetch("https://app.deepint.net/api/v1/workspace/workspace-1/task/deleted", {
      method: "DELETE",
      headers: { "x-auth-token": "a-token", "x-deepint-organization": "organization-1" },
    });
    return link;
  },
  unreachable: async () => {
    const link = await linkTo({});
    platform.inject(() => new Response("down", { status: 500 }));
    return link;
  },
};
for (const [name, link] of Object.entries(pages)) {
  check(`the page passes axe-core, light and dark, and fits 320 px: ${name}`, {
    viewport: { width: 900, height: 640 },
    reducedMotion: "reduce",
    expected: /40[34]|502/,
  }, async (page) => {
    await page.goto(await link());
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await screen(page, `${name}-${colorScheme}`);
      const found = await violations(page);
      assert(found === "", `${colorScheme}: ${found}`);
    }
    await page.setViewportSize({ width: 320, height: 640 });
    await page.emulateMedia({ colorScheme: "light" });
    await screen(page, `${name}-320`);
    const width = await page.evaluate<number>("document.documentElement.scrollWidth");
    assert(width <= 320, `${width} px wide`);
  });
}

check("the keyboard reaches the result, with a visible focus", {}, async (page) => {
  await page.goto(await linkTo(STATES.success ?? {}));
  await page.keyboard.press("Tab");
  const focus = await page.evaluate<string>(
    "document.activeElement.className + ' ' + getComputedStyle(document.activeElement).outlineStyle",
  );
  assert(focus === "button solid", focus);
  await screen(page, "focus");
});
