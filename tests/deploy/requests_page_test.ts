/** Runs the code blocks of the page about requests. */
import { assertEquals } from "@std/assert";
import { setUp } from "../helpers/endpoint.ts";
import { BLOCKS } from "../helpers/pages.ts";

Deno.test("requests.md: each body names the same task, with a key and signed", async () => {
  const bodies = BLOCKS.filter(({ page }) => page === ".github/docs/requests.md");
  assertEquals(bodies.map(({ language }) => language), new Array(5).fill("json"));
  for (const { code } of bodies) {
    const { platform, bearer, webhook } = setUp();
    platform.add({ id: "t-1", organization: "o-1", workspace: "w-1", status: "running" });
    const responses = [await bearer(code), await webhook(code)];
    assertEquals(responses.map(({ status }) => status), [202, 503], code);
  }
});
