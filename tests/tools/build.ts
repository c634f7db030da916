// The release build behind `deno task build`: all artifacts in dist/, with checksums.
//
//   mod.js (+ .map, mod.d.ts)   the browser module
//   worker.js                   the Cloudflare Worker
//   <name>-<version>.tgz        the npm package, packed from npm/
//   THIRD_PARTY_LICENSES        licenses of the packages in the Worker and the npm endpoint
//   SHA256SUMS                  for `sha256sum -c`
//
// `deno pack` emits the types. Its package is not used: npm has one list of dependencies per package, so
// users of the client would install those of the endpoint.
// deno-lint-ignore-file no-console
import * as esbuild from "esbuild";
import { isBuiltin } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import config from "../../deno.json" with { type: "json" };
import openapi from "../../functions/openapi.json" with { type: "json" };
import { deno, root } from "../helpers/run_deno.ts";

/** Default output folder of {@linkcode build}. */
const DIST = new URL("dist/", root);

const ENGINES = { node: ">=20" };
const DESCRIPTION =
  "A client for the tasks of Deep Intelligence, and an HTTP endpoint on top of it";

/** Options of {@linkcode bundle}. */
export interface BundleOptions {
  /** @default {true} */
  minify?: boolean;
  /** @default {false} */
  sourcemap?: boolean;
  /** Import specifier that replaces `mod.ts`, which is then not bundled. @default {undefined} bundles it */
  client?: string;
  /** Creates a chunk for each dynamic import. @default {false} */
  splitting?: boolean;
  /** Further entries, by the name of their output; they share chunks. @default {{}} */
  entries?: Record<string, string>;
  /** Modules to leave out, by path in the project; each bundle must import one. @default none */
  without?: RegExp | undefined;
  /** Replacements of globals. @default {{}} */
  define?: Record<string, string>;
}

/** A module bundled with its imports. */
export interface Bundle {
  code: Uint8Array<ArrayBuffer>;
  map: Uint8Array<ArrayBuffer> | undefined;
  /** All output files, by their names in `metafile.outputs`. */
  outputs: Readonly<Record<string, Uint8Array>>;
  /** Its inputs, by path in the project or as `npm:name@version/path`. */
  metafile: esbuild.Metafile;
}

/** Bundles a module of the project. Call {@linkcode endBundling} after the last bundle. */
export async function bundle(entry: string, options: BundleOptions = {}): Promise<Bundle> {
  const { minify = true, sourcemap = false, define = {}, entries = {}, client, without } = options;
  const { splitting = Object.keys(entries).length > 0 } = options;
  const entryName = entry.replace(/^.*\/|\.ts$/g, "");
  const { outputFiles, metafile } = await esbuild.build({
    absWorkingDir: fileURLToPath(root),
    entryPoints: { ...entries, [entryName]: entry },
    outdir: "dist", // for the paths in the source map
    bundle: true,
    splitting,
    chunkNames: "shared-[hash]",
    minify,
    sourcemap: sourcemap && "linked",
    define,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    charset: "utf8",
    write: false,
    metafile: true,
    logLevel: "error",
    plugins: [
      ...client === undefined ? [] : [replaceClient(client)],
      ...without === undefined ? [] : [leaveOut(without)],
      packages,
    ],
  });
  const outputs = Object.fromEntries(
    outputFiles.map(({ path, contents }) => [`dist/${path.replace(/^.*[\\/]/, "")}`, contents]),
  );
  const name = `dist/${entryName}.js`;
  const code = outputs[name];
  if (code === undefined) throw new Error(`Cannot bundle ${entry}: no output`);
  return { code: Uint8Array.from(code), map: bytesOf(outputs[`${name}.map`]), outputs, metafile };
}

/** Ends the bundler process. */
export async function endBundling(): Promise<void> {
  await esbuild.stop();
}

function bytesOf(bytes: Uint8Array | undefined): Uint8Array<ArrayBuffer> | undefined {
  return bytes && Uint8Array.from(bytes);
}

/** A bundled package. */
interface Package {
  /** Its folder, as a URL that ends in a slash. */
  folder: URL;
  /** `npm:name@version`. */
  label: string;
  /** `true` if unused modules must stay. */
  sideEffects: boolean;
}

