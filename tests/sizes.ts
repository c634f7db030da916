// The gate behind `deno task sizes`: what the client and the Worker weigh, module by module, and
// that nothing is in them that has no place there.
// deno-lint-ignore-file no-console
import { gzipSync } from "node:zlib";
import { bundle, endBundling } from "./build.ts";
import { root } from "./deno.ts";
import { closingLine } from "./run.ts";

const CLIENT = { entry: "mod.ts", budget: 8 * 1024, home: /^(mod\.ts|src\/(?!cli\.ts)[^/]+)$/ };
const WORKER = {
  entry: "functions/cloudflare.ts",
  budget: 24 * 1024,
  home: /^(mod\.ts|src\/(?!cli\.ts)[^/]+|functions\/[^/]+|npm:(hono|valibot)@[^/]+\/.+)$/,
};

/** The watches and what keeps them: no part of the budget, since who has no use for them need not have them. */
const ENGINE = /^\.\/(watch\w*|callback)\.ts$/;

/** What must not be used as a global. */
const NODE_GLOBALS = ["process", "Buffer", "require", "module", "__dirname", "setImmediate"];
/** The one module that may look for `process`: by feature detection on `globalThis`. */
const DETECTS = "src/credentials.ts";

const tally = { passed: 0, failed: 0 };

function check(holds: boolean, claim: string, detail = ""): void {
  tally[holds ? "passed" : "failed"]++;
  console.log(`${holds ? "ok    " : "FAILED"}  ${claim}${holds || !detail ? "" : `: ${detail}`}`);
}

async function weigh({ entry, budget, home }: typeof CLIENT): Promise<void> {
  const made = await bundle(entry);
  const whole = sizeOf(made.code);
  const size = sizeOf((await bundle(entry, { without: ENGINE })).code);
  const [output] = Object.values(made.metafile.outputs);
  if (output === undefined) throw new Error(`Cannot weigh ${entry}: no output`);

  console.log(`\n${entry}: ${bytes(made.code.length)} minified, ${bytes(whole)} with gzip`);
  const weights = Object.entries(output.inputs)
    .map(([path, { bytesInOutput }]) => ({ path, weight: bytesInOutput }))
    .sort((a, b) => b.weight - a.weight);
  for (const { path, weight } of weights) {
    console.log(`${bytes(weight).padStart(10)}  ${path}`);
  }

  const apart = size < whole ? ", without the watches" : "";
  check(size <= budget, `${entry} weighs ${bytes(size)} of ${bytes(budget)} with gzip${apart}`);
  const strangers = Object.keys(made.metafile.inputs).filter((path) => !home.test(path));
  check(strangers.length === 0, `${entry} bundles nothing but its own`, strangers.join(", "));
  const outside = output.imports.map(({ path }) => path);
  check(outside.length === 0, `${entry} imports nothing at run time`, outside.join(", "));
  const users = await usesOfNode(entry, Object.keys(made.metafile.inputs));
  check(users.length === 0, `${entry} uses no global of Node`, users.join(", "));
}

/** As `gzip -9`, and tools for sizes. */
function sizeOf(code: Uint8Array): number {
  return gzipSync(code, { level: 9 }).length;
}

/** The globals of Node that a bundle uses, free, as `globalThis.x` or as `{ x } = globalThis`. */
async function usesOfNode(entry: string, modules: string[]): Promise<string[]> {
  const define: Record<string, string> = {};
  for (const name of NODE_GLOBALS) {
    define[name] = define[`globalThis.${name}`] = `globalOfNode_${name}`;
  }
  const { code } = await bundle(entry, { define });
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
  await weigh(WORKER);
} finally {
  await endBundling();
}
console.log(closingLine(tally));
Deno.exit(tally.failed === 0 ? 0 : 1);
