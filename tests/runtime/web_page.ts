// The web page of .github/docs/runtimes.md in headless Chromium: the client with a platform of another
// origin, which allows the page or does not. Part of `deno task page`.
import assert from "node:assert/strict";
import { createFakePlatform } from "../helpers/fake_platform.ts";
import { listen } from "../helpers/listen.ts";
import { blockOf } from "../helpers/pages.ts";
import { bundle, endBundling } from "../tools/bundle.ts";
import { install } from "./packages.ts";
import { launch } from "./page_browser.ts";

const CORS = {
  "access-control-allow-origin": "*",
  "access-control-allow-headers": "x-auth-token, x-deepint-organization, user-agent",
};

/** Opens the page and returns the text that it shows. */
async function textOfPage(headers: Record<string, string>): Promise<string> {
  const platform = createFakePlatform({ token: "a-token" });
  platform.add({
    organization: "o-1",
    workspace: "w-1",
    id: "t-1",
    name: "Import",
    status: "success",
  });
  await using upstream = listen(async (request) => {
    if (request.method === "OPTIONS") return new Response(null, { headers });
    const response = await platform.fetch(request);
    return new Response(response.body, { status: response.status, headers });
  });
  const html = blockOf(".github/docs/runtimes.md", "html").replace(
    "app.deepint.net",
    upstream.origin,
  );
  const { code } = await bundle("mod.ts");
  await using site = listen(({ url }) =>
    url.endsWith("/mod.js")
      ? new Response(code, { headers: { "content-type": "text/javascript" } })
      : new Response(html, { headers: { "content-type": "text/html" } })
  );
  const browser = await launch();
  try {
    const page = await (await browser.newContext({ baseURL: site.origin })).newPage();
    await page.goto("/");
    await page.waitForSelector("#task >> text=/t-1/");
    return await page.textContent("#task") ?? "";
  } finally {
    await browser.close();
  }
}

Deno.test.beforeAll(install);
Deno.test.afterAll(endBundling);

Deno.test("a web page shows a task of a platform that allows its origin", async () => {
  assert.equal(await textOfPage(CORS), "Task (t-1) Import: success");
});

Deno.test("the error in a web page names CORS if the platform does not allow its origin", async () => {
  assert.match(await textOfPage({}), /^NETWORK_ERROR: .*CORS/);
});
