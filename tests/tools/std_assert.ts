// Decides where the tests' `@std/assert` comes from: JSR, or tests/helpers/assert.ts where JSR is out of
// reach.
import { deno } from "../helpers/run_deno.ts";
import config from "../../deno.json" with { type: "json" };

const LOCK = "dist/deno.lock";
const IMPORT_MAP = "dist/import_map.json";
const PROBE_TIMEOUT = 15_000;

/** Where `@std/assert` comes from in this run. */
export interface StdAssert {
  /** The specifier or the file, for people to read. */
  source: string;
  /** Arguments for every `deno` command that loads tests; they also freeze the npm packages. */
  args: string[];
}

/**
 * Looks whether JSR answers, and prepares the lock file and the import map that follow from it.
 *
 * The commands get a copy of deno.lock, to which only the probe may add (JSR's own entries), and
 * are frozen to it: so every npm package is pinned by the committed file, which needs no JSR.
 */
export async function stdAssert(): Promise<StdAssert> {
  const specifier = config.imports["@std/assert"];
  const args = [`--lock=${LOCK}`, "--frozen"];

  await Deno.mkdir("dist", { recursive: true });
  await Deno.copyFile("deno.lock", draft(LOCK));
  const probe = await deno(["cache", `--lock=${draft(LOCK)}`, specifier], {
    quiet: true,
    timeout: PROBE_TIMEOUT,
  });
  const reached = probe.code === 0;
  if (!reached) {
    await Deno.copyFile("deno.lock", draft(LOCK));
    const map = JSON.stringify({ imports: standInImports() }, null, 2);
    await Deno.writeTextFile(draft(IMPORT_MAP), map);
    await Deno.rename(draft(IMPORT_MAP), IMPORT_MAP);
  }
  await Deno.rename(draft(LOCK), LOCK);

  if (reached) return { source: specifier, args };
  return { source: "tests/helpers/assert.ts", args: [...args, `--import-map=${IMPORT_MAP}`] };
}

/** A file is written under this name first: another run of the tests may be reading it. */
function draft(path: string): string {
  return `${path}.${Deno.pid}`;
}

/** The imports of deno.json as an import map in dist/ must spell them, with the stand-in. */
function standInImports(): Record<string, string> {
  const imports: Record<string, string> = {};
  for (
    const [name, target] of Object.entries({
      ...config.imports,
      "@std/assert": "./tests/helpers/assert.ts",
    })
  ) {
    imports[name] = target.startsWith(".") ? `../${target}` : target;
    // deno.json implies the subpaths of a package ("hono/tiny"), an import map does not.
    const registry = /^(npm|jsr):\/?/.exec(target);
    if (registry && !name.endsWith("/")) {
      imports[`${name}/`] = `${registry[1]}:/${target.slice(registry[0].length)}/`;
    }
  }
  return imports;
}
