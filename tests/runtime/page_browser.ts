/** Headless Chromium for the tests of the status page. Screenshots go to dist/screens/. */
// deno-lint-ignore-file no-console
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { root } from "../helpers/run_deno.ts";
import { listen } from "../helpers/listen.ts";
import type { Axe, Browser, ContextOptions, Page, Playwright } from "./browser.ts";
import { findChromium, install, output, path } from "./packages.ts";
import { app } from "./page_states.ts";

const SCREENS = new URL("dist/screens/", root);
/** Time for one test. */
const TIMEOUT_MS = 40_000;

/** Starts Chromium with access to loopback only: no other host name resolves. */
export async function launch(): Promise<Browser> {
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
export interface CheckOptions extends ContextOptions {
  /** Console messages that are part of the test. */
  expected?: RegExp;
}

/** Tests a page. Fails also on an uncaught error, a console message or a violation of the policy. */
export function check(
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

/** Waits until the page shows a status. */
export async function waitForStatus(page: Page, wanted: string): Promise<void> {
  await page.waitForSelector(`main[data-icon=${wanted}]`);
}

/** Returns the text of an element, with single spaces. */
export async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.textContent(selector) ?? "").replaceAll(/\s+/g, " ").trim();
}

/** Returns the accessibility problems that axe-core finds. The debugger loads it, past the policy. */
export async function violations(page: Page): Promise<string> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate<Axe>("axe.run()");
  return violations.map(({ id, nodes }) => `${id} (${nodes.map(({ html }) => html)})`).join("; ");
}

/** Saves a screenshot of the whole page. */
export async function screen(page: Page, name: string): Promise<void> {
  const file = new URL(`${name}.png`, SCREENS);
  await page.screenshot({ path: decodeURIComponent(file.pathname), fullPage: true });
}
