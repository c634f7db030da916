/** Checks the pages: links, names, tables, and that a test runs the code blocks of each page. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { readConfig, SETTING_NAMES } from "../../functions/app.ts";
import { WatchWorkflow } from "../../functions/cloudflare.ts";
import { PROBLEMS } from "../../functions/http/problem.ts";
import { Running } from "../../functions/task/response_schema.ts";
import { BINDING } from "../../functions/watches/workflows.ts";
import { blockOf, BLOCKS, PAGES, pageText, withThisDeno } from "../helpers/pages.ts";
import { shell } from "../helpers/fresh_clone.ts";
import { root } from "../helpers/run_deno.ts";

Deno.test("the README has less than 300 lines and links to every page", () => {
  const readme = pageText("README.md");
  assert(readme.split("\n").length < 300, `${readme.split("\n").length} lines`);
  for (const page of PAGES.keys()) {
    if (page !== "README.md") assertStringIncludes(readme, `](${page})`);
  }
});

Deno.test("commands, links, headings and file names in the pages exist", async () => {
  assert(PAGES.size >= 17, `${PAGES.size} pages`);
  let files = 0;
  for (const [page, text] of PAGES) {
    const at = new URL(page, root);
    for (const [, name = ""] of text.matchAll(/deno(?:@2\.9\.6)? task (\w+)/g)) {
      assert(Object.hasOwn(config.tasks, name), `${page}: no task ${name}`);
    }
    const links = [...text.matchAll(/\]\((?!https:)([^)]+)/g)]
      .map(([, to = ""]) => new URL(to.startsWith("#") ? page.replace(/.*\//, "") + to : to, at));
    for (const link of links.filter(({ hash }) => hash)) {
      const target = PAGES.get(link.href.slice(root.href.length).replace(/#.*/, "")) ?? "";
      assert(anchors(target).includes(link.hash), `${page}: no heading ${link.hash}`);
    }
    const named = [...text.matchAll(/`((?:src|tests|functions|\.ci)\/[\w./-]*)`/g)]
      .map(([, to = ""]) => new URL(to, root));
    for (const file of [...links, ...named]) {
      file.hash = "";
      await Deno.stat(file).catch(() => Promise.reject(new Error(`${page}: no ${file}`)));
      files++;
    }
  }
  assert(files > 60, `${files} files`);
});

/** Returns the anchors of the headings of a page, as GitHub makes them. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    `#${heading.toLowerCase().replace(/[^\p{L}\p{N} -]/gu, "").replaceAll(" ", "-")}`
  );
}

Deno.test("a test names each page that has code blocks", async () => {
  const tests = (await texts(new URL("tests/", root))).join("\n");
  const unnamed = new Set(
    BLOCKS.filter(({ language }) => language !== "text").map(({ page }) => page),
  );
  for (const page of unnamed) if (tests.includes(page.replace(/.*\//, ""))) unnamed.delete(page);
  assertEquals([...unnamed], []);
});

/** Reads the modules in a folder. */
async function texts(folder: URL): Promise<string[]> {
  const found = await Array.fromAsync(Deno.readDir(folder), ({ name, isDirectory }) => {
    if (name === "node_modules") return [];
    if (isDirectory) return texts(new URL(`${name}/`, folder));
    return name.endsWith(".ts") ? [Deno.readTextFile(new URL(name, folder))] : [];
  });
  return (await Promise.all(found.flat())).flat();
}

Deno.test("the README names the package as it is published", () => {
  const install = blockOf("README.md", "text", /npm install/);
  assertEquals(install, `npm install ${config.name}\ndeno add jsr:${config.name}\n`);
});