const bundled = new Map<string, Package>();

/** Resolves npm packages in Deno's cache and names them without paths of the machine. */
const packages: esbuild.Plugin = {
  name: "packages",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[^./]/ }, async ({ path, kind }) => {
      if (kind === "entry-point") return undefined;
      if (isBuiltin(path)) return { path, external: true };
      return await inPackage(new URL(import.meta.resolve(path)), path);
    });
    onResolve({ filter: /^\./, namespace: "npm" }, async ({ path, importer, pluginData }) => {
      const { label, folder } = pluginData as Package;
      const file = new URL(importer.slice(label.length - "npm:".length + 1), folder);
      return await inPackage(new URL(path, file), label);
    });
    onLoad({ filter: /^/, namespace: "npm" }, async ({ path, pluginData }) => {
      const { label, folder } = pluginData as Package;
      const file = new URL(path.slice(label.length - "npm:".length + 1), folder);
      return { contents: await Deno.readFile(file), loader: "js", pluginData };
    });
  },
};

async function inPackage(file: URL, specifier: string): Promise<esbuild.OnResolveResult> {
  if (file.protocol !== "file:") {
    throw new Error(`Cannot bundle ${specifier}: it is not an npm package`);
  }
  const found = await packageOf(file);
  bundled.set(found.label, found);
  const { label, folder, sideEffects } = found;
  const path = `${label.slice("npm:".length)}/${file.href.slice(folder.href.length)}`;
  return { path, namespace: "npm", sideEffects, pluginData: found };
}

async function packageOf(file: URL): Promise<Package> {
  for (let folder = new URL("./", file); folder.pathname !== "/"; folder = new URL("../", folder)) {
    const text = await Deno.readTextFile(new URL("package.json", folder)).catch(() => "{}");
    const { name, version, sideEffects } = JSON.parse(text) as Record<string, unknown>;
    if (typeof name === "string") {
      return { folder, label: `npm:${name}@${version}`, sideEffects: sideEffects !== false };
    }
  }
  throw new Error(`Cannot bundle ${file.pathname}: it does not belong to a package`);
}

/** Leaves modules of the project out. Fails when none matches, as the pattern is stale. */
function leaveOut(without: RegExp): esbuild.Plugin {
  return {
    name: "leave-out",
    setup({ onResolve, onEnd }) {
      let matches = 0;
      onResolve({ filter: /^\./, namespace: "file" }, ({ path, resolveDir }) => {
        const { href } = new URL(path, `${pathToFileURL(resolveDir).href}/`);
        if (!without.test(href.slice(root.href.length))) return undefined;
        matches++;
        return { path, external: true };
      });
      onEnd(() => {
        if (matches === 0) throw new Error(`Cannot leave out ${without}: no module matches`);
      });
    },
  };
}

/** Leaves the client out of the endpoint's bundle, so that both npm entries share its classes. */
function replaceClient(specifier: string): esbuild.Plugin {
  const client = new URL("mod.ts", root).href;
  return {
    name: "client",
    setup({ onResolve }) {
      onResolve({ filter: /\/mod\.ts$/ }, ({ path, resolveDir }) => {
        const url = new URL(path, `${pathToFileURL(resolveDir).href}/`);
        return url.href === client ? { path: specifier, external: true } : undefined;
      });
    },
  };
}

/** Artifacts of {@linkcode build}: names of files in its folder, and of the tarball. */
export interface Artefacts {
  files: string[];
  tarball: string;
}

