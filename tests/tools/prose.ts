// The language check behind `deno task ok prose`. It counts what it reads, so that a wrong path fails
// instead of passing with nothing to check.
// deno-lint-ignore-file no-console
import { root } from "../helpers/run_deno.ts";

const OPENER = /^(what|how|whether|who|whom|whose|where|when)\b/i;
const IS_NO = /\b(?:is|are|was|were) no (?!longer\b)/g;
const DOCSTRING = /\/\*\*(.*?)\*\//gs;
const HEADING = /^#{1,6} +(.+)$/gm;
const TEST_NAME = /\b(?:Deno\.test(?:\.\w+)?|\.step)\(\s*(["`])(.*?)(?<!\\)\1/gs;
const MESSAGE = /\bnew \w*(?:Error|Problem)\(\s*(["`])(.*?)(?<!\\)\1/gs;
const CODE_BLOCK = /```.*?```/gs;

/** Largest share of the tests' docstrings that may open with a question word. */
const MAX_TEST_OPENERS = 0.03;

/** Numbers of texts in {@linkcode Prose}, by kind. */
export interface Counts {
  docstrings: number;
  testDocstrings: number;
  headings: number;
  testNames: number;
  messages: number;
}

/** About 90 % of the texts in the project. */
const MINIMUM: Counts = {
  docstrings: 890,
  testDocstrings: 650,
  headings: 72,
  testNames: 830,
  messages: 67,
};

/** Result of {@linkcode readProse}. */
export interface Prose {
  counts: Counts;
  /** Each as `file:line: text`. */
  findings: string[];
}

/** Reads the texts of a project and finds those that break the rules of the language guide. */
export async function readProse(project: URL): Promise<Prose> {
  const counts = { docstrings: 0, testDocstrings: 0, headings: 0, testNames: 0, messages: 0 };
  const findings: string[] = [];
  const testOpeners: string[] = [];

  for await (const { file, source } of sources(project)) {
    const at = (index: number, text: string) =>
      `${file}:${source.slice(0, index).split("\n").length}: ${text.split("\n")[0]}`;
    const checkIsNo = (text: string, start: number) => {
      for (const { index } of blank(text, CODE_BLOCK).matchAll(IS_NO)) {
        const [before, after] = [text.slice(0, index), text.slice(index)];
        const line = `${before.split("\n").at(-1)}${after.split("\n")[0]}`;
        findings.push(at(start + index, line.trim()));
      }
    };
    const check = (pattern: RegExp, count: keyof Counts, openers = findings) => {
      const searched = file.endsWith(".md") ? blank(source, CODE_BLOCK) : source;
      for (const match of searched.matchAll(pattern)) {
        counts[count]++;
        const text = (match.at(-1) ?? "").replace(/^\s*\*? ?/gm, "").trim();
        if (OPENER.test(text)) openers.push(at(match.index, text));
        if (!file.endsWith(".md")) checkIsNo(match[0], match.index);
      }
    };

    if (file.endsWith(".md")) {
      check(HEADING, "headings");
      checkIsNo(source, 0);
    } else if (file.startsWith("tests/")) {
      check(DOCSTRING, "testDocstrings", testOpeners);
      check(TEST_NAME, "testNames");
    } else {
      check(DOCSTRING, "docstrings");
      check(MESSAGE, "messages");
    }
  }
  if (testOpeners.length > MAX_TEST_OPENERS * counts.testDocstrings) findings.push(...testOpeners);
  return { counts, findings };
}

/** Replaces each match with spaces, so that the other texts keep their positions. */
function blank(text: string, pattern: RegExp): string {
  return text.replace(pattern, (match) => match.replace(/[^\n]/g, " "));
}

/** Yields the project's modules and pages, with paths relative to the project. */
async function* sources(project: URL): AsyncGenerator<{ file: string; source: string }> {
  const folders = ["", ".github/", "src/", "functions/", "tests/"];
  for (const folder of folders) {
    // the top folder without its subfolders, some of which (dist/) are not the project's
    for await (const file of files(new URL(folder, project), folder.length > 0)) {
      const path = file.href.slice(project.href.length);
      // the check's own test holds the texts that it looks for
      if (path === "tests/tools/prose_test.ts") continue;
      yield { file: path, source: await Deno.readTextFile(file) };
    }
  }
}

async function* files(folder: URL, deep: boolean): AsyncGenerator<URL> {
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(folder));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  for (const { name, isDirectory } of entries) {
    if (isDirectory && deep) yield* files(new URL(`${name}/`, folder), deep);
    else if (/\.(ts|md)$/.test(name)) yield new URL(name, folder);
  }
}

/** Prints the findings and returns `true` if there are none and enough was read. */
export function reportProse({ counts, findings }: Prose, minimum = MINIMUM): boolean {
  const kinds = Object.keys(minimum) as (keyof Counts)[];
  const short = kinds.filter((kind) => counts[kind] < minimum[kind]);
  for (const finding of findings) console.log(finding);
  for (const kind of short) console.log(`expected at least ${minimum[kind]} ${kind}`);
  const read = Object.entries(counts).map(([kind, count]) => `${count} ${kind}`).join(", ");
  console.log(`${read}: ${findings.length} findings`);
  return findings.length === 0 && short.length === 0;
}

if (import.meta.main) Deno.exit(reportProse(await readProse(root)) ? 0 : 1);
