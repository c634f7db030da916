// The runner behind `deno task page`: what a person sees at a link, in headless Chromium, with the real
// endpoint in front of the stand-in, over HTTP on loopback. Leaves screenshots in dist/screens/.
// deno-lint-ignore-file no-console
import { createRequire } from "node:module";
import { createApp, readConfig } from "../../functions/app.ts";
import { createLinkSigner } from "../../functions/auth/link_token.ts";
import { root } from "../helpers/run_deno.ts";
import { listen } from "../helpers/listen.ts";
import { closingLine } from "../tools/test_runner.ts";
import { createFakePlatform, type FakeTask } from "../helpers/fake_platform.ts";
import type { Axe, Browser, ContextOptions, Page, Playwright } from "./browser.ts";
import { findChromium, install, output, path } from "./packages.ts";

const SECRET = `whsec_${btoa("a secret of the page, 32 bytes..")}`;
const SCREENS = new URL("dist/screens/", root);
/** Milliseconds for one check. */
const DEADLINE = 40_000;

/** Words that would not break by themselves, are code, or turn the line around. */
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
const tally = { passed: 0, failed: 0 };

/** A path that leads to a new task, for so many ms at most. */
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

function assert(holds: boolean, claim: string): void {
  if (!holds) throw new Error(claim);
}

/** The network beyond loopback is cut off by having no names. */
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

