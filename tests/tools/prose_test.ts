import { assert, assertEquals } from "@std/assert";
import { pathToFileURL } from "node:url";
import { readProse, reportProse } from "./prose.ts";

const NONE = { docstrings: 0, testDocstrings: 0, headings: 0, testNames: 0, messages: 0 };

/** Reads a project that has only these files. */
async function read(files: Record<string, string>) {
  const folder = await Deno.makeTempDir();
  try {
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(`${folder}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${folder}/${path}`, text);
    }
    return await readProse(pathToFileURL(`${folder}/`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const cases: Record<string, { files: Record<string, string>; finding: string }> = {
  "a docstring that opens with a question word": {
    files: { "mod.ts": "\n/** What a task is. */" },
    finding: "mod.ts:2: What a task is.",
  },
  "an 'is no' in a docstring": {
    files: { "src/task.ts": "/** A task that is no longer open, if it is no model. */" },
    finding: "src/task.ts:1: /** A task that is no longer open, if it is no model. */",
  },
  "a heading that opens with a question word": {
    files: { ".github/SECURITY.md": "# Who may call" },
    finding: ".github/SECURITY.md:1: Who may call",
  },
  "an 'is no' in a page": {
    files: { "README.md": "```ts\n// is no code\n```\n\nThere is no page." },
    finding: "README.md:5: There is no page.",
  },
  "a test name that opens with a question word": {
    files: { "tests/a_test.ts": "Deno.test(`what ${a} says`, () => {});" },
    finding: "tests/a_test.ts:1: what ${a} says",
  },
  "an 'is no' in an error message": {
    files: { "functions/app.ts": `throw new RangeError("it is no number");` },
    finding: `functions/app.ts:1: new RangeError("it is no number"`,
  },
  "an opener in more than 3 % of the tests' docstrings": {
    files: { "tests/a.ts": "/** How it ends. */\n" + "/** An end. */\n".repeat(30) },
    finding: "tests/a.ts:1: How it ends.",
  },
};

for (const [name, { files, finding }] of Object.entries(cases)) {
  Deno.test(`prose finds ${name}`, async () => {
    const prose = await read(files);
    assertEquals(prose.findings, [finding]);
    assert(!reportProse(prose, NONE));
  });
}

Deno.test("prose accepts texts without the two habits", async () => {
  const prose = await read({
    "README.md": "# Status page",
    "mod.ts": `/** Options. */ new Error("Cannot read it: it is not a number");`,
    "tests/a.ts": `/** Options. */ Deno.test("a task ends", () => {});`,
  });
  const counts = { docstrings: 1, testDocstrings: 1, headings: 1, testNames: 1, messages: 1 };
  assertEquals(prose, { counts, findings: [] });
  assert(reportProse(prose, NONE));
});

Deno.test("prose fails on an empty tree", async () => {
  const prose = await read({});
  assertEquals(prose, { counts: NONE, findings: [] });
  assert(!reportProse(prose));
});
