// The npm package: its manifest, its README and its tarball.
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { root } from "../helpers/run_deno.ts";
import { absoluteLinks } from "./published_readme.ts";
import { runCommand } from "./run_command.ts";

const DESCRIPTION =
  "A client for the tasks of Deep Intelligence, a command line, and an HTTP endpoint on top of it";
const KEYWORDS = [
  ...["deepint", "deep-intelligence", "task", "polling", "long-running-operation"],
  ...["webhooks", "standard-webhooks", "cli"],
];

/** Names of the modules in the package, by export. */
export function moduleNames(): Record<string, string> {
  const names = Object.keys(config.exports).map((name) => [
    name === "." ? "mod" : name.replace("./", ""),
    config.exports[name as keyof typeof config.exports].replace("./", ""),
  ]);
  return Object.fromEntries(names.toSorted(([a]) => a === "mod" ? -1 : 1));
}

/** Creates `package.json`. It has no dependencies: everything is bundled. */
function manifest(repository: string | undefined): Record<string, unknown> {
  const exports = Object.keys(moduleNames()).map((name) => [
    name === "mod" ? "." : `./${name}`,
    { types: `./${name}.d.ts`, default: `./${name}.js` },
  ]);
  return {
    name: config.name,
    version: config.version,
    description: DESCRIPTION,
    keywords: KEYWORDS,
    license: config.license,
    ...repository && {
      homepage: `${repository}#readme`,
      repository: { type: "git", url: `git+${repository}.git` },
      bugs: { url: `${repository}/issues` },
    },
    type: "module",
    engines: { node: ">=20" },
    sideEffects: false,
    exports: Object.fromEntries(exports),
    bin: { "deepint-task": "./bin.js" },
  };
}

/** Content of the package in addition to its manifest, README and LICENSE. */
export interface PackageFiles {
  /** Contents by name. */
  files: Record<string, string | Uint8Array>;
  /** Web address of the repository; without it the manifest names none. */
  repository?: string | undefined;
}

/** Writes the package into a folder and packs it into another. Returns the name of the tarball. */
export async function packNpm(
  folder: URL,
  into: URL,
  { files, repository }: PackageFiles,
): Promise<{ tarball: string; version: string }> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  await Deno.mkdir(folder);
  const readme = await Deno.readTextFile(new URL("README.md", root));
  const all = {
    ...files,
    "package.json": `${JSON.stringify(manifest(repository), null, 2)}\n`,
    "README.md": absoluteLinks(readme, repository),
    LICENSE: await Deno.readTextFile(new URL("LICENSE", root)),
  };
  for (const [name, content] of Object.entries(all)) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(new URL(name, folder), bytes);
  }
  const args = ["pack", "--json", "--no-update-notifier", "--pack-destination"];
  const output = await runCommand("npm", [...args, fileURLToPath(into)], folder);
  const [packed] = JSON.parse(output) as { filename: string; version: string }[];
  if (packed === undefined) throw new Error(`Cannot pack: npm said ${output}`);
  return { tarball: packed.filename, version: packed.version };
}