async function run(browser: Browser, origin: string): Promise<void> {
  const axe = await Deno.readTextFile(path("node_modules/axe-core/axe.min.js"));

  /** Opens a page, and fails when anything in it does: an error, or what the policy had to stop. */
  async function check(
    claim: string,
    options: ContextOptions,
    body: (page: Page, loads: () => number) => Promise<void>,
    expected = /^$/,
  ): Promise<void> {
    const context = await browser.newContext({ baseURL: origin, ...options });
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const page = await context.newPage();
      page.setDefaultTimeout(DEADLINE);
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
        timer = setTimeout(() => reject(new Error("it took too long")), DEADLINE);
      });
      await Promise.race([body(page, () => loads), late]);
      assert(wrong.length === 0, `the console says ${wrong.join("; ")}`);
      tally.passed++;
      console.log(`ok      ${claim}`);
    } catch (error) {
      tally.failed++;
      console.log(`FAILED  ${claim}: ${error instanceof Error ? error.message : error}`);
    } finally {
      clearTimeout(timer);
      await context.close();
    }
  }

  const look = (page: Page, wanted: string) => page.waitForSelector(`main[data-look=${wanted}]`);
  const text = async (page: Page, selector: string) =>
    (await page.textContent(selector) ?? "").replaceAll(/\s+/g, " ").trim();

  /** What axe-core has against a page. It comes in by the debugger: no policy is loosened for it. */
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

  await check("a task goes from pending to success before one's eyes, in one load", {}, async (
    page,
    loads,
  ) => {
    await page.goto(await linkTo(journey));
    await look(page, "pending");
    await page.waitForSelector("#percent >> text=30 %");
    assert(await text(page, "#say") === "Running: reading", "a screen reader is told");
    const bar = await page.evaluate<number>("document.querySelector('progress').value");
    assert(bar === 30, `the bar is at ${bar}`);
    await page.waitForSelector("#percent >> text=80 %");
    await look(page, "success");
    assert(await text(page, "#say") === "Finished", "a screen reader is told of the end");
    assert((await page.title()).startsWith("Finished · "), "the title is brought up to date");
    const footer = "getComputedStyle(document.querySelector('footer')).display";
    assert(await page.evaluate(footer) === "none", "it does not say that it goes on");
    const href = await page.getAttribute("a.button", "href");
    assert(href?.endsWith("ws=workspace-1&s=model&i=m-1") ?? false, `the button leads to ${href}`);
    assert(loads() === 1, `the header did not load the page anew, but ${loads()} times`);
  });

  await check("the same without scripts, by the header alone, until it ends", {
    javaScriptEnabled: false,
  }, async (page, loads) => {
    const answer = await page.goto(await linkTo(journey));
    assert(Number(answer?.headers().refresh) >= 2, "there is a Refresh header");
    await look(page, "running");
    const ended = page.waitForResponse((response) => response.headers().refresh === undefined);
    await ended;
    await look(page, "success");
    assert(loads() === 4, `it was loaded ${loads()} times`);
  });

  await check("the clock goes on between two polls", {}, async (page) => {
    await page.clock.install();
    await page.goto(await linkTo({ status: "running" }));
    const before = await text(page, "#clock");
    await page.clock.runFor(5_000);
    const after = await text(page, "#clock");
    assert(/^1 min 3\d s$/.test(before) && after !== before, `from ${before} to ${after}`);
  });

  await check("nothing is asked while nobody looks, and at once when somebody does", {}, async (
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
    assert(platform.count() === before, "it polled");
    const poll = page.waitForResponse((response) => response.url().endsWith(link));
    await switchTo(false);
    await page.clock.runFor(1_000);
    assert((await poll).status() === 200, "it polls again");
  });

  await check(
    "when Deep Intelligence is away, the page keeps what it knows and says so",
    {},
    async (
      page,
    ) => {
      await page.goto(await linkTo({ ...journey, steps: [{ status: "running" }] }));
      await look(page, "running");
      const mend = platform.inject(() => new Response("down", { status: 500 }), Infinity);
      await page.waitForSelector("#note:not(:empty)");
      assert((await text(page, "#note")).startsWith("Deep Intelligence cannot"), "it says so");
      assert(await page.getAttribute("main", "data-look") === "running", "it keeps what it knows");
      await screen(page, "away");
      assert(await violations(page) === "", await violations(page));
      mend();
      await page.waitForSelector("#note:empty", { state: "attached" });
    },
    /502 \(Bad Gateway\)/,
  );

  await check("when there is no network, the page says so and comes back", {}, async (page) => {
    await page.goto(await linkTo({ ...journey, steps: [{ status: "running" }] }));
    await page.context().setOffline(true);
    await page.waitForSelector("#note:not(:empty)");
    assert((await text(page, "#note")).startsWith("There is no connection"), "it says so");
    await page.context().setOffline(false);
    await page.waitForSelector("#note:empty", { state: "attached" });
  }, /ERR_INTERNET_DISCONNECTED/);

  await check("a page that began as an error becomes the task's", {}, async (page, loads) => {
    const link = await linkTo({ status: "running", progress: 5 });
    platform.inject(() => new Response("upstream says <b>no</b>", { status: 500 }));
    await page.clock.install();
    const answer = await page.goto(link);
    assert(answer?.status() === 502, `it is ${answer?.status()}`);
    assert(!(await text(page, "body")).includes("upstream says"), "nothing of upstream shows");
    await page.clock.runFor(11_000);
    await look(page, "running");
    assert(loads() === 1, "in one load");
  }, /502 \(Bad Gateway\)/);

  await check("a link that expires while one looks ends the page", {}, async (page) => {
    const task = { status: "running", created: new Date().toISOString() };
    const answer = await page.goto(await linkTo(task, 5_000));
    assert(answer?.status() === 200, `it was ${answer?.status()}`);
    await page.waitForSelector("h1 >> text=This link is not valid");
    assert(await page.getAttribute("main", "data-refresh") === "", "it asks no more");
  }, /404 \(Not Found\)/);

  for (const [name, task] of Object.entries(STATES).filter(([name]) => /^hostile/.test(name))) {
    await check(`hostile texts stay texts: ${name}`, {}, async (page) => {
      await page.goto(await linkTo(task));
      assert(await page.evaluate("self.seen") === undefined, "some of it ran");
      const found = await page.evaluate<number>(
        "document.querySelectorAll('img, iframe, b b, main script, main style, svg[onload], [onmouseover], [href^=java]').length",
      );
      assert(found === 0, `${found} elements of somebody else`);
      const all = await text(page, "main");
      assert(all.includes(`<img src=x onerror="seen=1">`), "the name is shown as it is");
      assert(!/[\p{Cc}\p{Cf}]/u.test(all), "without what turns lines around");
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
    await check(`axe-core has nothing against it, light and dark, and it fits 320 px: ${name}`, {
      viewport: { width: 900, height: 640 },
      reducedMotion: "reduce",
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
      assert(width <= 320, `it is ${width} wide`);
    }, /40[34]|502/);
  }

  await check("the keyboard reaches the result, and shows where it is", {}, async (page) => {
    await page.goto(await linkTo(STATES.success ?? {}));
    await page.keyboard.press("Tab");
    const focus = await page.evaluate<string>(
      "document.activeElement.className + ' ' + getComputedStyle(document.activeElement).outlineStyle",
    );
    assert(focus === "button solid", focus);
    await screen(page, "focus");
  });
}

try {
  await install();
  await Deno.mkdir(SCREENS, { recursive: true });
  await using server = listen((request) => app.fetch(request));
  const browser = await launch();
  try {
    console.log(`Chromium ${browser.version()}`);
    await run(browser, server.origin);
  } finally {
    await browser.close();
  }
} catch (error) {
  tally.failed++;
  console.log(error instanceof Error ? error.message : error);
}
console.log(closingLine(tally));
Deno.exit(tally.failed === 0 ? 0 : 1);
