// The gate behind `deno task sizes`: what the client and the Worker weigh, module by module, and
// that nothing is in them that has no place there.
// deno-lint-ignore-file no-console
import { gzipSync } from "node:zlib";
import { type Bundle, bundle, endBundling } from "./build.ts";
import { root } from "../helpers/run_deno.ts";
import { closingLine } from "./test_runner.ts";

const HOME = /^(mod\.ts|tests\/tools\/client_without_resolve_all\.ts|src\/(?!cli[./]).+)$/;
/** What a bundler leaves where `resolveAll` is not used: it weighs a kilobyte by itself. */
const CLIENT = { entry: "tests/tools/client_without_resolve_all.ts", budget: 9 * 1024, home: HOME };
/** All of it, as it comes by URL. See .github/docs/runtimes.md, "Sizes". */
const WHOLE = { entry: "mod.ts", budget: 10.5 * 1024, home: HOME };
/**
 * Of the Worker, what starts: the page and the API's document are chunks that few requests load. What
 * keeps watches is one too, but would take with it what it shares, and is weighed by itself.
 */
const WORKER = {
  entry: "functions/cloudflare.ts",
  budget: 28 * 1024,
  home: /^(mod\.ts|src\/(?!cli[./]).+|functions\/.+|npm:(hono|valibot)@[^/]+\/.+)$/,
  without: /^functions\/watches\/(workflows|open)\.ts$/,
};

interface Weighed {
  entry: string;
  budget: number;
  home: RegExp;
  without?: RegExp;
}

/** What must not be used as a global. */
const NODE_GLOBALS = ["process", "Buffer", "require", "module", "__dirname", "setImmediate"];
/** The one module that may look for `process`: by feature detection on `globalThis`. */
const DETECTS = "src/credentials.ts";

const tally = { passed: 0, failed: 0 };

function check(holds: boolean, claim: string, detail = ""): void {
  tally[holds ? "passed" : "failed"]++;
  console.log(`${holds ? "ok    " : "FAILED"}  ${claim}${holds || !detail ? "" : `: ${detail}`}`);
}

async function weigh({ entry, budget, home, without }: Weighed): Promise<void> {
  const made = await bundle(entry, { splitting: true, without });
  const { outputs } = made.metafile;
  const first = Object.keys(outputs).find((name) => outputs[name]?.entryPoint === entry);
  if (first === undefined) throw new Error(`Cannot weigh ${entry}: no output`);
  const eager = new Set([first]);
  for (const name of eager) {
    for (const { kind, path } of outputs[name]?.imports ?? []) {
      if (kind === "import-statement" && path in outputs) eager.add(path);
    }
  }
  const size = weighChunks(entry, made, [...eager]);
  for (const name of Object.keys(outputs)) {
    if (!eager.has(name)) weighChunks("loaded when it is asked for", made, [name]);
  }

  check(size <= budget, `${entry} weighs ${bytes(size)} of ${bytes(budget)} with gzip`);
  const strangers = Object.keys(made.metafile.inputs).filter((path) => !home.test(path));
  check(strangers.length === 0, `${entry} bundles nothing but its own`, strangers.join(", "));
  const outside = Object.values(outputs).flatMap(({ imports }) =>
    imports.filter(({ external }) => external).map(({ path }) => path)
      .filter((path) =>
        !without?.test(new URL(path, new URL(entry, root)).href.slice(root.href.length))
      )
  );
  check(outside.length === 0, `${entry} imports nothing at run time`, outside.join(", "));
  const users = await usesOfNode(entry, Object.keys(made.metafile.inputs));
  check(users.length === 0, `${entry} uses no global of Node`, users.join(", "));
}

/** Prints what some chunks weigh together, and gives that with gzip, which sees each by itself. */
function weighChunks(title: string, { metafile, outputs }: Bundle, names: string[]): number {
  const codes = names.map((name) => outputs[name] ?? new Uint8Array());
  const plain = codes.reduce((sum, { length }) => sum + length, 0);
  // as `gzip -9`, and tools for sizes
  const size = codes.reduce((sum, code) => sum + gzipSync(code, { level: 9 }).length, 0);
  const chunks = names.length > 1 ? ` in ${names.length} chunks` : "";
  console.log(`\n${title}: ${bytes(plain)} minified, ${bytes(size)} with gzip${chunks}`);
  const weights = names
    .flatMap((name) => Object.entries(metafile.outputs[name]?.inputs ?? {}))
    .map(([path, { bytesInOutput }]) => ({ path, weight: bytesInOutput }))
    .sort((a, b) => b.weight - a.weight);
  for (const { path, weight } of weights) {
    console.log(`${bytes(weight).padStart(10)}  ${path}`);
  }
  return size;
}

/** The globals of Node that a bundle uses, free, as `globalThis.x` or as `{ x } = globalThis`. */
async function usesOfNode(entry: string, modules: string[]): Promise<string[]> {
  const define: Record<string, string> = {};
  for (const name of NODE_GLOBALS) {
    define[name] = define[`globalThis.${name}`] = `globalOfNode_${name}`;
  }
  const { code } = await bundle(entry, { define }); // all of it in one
  const uses = [...new TextDecoder().decode(code).matchAll(/\bglobalOfNode_(\w+)/g)]
    .map(([, name = ""]) => name);
  for (const path of modules) {
    if (path === DETECTS || path.startsWith("npm:")) continue;
    const source = await Deno.readTextFile(new URL(path, root));
    const found = /\b(process|Buffer)\b[^{}]*\}\s*=\s*globalThis/.exec(source)?.[1];
    if (found !== undefined) uses.push(`${found} (${path})`);
  }
  return [...new Set(uses)];
}

function bytes(count: number): string {
  return `${count.toLocaleString("en")} B`;
}

try {
  await weigh(CLIENT);
  await weigh(WHOLE);
  await weigh(WORKER);
} finally {
  await endBundling();
}
console.log(closingLine(tally));
Deno.exit(tally.failed === 0 ? 0 : 1);
