/**
 * Second part of `deno task docs`: corrects the pages of `deno doc`. They name the modules "." and "endpoint";
 * users import them as `@deepint/task` and `@deepint/task/endpoint`.
 */
import config from "../../deno.json" with { type: "json" };
import { root } from "../helpers/run_deno.ts";

const DOCS = new URL("dist/docs/", root);
/** Exports with a reference. The command line is a program. */
const EXPORTS = Object.entries(config.exports).filter(([name]) => name !== "./cli");

/** Returns the import specifier of an export: `./endpoint` becomes `@deepint/task/endpoint`. */
function specifier(name: string): string {
  return config.name + name.slice(1);
}

/** Corrects the import specifiers and the navigation of a page. */
function correct(page: string, path: string): string {
  let text = page.replaceAll(
    /from &quot;(\.|\w+)&quot;/g,
    (statement, name) => {
      const found = EXPORTS.find(([key]) => key === name || key === `./${name}`);
      return found ? `from &quot;${specifier(found[0])}&quot;` : statement;
    },
  );
  // the list of symbols has those of every module
  if (/^\w+\/index\.html$/.test(path)) {
    text = text.replace(/<nav class="topSymbols">.*?<\/nav>/s, "");
  }
  if (path === "index.html") text = text.replace('<nav class="topSymbols">', `${modules()}$&`);
  return text;
}

/** Renders the links to the other modules, which `deno doc` leaves out. */
function modules(): string {
  const links = EXPORTS.filter(([name]) => name !== ".").map(([name]) =>
    `<li><a href="${name}/index.html">${specifier(name)}</a></li>`
  );
  return `<nav class="topSymbols"><h3>Modules</h3><ul>${links.join("")}</ul></nav>`;
}

async function* pages(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* pages(new URL(`${name}/`, folder));
    else if (name.endsWith(".html")) yield new URL(name, folder);
  }
}

for await (const file of pages(DOCS)) {
  const page = await Deno.readTextFile(file);
  const path = file.href.slice(DOCS.href.length);
  await Deno.writeTextFile(file, correct(page, path));
}
// deno-lint-ignore no-console -- the output of the task
console.log("The API reference is in dist/docs/index.html");
