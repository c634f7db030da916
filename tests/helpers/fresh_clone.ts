/** A fresh clone of the project, and scripts that run in it. */
import { start } from "./process.ts";
import { root } from "./run_deno.ts";
import { assertEquals } from "@std/assert";

/** Time for one script: some bundle, some check types. */
const TIMEOUT_MS = 120_000;

/** A fresh clone. It is removed when disposed of. */
export interface FreshClone extends AsyncDisposable {
  readonly folder: string;
  /** Returns a script that runs another one in the clone, outside the coverage of the tests. */
  inside(script: string): string;
  /** Runs a script in the clone. Returns its standard output. */
  shell(script: string, settings?: Record<string, string>): Promise<string>;
  /** Fails if a file of the clone has changed, or a file has been added that git does not ignore. */
  assertClean(): Promise<void>;
}

/** Copies the files of the project, with uncommitted changes, to a repository of its own. */
export async function freshClone(): Promise<FreshClone> {
  const folder = await Deno.makeTempDir({ prefix: "clone-" });
  await shell(`cd "${decodeURIComponent(root.pathname)}"
    git ls-files -z --cached --others --exclude-standard |
      while IFS= read -r -d '' file; do if [ -f "$file" ]; then printf '%s\\0' "$file"; fi; done |
      tar --null --files-from=- --create | tar --extract --directory="${folder}"
    cd "${folder}"
    git init -q && git add --all
    git -c user.name=test -c user.email=test@example.com commit -q -m "Copy the project"`);
  const inside = (script: string) => `unset DENO_COVERAGE_DIR; cd "${folder}"\n${script}`;
  return {
    folder,
    inside,
    shell: (script, settings) => shell(inside(script), settings),
    async assertClean() {
      assertEquals(await shell(inside("git status --porcelain")), "");
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** Runs a script in bash. Returns its standard output. */
export async function shell(
  script: string,
  settings: Record<string, string> = {},
): Promise<string> {
  await using child = start("bash", ["-euo", "pipefail", "-c", script], settings, "", TIMEOUT_MS);
  const { code } = await child.status;
  assertEquals(code, 0, script + child.output.stdout + child.output.stderr);
  return child.output.stdout;
}
