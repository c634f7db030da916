import { assert, assertEquals } from "@std/assert";
import { createApp, readConfig } from "../functions/app.ts";
import { PROBLEMS } from "../functions/problem.ts";
import { openapi } from "./openapi.ts";

const served = new URL("../functions/openapi.json", import.meta.url);

Deno.test("functions/openapi.json is what `deno task openapi` generates", async () => {
  assertEquals(await Deno.readTextFile(served), openapi);
});

Deno.test("every reference in the document leads somewhere", () => {
  const document = JSON.parse(openapi);
  const references = [...openapi.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = ""]) => path);
  assert(references.length > 30);
  for (const path of references) {
    const found = path.split("/").reduce((at, key) => at?.[key], document);
    assert(found !== undefined, path);
  }
});

Deno.test("every status of a problem is an answer of some route", () => {
  const { paths } = JSON.parse(openapi) as {
    paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
  };
  const methods = Object.values(paths).flatMap((path) => Object.values(path));
  const documented = new Set(methods.flatMap(({ responses }) => Object.keys(responses)));
  for (const { status } of Object.values(PROBLEMS)) {
    assert(documented.has(String(status)), `${status}`);
  }
});

Deno.test("the served document names the base path as its server", async () => {
  const app = createApp(readConfig({
    DEEPINT_TOKEN: "a-token",
    RESOLVE_API_KEYS: "a-key-of-16-characters-or-more",
    RESOLVE_BASE_PATH: "/resolve-task",
  }));
  const answer = await app.request("/resolve-task/openapi.json");
  const { servers, ...rest } = await answer.json();
  assertEquals(servers, [{ url: "/resolve-task" }]);
  assertEquals(rest, JSON.parse(openapi));
});
