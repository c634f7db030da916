// The content of the status page, by status. `tests/runtime/page.ts` tests it in a browser.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { retryAfterOf, RUNNING, setUp, SUCCESS } from "../helpers/endpoint.ts";
import {
  HTML,
  LINK_SECRET,
  linkWith,
  pageOf,
  readable,
  WITH_LINKS,
} from "../helpers/status_page.ts";

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