/** Builds all artifacts into a folder and removes those of an earlier build. */
export async function build(into: URL = DIST): Promise<Artefacts> {
  const npm = new URL("npm/", into);
  await Deno.mkdir(into, { recursive: true });
  for await (const { name } of Deno.readDir(into)) {
    if (name.endsWith(".tgz")) await Deno.remove(new URL(name, into));
  }
  await Deno.remove(npm, { recursive: true }).catch(() => {});
  await Deno.mkdir(npm);

  bundled.clear();
  const browser = await bundle("mod.ts", { sourcemap: true });
  const worker = await bundle("functions/cloudflare.ts");
  const entries = { webhook: "src/webhook.ts" };
  const client = await bundle("mod.ts", { minify: false, entries });
  const endpoint = await bundle("functions/app.ts", { minify: false, client: "./mod.js" });
  const licenses = await thirdPartyLicenses();
  const types = await emitTypes(into);

  const files = ["mod.js", "mod.js.map", "mod.d.ts", "worker.js", "THIRD_PARTY_LICENSES"];
  await Deno.writeFile(new URL("mod.js", into), browser.code);
  await Deno.writeFile(new URL("mod.js.map", into), browser.map ?? new Uint8Array());
  await Deno.writeTextFile(new URL("mod.d.ts", into), types.client);
  await Deno.writeFile(new URL("worker.js", into), worker.code);
  await Deno.writeTextFile(new URL("THIRD_PARTY_LICENSES", into), licenses);

  for (const [path, code] of Object.entries(client.outputs)) {
    await Deno.writeFile(new URL(path.replace("dist/", ""), npm), Uint8Array.from(code));
  }
  await Deno.writeTextFile(new URL("mod.d.ts", npm), types.client);
  await Deno.writeFile(new URL("endpoint.js", npm), endpoint.code);
  await Deno.writeTextFile(new URL("endpoint.d.ts", npm), types.endpoint);
  await Deno.writeTextFile(new URL("webhook.d.ts", npm), types.webhook);
  await Deno.writeTextFile(new URL("THIRD_PARTY_LICENSES", npm), licenses);
  for (const name of ["README.md", "LICENSE"]) {
    await Deno.copyFile(new URL(name, root), new URL(name, npm));
  }
  await Deno.writeTextFile(
    new URL("package.json", npm),
    `${JSON.stringify(manifest(), null, 2)}\n`,
  );
  const { tarball, version } = await npmPack(npm, into);
  files.push(tarball);

  const versions = {
    "deno.json": config.version,
    "openapi.json": openapi.info.version,
    npm: version,
  };
  if (new Set(Object.values(versions)).size > 1) {
    throw new Error(`Cannot build: versions differ: ${JSON.stringify(versions)}`);
  }
  const sums = await Promise.all(files.map(async (name) => {
    const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(new URL(name, into)));
    return `${new Uint8Array(digest).toHex()}  ${name}\n`;
  }));
  await Deno.writeTextFile(new URL("SHA256SUMS", into), sums.join(""));
  return { files: [...files, "SHA256SUMS"], tarball };
}

/** Creates the npm package's `package.json`. It has no dependencies: everything is bundled. */
function manifest(): Record<string, unknown> {
  return {
    name: config.name,
    version: config.version,
    description: DESCRIPTION,
    license: config.license,
    type: "module",
    engines: ENGINES,
    sideEffects: false,
    exports: {
      ".": { types: "./mod.d.ts", default: "./mod.js" },
      "./endpoint": { types: "./endpoint.d.ts", default: "./endpoint.js" },
      "./webhook": { types: "./webhook.d.ts", default: "./webhook.js" },
    },
  };
}

async function npmPack(folder: URL, into: URL): Promise<{ tarball: string; version: string }> {
  const args = [
    "pack",
    "--json",
    "--no-update-notifier",
    "--pack-destination",
    fileURLToPath(into),
  ];
  const output = await run("npm", args, folder);
  const [packed] = JSON.parse(output) as { filename: string; version: string }[];
  if (packed === undefined) throw new Error(`Cannot pack: npm said ${output}`);
  return { tarball: packed.filename, version: packed.version };
}

