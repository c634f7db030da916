// The release build behind `deno task build`: all artifacts in dist/, with checksums.
//
//   mod.js (+ .map, mod.d.ts)   the browser module
//   worker.js                   the Cloudflare Worker
//   <name>-<version>.tgz        the npm package, packed from npm/
//   THIRD_PARTY_LICENSES        licenses of the packages in the Worker and the npm package
//   SHA256SUMS                  for `sha256sum -c`
//
// Not deno pack: npm has one list of dependencies per package, so users of the client would install those
// of the endpoint and the command line.
// deno-lint-ignore-file no-console
import config from "../../deno.json" with { type: "json" };
import openapi from "../../functions/openapi.json" with { type: "json" };
import { root } from "../helpers/run_deno.ts";
import { bundle, bundleAll, endBundling, type Package } from "./bundle.ts";
import { emitTypes } from "./declarations.ts";
import { moduleNames, packNpm } from "./npm_package.ts";
import { workflowRepository } from "./published_readme.ts";

/** Default output folder of {@linkcode build}. */
const DIST = new URL("dist/", root);

/** Artifacts of {@linkcode build}: names of files in its folder, and of the tarball. */
export interface Artifacts {
  files: string[];
  tarball: string;
}

/** Options of {@linkcode build}. */
export interface BuildOptions {
  /** Output folder. @default {"dist/"} */
  into?: URL;
  /** Web address of the repository, for the npm package. @default {undefined} none */
  repository?: string | undefined;
}

/** Builds all artifacts into a folder and removes those of an earlier build. */
export async function build({ into = DIST, repository }: BuildOptions = {}): Promise<Artifacts> {
  await Deno.mkdir(into, { recursive: true });
  for await (const { name } of Deno.readDir(into)) {
    if (name.endsWith(".tgz")) await Deno.remove(new URL(name, into));
  }
  const entries = moduleNames();
  const browser = await bundle("mod.ts", { sourcemap: true });
  const worker = await bundle("functions/cloudflare.ts");
  // with common chunks, so that all entries share the classes of the client
  const npm = await bundleAll({ ...entries, bin: "src/cli/bin.ts" }, {
    minify: false,
    splitting: true,
  });
  const types = await emitTypes(entries, into);
  const licenses = await thirdPartyLicenses([...worker.packages, ...npm.packages]);

  const files: Record<string, string | Uint8Array> = {
    "mod.js": browser.code,
    "mod.js.map": browser.map ?? "",
    "mod.d.ts": types.mod ?? "",
    "worker.js": worker.code,
    THIRD_PARTY_LICENSES: licenses,
  };
  for (const [name, content] of Object.entries(files)) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(new URL(name, into), bytes);
  }
  const { tarball, version } = await packNpm(new URL("npm/", into), into, {
    files: {
      ...Object.fromEntries(
        Object.entries(npm.outputs).map(([path, code]) => [path.replace("dist/", ""), code]),
      ),
      ...Object.fromEntries(Object.entries(types).map(([name, text]) => [`${name}.d.ts`, text])),
      THIRD_PARTY_LICENSES: licenses,
    },
    repository,
  });
  const versions = {
    "deno.json": config.version,
    "openapi.json": openapi.info.version,
    npm: version,
  };
  if (new Set(Object.values(versions)).size > 1) {
    throw new Error(`Cannot build: versions differ: ${JSON.stringify(versions)}`);
  }
  const names = [...Object.keys(files), tarball];
  const sums = await Promise.all(names.map(async (name) => {
    const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(new URL(name, into)));
    return `${new Uint8Array(digest).toHex()}  ${name}\n`;
  }));
  await Deno.writeTextFile(new URL("SHA256SUMS", into), sums.join(""));
  return { files: [...names, "SHA256SUMS"], tarball };
}

async function thirdPartyLicenses(packages: Package[]): Promise<string> {
  const sorted = packages.toSorted((a, b) => a.label < b.label ? -1 : 1);
  const byLabel = new Map(sorted.map((one) => [one.label, one]));
  const texts = [];
  for (const { label, folder } of [...byLabel.values()]) {
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

if (import.meta.main) {
  try {
    const { files } = await build({ repository: workflowRepository() });
    for (const name of files) {
      const { size } = await Deno.stat(new URL(name, DIST));
      console.log(`${String(size).padStart(9)}  dist/${name}`);
    }
  } finally {
    await endBundling();
  }
}
