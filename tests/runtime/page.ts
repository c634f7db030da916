// The tests behind `deno task page`: the status page in headless Chromium.
import assert from "node:assert/strict";
import { listen } from "../helpers/listen.ts";
import type { FakeTask } from "../helpers/fake_platform.ts";
import { check, screen, textOf, violations, waitForStatus } from "./page_browser.ts";
import { linkTo, PAGES, platform, STATES } from "./page_states.ts";

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
  await waitForStatus(page, "pending");
  await page.waitForSelector("#percent >> text=30%");
  assert(await textOf(page, "#announcement") === "Running: reading", "the progress is announced");
  const bar = await page.evaluate<number>("document.querySelector('progress').value");
  assert(bar === 30, `the bar is at ${bar}`);
  assert((await page.title()).startsWith("30% · Running · "), "the title has the progress");
  const updated = await page.getAttribute("#updated", "datetime");
  await page.waitForSelector("#percent >> text=80%");
  assert((await page.title()).startsWith("80% · "), "the title follows the progress");
  assert(updated !== await page.getAttribute("#updated", "datetime"), "the time of the update");
  await waitForStatus(page, "success");
  assert(await textOf(page, "#announcement") === "Finished", "the end is announced");
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
  await waitForStatus(page, "running");
  const ended = page.waitForResponse((response) => response.headers().refresh === undefined);
  await ended;
  await waitForStatus(page, "success");
  assert(loads() === 4, `loaded ${loads()} times`);
});

check("the clock advances between polls", {}, async (page) => {
  await page.clock.install();
  await page.goto(await linkTo({ status: "running" }));
  const before = await textOf(page, "#clock");
  await page.clock.runFor(5_000);
  const after = await textOf(page, "#clock");
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
    await waitForStatus(page, "running");
    const mend = platform.inject(() => new Response("down", { status: 500 }), Infinity);
    try {
      await page.waitForSelector("#note:not(:empty)");
      assert(
        (await textOf(page, "#note")).startsWith("Deep Intelligence is unavailable"),
        "the note",
      );
      assert(await page.getAttribute("main", "data-icon") === "running", "the last state stays");
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
    assert((await textOf(page, "#note")).startsWith("You are offline"), "the note");
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
  assert(!(await textOf(page, "body")).includes("upstream says"), "the upstream text is hidden");
  await page.clock.runFor(11_000);
  await waitForStatus(page, "running");
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
    const all = await textOf(page, "main");
    assert(all.includes(`<img src=x onerror="seen=1">`), "the name is shown as text");
    assert(!/[\p{Cc}\p{Cf}]/u.test(all), "without control and format characters");
  });
}

for (const [name, link] of Object.entries(PAGES)) {
  check(`the page fits and passes axe-core at every size, light and dark: ${name}`, {
    reducedMotion: "reduce",
    expected: /40[34]|502/,
  }, async (page) => {
    await page.goto(await link());
    for (const width of [320, 768, 1280]) {
      await page.setViewportSize({ width, height: 640 });
      const needed = await page.evaluate<number>("document.documentElement.scrollWidth");
      assert(needed <= width, `${needed} px wide at ${width}`);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await screen(page, `${name}-${width}-${colorScheme}`);
        const found = await violations(page);
        assert(found === "", `${width} px, ${colorScheme}: ${found}`);
      }
    }
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

check("the download link of an exported file downloads it", {}, async (page) => {
  await using files = listen(() =>
    new Response("a zip", {
      headers: { "content-disposition": 'attachment; filename="w-1.zip"' },
    })
  );
  const result = `${files.origin}/w-1.zip?signature=abc`;
  await page.goto(await linkTo({ status: "success", result, result_type: "file" }));
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("a.button")]);
  assert.equal(download.url(), result);
  assert.equal(download.suggestedFilename(), "w-1.zip");
});
