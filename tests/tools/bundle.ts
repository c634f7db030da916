// The bundler of the build, the size check and the runtime tests.
import * as esbuild from "esbuild";
import { createRequire, isBuiltin } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { root } from "../helpers/run_deno.ts";

/** Options of {@linkcode bundle} and {@linkcode bundleAll}. */
export interface BundleOptions {
  /** @default {true} */
  minify?: boolean;
  /** @default {false} */
  sourcemap?: boolean;
  /** Creates a chunk for each dynamic import. @default {false} */
  splitting?: boolean;
  /** Modules to leave out, by path in the project; each bundle must import one. @default none */
  without?: RegExp | undefined;
  /** Replacements of globals. @default {{}} */
  define?: Record<string, string>;
}

/** Modules bundled with their imports. */
export interface Bundles {
  /** All output files, by their names in `metafile.outputs`. */
  outputs: Readonly<Record<string, Uint8Array>>;
  /** Its inputs, by path in the project or as `npm:name@version/path`. */
  metafile: esbuild.Metafile;
  /** The packages that it contains. */
  packages: Package[];
}

/** A module bundled with its imports. */
export interface Bundle extends Bundles {
  code: Uint8Array<ArrayBuffer>;
  map: Uint8Array<ArrayBuffer> | undefined;
}

/** A bundled package. */
export interface Package {
  /** Its folder, as a URL that ends in a slash. */
  folder: URL;
  /** `npm:name@version`. */
  label: string;
  /** `true` if unused modules must stay. */
  sideEffects: boolean;
}

/** Bundles modules of the project, by the names of their outputs. {@linkcode endBundling} ends the bundler. */
export async function bundleAll(
  entryPoints: Record<string, string>,
  options: BundleOptions = {},
): Promise<Bundles> {
  const { sourcemap = false, without, define = {}, minify = true, ...flags } = options;
  const packages = new Map<string, Package>();
  const { outputFiles, metafile } = await esbuild.build({
    absWorkingDir: fileURLToPath(root),
    entryPoints,
    outdir: "dist", // for the paths in the source map
    chunkNames: "chunk-[hash]",
    bundle: true,
    sourcemap: sourcemap && "linked",
    define,
    minify,
    ...flags,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    charset: "utf8",
    write: false,
    metafile: true,
    logLevel: "error",
    plugins: [...without === undefined ? [] : [leaveOut(without)], bundlePackages(packages)],
  });
  const outputs = Object.fromEntries(
    outputFiles.map(({ path, contents }) => [
      `dist/${path.replace(/^.*[\\/]/, "")}`,
      minify ? contents : restoreClassNames(contents),
    ]),
  );
  return { outputs, metafile, packages: [...packages.values()] };
}

/** Restores the names of classes. The bundler writes `var Task = class _Task {`, which stacks show. */
function restoreClassNames(code: Uint8Array): Uint8Array {
  let text = new TextDecoder().decode(code);
  for (const [, name = ""] of text.matchAll(/\bvar (\w+) = class _\1\b/g)) {
    text = text.replaceAll(new RegExp(`(?<![\\w$.])_${name}\\b`, "g"), name);
  }
  return new TextEncoder().encode(text);
}

/** Bundles a module of the project. {@linkcode endBundling} ends the bundler. */
export async function bundle(entry: string, options: BundleOptions = {}): Promise<Bundle> {
  const name = entry.replace(/^.*\//, "").replace(/\.ts$/, "");
  const bundles = await bundleAll({ [name]: entry }, options);
  const [code, map] = [`dist/${name}.js`, `dist/${name}.js.map`].map((file) => {
    const bytes = bundles.outputs[file];
    return bytes && Uint8Array.from(bytes);
  });
  if (code === undefined) throw new Error(`Cannot bundle ${entry}: no output`);
  return { code, map, ...bundles };
}

/** Ends the bundler process. */
export async function endBundling(): Promise<void> {
  await esbuild.stop();
}

/** Resolves npm packages in Deno's cache and names them without paths of the machine. */
function bundlePackages(packages: Map<string, Package>): esbuild.Plugin {
  const inPackage = async (file: URL, specifier: string): Promise<esbuild.OnResolveResult> => {
    if (file.protocol !== "file:") {
      throw new Error(`Cannot bundle ${specifier}: it is not an npm package`);
    }
    const found = await packageOf(file);
    packages.set(found.label, found);
    const { label, folder, sideEffects } = found;
    const path = `${label.slice("npm:".length)}/${file.href.slice(folder.href.length)}`;
    return { path, namespace: "npm", sideEffects, pluginData: found };
  };
  return {
    name: "packages",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^[^./]/ }, async ({ path, kind, importer, namespace, pluginData }) => {
        if (kind === "entry-point") return undefined;
        if (isBuiltin(path)) return { path, external: true };
        const found = namespace === "npm"
          ? pathToFileURL(createRequire(fileOf(pluginData, importer)).resolve(path)).href
          : import.meta.resolve(path);
        return await inPackage(new URL(found), path);
      });
      onResolve(
        { filter: /^\./, namespace: "npm" },
        async ({ path, importer, pluginData }) =>
          await inPackage(new URL(path, fileOf(pluginData, importer)), pluginData.label),
      );
      onLoad({ filter: /^/, namespace: "npm" }, async ({ path, pluginData }) => ({
        contents: await Deno.readFile(fileOf(pluginData, path)),
        loader: "js",
        pluginData,
      }));
    },
  };
}

/** Returns the URL of a file by its name in a bundle. */
function fileOf({ label, folder }: Package, name: string): URL {
  return new URL(name.slice(label.length - "npm:".length + 1), folder);
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
