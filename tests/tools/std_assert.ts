// Decides where the tests' `@std/assert` comes from: JSR, or a replacement when JSR is unreachable.
import { deno } from "../helpers/run_deno.ts";
import config from "../../deno.json" with { type: "json" };

const STAND_IN = "tests/helpers/assert.ts";
const LOCK = "dist/deno.lock";
const IMPORT_MAP = "dist/import_map.json";
const PROBE_TIMEOUT_MS = 15_000;

/** Source of `@std/assert` in this run. */
export interface StdAssert {
  /** The specifier or the file, for people to read. */
  source: string;
  /** Arguments for every `deno` command that loads tests; they also freeze the npm packages. */
  args: string[];
}

/**
 * Probes JSR, and writes the lock file and the import map that follow from its answer.
 *
 * The commands are frozen to a copy of deno.lock, to which only the probe may add (JSR's entries):
 * the committed file, which needs no JSR, pins every npm package.
 */
export async function stdAssert(): Promise<StdAssert> {
  const specifier = config.imports["@std/assert"];
  const args = [`--lock=${LOCK}`, "--frozen"];
  const options = { quiet: true, timeout: PROBE_TIMEOUT_MS };

  await Deno.mkdir("dist", { recursive: true });
  const reached = await replace(LOCK, async (draft) => {
    await Deno.copyFile("deno.lock", draft);
    const { code } = await deno(["cache", `--lock=${draft}`, specifier], options);
    if (code !== 0) await Deno.copyFile("deno.lock", draft);
    return code === 0;
  });
  if (reached) return { source: specifier, args };

  const imports: Record<string, string> = {};
  for (const [name, target] of Object.entries(config.imports)) {
    imports[name] = target;
    // deno.json implies the subpaths of a package ("hono/tiny"); an import map does not
    imports[`${name}/`] = `${target.replace(":", ":/")}/`;
  }
  imports["@std/assert"] = `../${STAND_IN}`;
  await replace(IMPORT_MAP, (draft) => Deno.writeTextFile(draft, JSON.stringify({ imports })));
  return { source: STAND_IN, args: [...args, `--import-map=${IMPORT_MAP}`] };
}

/** Writes a file under another name first: another run of the tests may be reading it. */
async function replace<T>(path: string, write: (draft: string) => Promise<T>): Promise<T> {
  const draft = `${path}.${Deno.pid}`;
  const result = await write(draft);
  await Deno.rename(draft, path);
  return result;
}