Deno.test("deno task docs builds a page for every export, with its import specifier", async () => {
  await shell(`"${Deno.execPath()}" task docs`);
  for (const [key, file] of Object.entries(config.exports)) {
    if (key === "./cli") continue; // a program
    const folder = key === "." ? "" : `${key.slice(2)}/`;
    const names = Object.keys(await import(new URL(file, root).href));
    for (const name of names) {
      const page = await Deno.readTextFile(new URL(`dist/docs/${folder}~/${name}.html`, root));
      const usage = `import { ${name} } from &quot;${config.name}${key.slice(1)}&quot;;`;
      assertStringIncludes(page.replace("import { type ", "import { "), usage);
    }
    const index = await Deno.readTextFile(new URL(`dist/docs/${folder}index.html`, root));
    if (key !== ".") assert(!index.includes("Credentials.html"), "only the symbols of the module");
  }
});

Deno.test("the endpoint accepts a key and a secret that are generated as the pages say", async () => {
  const commands = [...PAGES.values()].flatMap((page) =>
    [...page.matchAll(/key\s+with\s+`(openssl [^`]+)`\s+and\s+a\s+secret\s+with\s+`([^`]+)`/g)]
      .map(([, key = "", secret = ""]) => [key, secret])
  );
  assertEquals(commands.length, 2);
  assertEquals(commands[0], commands[1]);
  const [[key = "", secret = ""] = []] = commands;
  const RESOLVE_API_KEYS = (await shell(key)).trim();
  const RESOLVE_LINK_SECRETS = (await shell(secret)).trim();
  assertEquals([RESOLVE_API_KEYS.length, RESOLVE_LINK_SECRETS.length], [64, 50]);
  readConfig({ DEEPINT_TOKEN: "a-token", RESOLVE_API_KEYS, RESOLVE_LINK_SECRETS }); // throws if it refuses one
});

Deno.test("settings.md and problems.md have every setting and every problem", () => {
  const rows = (name: string) =>
    [...pageText(`.github/docs/${name}.md`).matchAll(/^\| `([^`]+)` +\| ([^|]+)/gm)]
      .map(([, name, rest = ""]) => ({ name, rest: rest.trim() }));
  assertEquals(rows("settings").map(({ name }) => name).toSorted(), SETTING_NAMES.toSorted());
  assertEquals(
    rows("problems").map(({ name, rest }) => [name, Number(rest)]),
    Object.entries(PROBLEMS).map(([name, { status }]) => [name, status]),
  );
});

Deno.test("watches.md: the Worker exports the Workflow of wrangler's settings", () => {
  const text = blockOf(".github/docs/watches.md", "jsonc");
  const { workflows } = JSON.parse(text.replace(/^\/\/.*$/m, ""));
  const [{ binding, class_name }] = workflows;
  assertEquals([binding, class_name], [BINDING, WatchWorkflow.name]);
});

Deno.test("status_page.md: the response has the members of a 202", () => {
  const response = JSON.parse(blockOf(".github/docs/status_page.md", "json"));
  assertEquals(Object.keys(response).toSorted(), Object.keys(Running.entries).toSorted());
});

Deno.test("CONTRIBUTING.md: the command for one test file works", async () => {
  const script = withThisDeno(blockOf(".github/CONTRIBUTING.md", "sh", /test_runner/));
  const output = await shell(`cd "${decodeURIComponent(root.pathname)}"\n${script}`);
  assertStringIncludes(output, " passed, 0 failed");
});

Deno.test("CONTRIBUTING.md: every module in its layout and call paths exists", async () => {
  const modules = BLOCKS
    .filter(({ page, language }) => page.endsWith("CONTRIBUTING.md") && language === "text")
    .flatMap(({ code }) => code.match(/[\w/]+\.ts\b/g) ?? []);
  assert(modules.length >= 14, `${modules.length} modules`);
  const folders = ["", "functions/", "src/"];
  for (const name of modules) {
    const found = await Promise.all(
      folders.map((folder) =>
        Deno.stat(new URL(folder + name, root)).then(() => true, () => false)
      ),
    );
    assert(found.includes(true), `no ${name}`);
  }
});
