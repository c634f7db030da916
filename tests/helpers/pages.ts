/** The README and the pages under .github/, and their code blocks. */
import { root } from "./run_deno.ts";

/** A code block of a page. */
export interface Block {
  /** Path of the page in the project. */
  page: string;
  /** Heading of the section, of the second level. */
  section: string;
  language: string;
  code: string;
}

/** The text of each page, by its path in the project. */
export const PAGES: ReadonlyMap<string, string> = new Map(
  ["README.md", ...markdown(".github/"), ...markdown(".github/docs/")]
    .map((name) => [name, Deno.readTextFileSync(new URL(name, root))]),
);

/** All code blocks. */
export const BLOCKS: readonly Block[] = [...PAGES].flatMap(([page, text]) =>
  text.split(/^## /m).flatMap((part) => {
    const [section = ""] = part.split("\n");
    return [...part.matchAll(/^```(\w*)\n([^]*?)^```$/gm)]
      .map(([, language = "", code = ""]) => ({ page, section, language, code }));
  })
);

/** Returns the pages in a folder, in order of their names. */
function markdown(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, root))]
    .filter(({ name }) => name.endsWith(".md")).map(({ name }) => folder + name).sort();
}

/** Returns the text of a page. */
export function pageText(page: string): string {
  const text = PAGES.get(page);
  if (text === undefined) throw new Error(`there is no page ${page}`);
  return text;
}

/** Returns the only block of a page that matches. */
export function blockOf(page: string, language: string, pattern = /^/): string {
  const [block, ...others] = BLOCKS.filter((block) =>
    block.page === page && block.language === language && pattern.test(block.code)
  );
  if (!block || others.length > 0) {
    throw new Error(`${others.length + (block ? 1 : 0)} blocks of ${page} match ${pattern}`);
  }
  return block.code;
}

/** Replaces `deno` at the start of a command and after a pipe with this Deno. */
export function withThisDeno(script: string): string {
  return script.replaceAll(/(^|\| )deno /gm, `$1"${Deno.execPath()}" `);
}
