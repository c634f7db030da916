// Content negotiation of the status page, compared with Hono's.
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Hono } from "hono";
import { accepts } from "hono/accepts";
import { prefersJson } from "../../functions/status_page/accept.ts";
import { checkProperty } from "../helpers/property.ts";

Deno.test("JSON is preferred by its quality, then by its place", () => {
  const cases: [accept: string, expected: boolean][] = [
    ["", false],
    ["*/*", false],
    ["application/*", false],
    ["application/json", true],
    ["APPLICATION/JSON; charset=utf-8", true],
    ["application/json, text/plain, */*", true],
    ["application/json, text/html", true],
    ["text/html, application/json", false],
    ["text/html;q=0.5, application/json;q=0.6", true],
    ["application/json;q=0", false],
    ["application/json;q=x", false],
  ];
  for (const [accept, expected] of cases) assertEquals(prefersJson(accept), expected, accept);
});

Deno.test("every well-formed header has the result of Hono's accepts", async (t) => {
  const app = new Hono().get("/", (c) =>
    c.text(accepts(c, {
      header: "Accept",
      supports: ["text/html", "application/json"],
      default: "text/html",
    })));
  const quality = fc.integer({ min: 1, max: 1_000 }).map((n) => `q=${n / 1_000}`);
  const type = fc.constantFrom("text/html", "application/json", "application/xml", "*/*");
  const parameters = fc.subarray(["charset=utf-8", "v=1"]);
  const entry = fc.tuple(type, parameters, fc.option(quality)).map(([type, others, quality]) =>
    [type, ...others, ...quality === null ? [] : [quality]].join("; ")
  );
  const property = fc.asyncProperty(fc.array(entry, { maxLength: 6 }), async (entries) => {
    const accept = entries.join(", ");
    const response = await app.request("/", { headers: { accept } });
    assertEquals(prefersJson(accept), await response.text() === "application/json");
  });
  await checkProperty(t, property, { cases: 2_000 });
});
