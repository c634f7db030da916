// The size check behind `deno task sizes`: prints the size of each module in the client and the Worker,
// and fails when a bundle is over budget or contains foreign modules.
// deno-lint-ignore-file no-console
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { type Bundle, bundle, endBundling } from "./bundle.ts";
import { root } from "../helpers/run_deno.ts";

interface Weighed {
  entry: string;
  budget: number;
  /** Paths of the modules that may be in the bundle. */
  home: RegExp;
  without?: RegExp;
}

const HOME = /^(mod\.ts|tests\/tools\/client_without_resolve_all\.ts|src\/(?!cli[./]).+)$/;
const WEIGHED: Weighed[] = [
  // what a bundler leaves where `resolveAll` is unused
  {
    entry: "tests/tools/client_without_resolve_all.ts",
    budget: Math.floor(9.7 * 1024),
    home: HOME,
  },
  // the whole client, as imported by URL: see .github/docs/runtimes.md, "Sizes"
  { entry: "mod.ts", budget: 11.5 * 1024, home: HOME },
  // "@deepint/task/webhook"
  { entry: "src/webhook.ts", budget: 2 * 1024, home: HOME },
  // The Worker's start: the status page and the OpenAPI document are chunks that few requests load. The
  // watch engine shares modules with the start and would move them into its chunk, so it stays outside.
  {
    entry: "functions/cloudflare.ts",
    budget: 28 * 1024,
    home: /^(mod\.ts|src\/(?!cli[./]).+|functions\/.+|npm:(hono|valibot)@[^/]+\/.+)$/,
    without: /^functions\/watches\/(workflows|open)\.ts$/,
  },
];

/** The Worker in one file with all chunks, as `deno bundle` and `deno task build` create it. */
const ONE_FILE = { entry: "functions/cloudflare.ts", budget: 48 * 1024 };

/** Names that must not be used as globals. */
const NODE_GLOBALS = ["process", "Buffer", "require", "module", "__dirname", "setImmediate"];
/** The only module that may detect `process` on `globalThis`. */
const DETECTS = "src/internal/settings.ts";

/** Prints the sizes of chunks and their modules. Returns the sum of the gzipped chunks. */
function weighChunks(title: string, { metafile, outputs }: Bundle, names: string[]): number {
  const codes = names.map((name) => outputs[name] ?? new Uint8Array());
  const plain = codes.reduce((sum, { length }) => sum + length, 0);
  // as `gzip -9` and size tools do
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

/** Finds the Node globals that a bundle uses: as a name, as `globalThis.x` or as `{ x } = globalThis`. */
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

/** Returns the chunks that load together with the entry. */
function eagerChunks(entry: string, { metafile: { outputs } }: Bundle): string[] {
  const first = Object.keys(outputs).find((name) => outputs[name]?.entryPoint === entry);
  if (first === undefined) throw new Error(`Cannot weigh ${entry}: no output`);
  const eager = new Set([first]);
  for (const name of eager) {
    for (const { kind, path } of outputs[name]?.imports ?? []) {
      if (kind === "import-statement" && path in outputs) eager.add(path);
    }
  }
  return [...eager];
}

for (const { entry, budget, home, without } of WEIGHED) {
  Deno.test(`${entry} is within its budget and has only its own modules`, async (t) => {
    const made = await bundle(entry, { splitting: true, without });
    const { inputs, outputs } = made.metafile;
    const eager = eagerChunks(entry, made);
    const size = weighChunks(entry, made, eager);
    for (const name of Object.keys(outputs)) {
      if (!eager.includes(name)) weighChunks("loaded on demand", made, [name]);
    }
    await t.step(
      `${entry} weighs ${bytes(size)} of ${bytes(budget)} with gzip`,
      () => assert(size <= budget),
    );
    await t.step("contains only its own modules", () => {
      assert.deepEqual(Object.keys(inputs).filter((path) => !home.test(path)), []);
    });
    await t.step("imports nothing at run time", () => {
      const left = (path: string) =>
        without?.test(new URL(path, new URL(entry, root)).href.slice(root.href.length));
      const imports = Object.values(outputs).flatMap(({ imports }) => imports);
      const outside = imports.filter(({ external, path }) => external && !left(path));
      assert.deepEqual(outside.map(({ path }) => path), []);
    });
    await t.step("uses no Node global", async () => {
      assert.deepEqual(await usesOfNode(entry, Object.keys(inputs)), []);
    });
  });
}

Deno.test(`${ONE_FILE.entry} in one file is within its budget`, async (t) => {
  const made = await bundle(ONE_FILE.entry);
  const size = weighChunks(`${ONE_FILE.entry} in one file`, made, Object.keys(made.outputs));
  await t.step(
    `it weighs ${bytes(size)} of ${bytes(ONE_FILE.budget)} with gzip`,
    () => assert(size <= ONE_FILE.budget),
  );
});

Deno.test.afterAll(endBundling);