async function thirdPartyLicenses(): Promise<string> {
  const texts = [];
  for (const { label, folder } of [...bundled.values()].sort(byLabel)) {
    const names = [];
    for await (const { name } of Deno.readDir(folder)) {
      if (/^licen[cs]e/i.test(name)) names.push(name);
    }
    const [name] = names;
    if (name === undefined) throw new Error(`Cannot bundle ${label}: it has no license file`);
    const text = await Deno.readTextFile(new URL(name, folder));
    texts.push(`${label.slice("npm:".length)}\n\n${text.trim()}\n`);
  }
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

function byLabel(a: Package, b: Package): number {
  return a.label < b.label ? -1 : 1;
}

async function emitTypes(
  into: URL,
): Promise<{ client: string; endpoint: string; webhook: string }> {
  const folder = await Deno.makeTempDir({ dir: fileURLToPath(into), prefix: "types-" });
  try {
    const tarball = `${folder}/types.tgz`;
    const packed = await deno(["pack", "--allow-dirty", `--output=${tarball}`], { quiet: true });
    if (packed.code !== 0) throw new Error(`Cannot emit types: ${packed.output}`);
    await run("tar", ["-xzf", "types.tgz"], pathToFileURL(folder));
    const base = pathToFileURL(`${folder}/package/`);
    const client = new URL("mod.d.ts", base);
    return {
      client: await declarations(client),
      endpoint: await declarations(new URL("functions/app.d.ts", base), client),
      webhook: await declarations(new URL("src/webhook.d.ts", base), client),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Imports in the output of `deno pack`: one per line, some after the comment of the module. */
const IMPORT = /(?<=^|\*\/ )(import|export)( type)? \{([^}]*)\} from "([^"]+)";\n?/gm;
const DECLARED = /(?<=^|\*\/ )(?:export )?(?:declare )?(?:interface|type|class|const) (\w+)/gm;

/** Returns the files that a module re-exports from, except those with declarations of its own. */
async function reexportedFiles(entry: URL): Promise<string[]> {
  const text = await Deno.readTextFile(entry);
  return [...text.matchAll(IMPORT)].filter(([, kind]) => kind === "export")
    .map(([, , , , specifier = ""]) => new URL(specifier.replace(/\.js$/, ".d.ts"), entry).href);
}

/** Joins the declarations of a module and its imports, except the client's, into one file. */
async function declarations(entry: URL, client?: URL): Promise<string> {
  const clients = client ? [client.href, ...await reexportedFiles(client)] : [];
  const seen = new Set<string>();
  const declared = new Map<string, URL>();
  const outside: string[] = [];
  const exported: string[] = [];
  const texts: string[] = [];

  async function visit(file: URL): Promise<void> {
    if (seen.has(file.href)) return;
    seen.add(file.href);
    let text = await Deno.readTextFile(file);
    for (const [statement, kind, type, names = "", specifier = ""] of text.matchAll(IMPORT)) {
      if (/ as /.test(names)) throw new Error(`Cannot join types: ${statement}`);
      const from = new URL(specifier.replace(/\.js$/, ".d.ts"), file);
      if (!specifier.startsWith(".")) throw new Error(`Cannot join types: ${statement}`);
      if (clients.includes(from.href)) {
        outside.push(statement.replace(specifier, "./mod.js").trim());
      } else await visit(from);
      if (file === entry && kind === "export") {
        exported.push(...names.split(",").map((name) => `${type ?? ""} ${name.trim()}`.trim()));
      }
      text = text.replace(statement, "");
    }
    for (const [, name = ""] of text.matchAll(DECLARED)) {
      const other = declared.get(name) ?? file;
      if (other !== file) throw new Error(`Cannot join types: ${file} too declares ${name}`);
      declared.set(name, file);
    }
    texts.push(file === entry ? text : text.replaceAll(/(?<=^|\*\/ )export (?!\{)/gm, ""));
  }

  await visit(entry);
  // restore the line breaks around comments
  const body = texts.reverse().join("\n")
    .replaceAll(/^( *)(\/\*\*.*?\*\/) (?=\S)/gm, "$1$2\n$1")
    .replaceAll(/^( *) \*\/ (?=\S)/gm, "$1 */\n$1");
  return [...outside, `${body}\nexport { ${exported.join(", ")} };\n`].join("\n");
}

async function run(command: string, args: string[], cwd: URL): Promise<string> {
  const ran = await new Deno.Command(command, { args, cwd, stdin: "null" }).output();
  const [stdout, stderr] = [ran.stdout, ran.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!ran.success) throw new Error(`${command} ${args[0]} ended with ${ran.code}: ${stderr}`);
  return stdout ?? "";
}

if (import.meta.main) {
  try {
    const { files } = await build();
    for (const name of files) {
      const { size } = await Deno.stat(new URL(name, DIST));
      console.log(`${String(size).padStart(9)}  dist/${name}`);
    }
  } finally {
    await endBundling();
  }
}
