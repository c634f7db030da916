// Not deno bundle --declaration: in 2.9.6 it fails on the types of Node that Deno itself brings.
// The types of the build: `deno pack` emits one file per module, which is joined into one per export.
import { fileURLToPath, pathToFileURL } from "node:url";
import { deno } from "../helpers/run_deno.ts";
import { runCommand } from "./run_command.ts";

/** Emits the types of modules of the project, by their names. The first one is `mod`, the client. */
export async function emitTypes(
  entries: Record<string, string>,
  into: URL,
): Promise<Record<string, string>> {
  const folder = await Deno.makeTempDir({ dir: fileURLToPath(into), prefix: "types-" });
  try {
    const tarball = `${folder}/types.tgz`;
    const packed = await deno(["pack", "--allow-dirty", `--output=${tarball}`], { quiet: true });
    if (packed.code !== 0) throw new Error(`Cannot emit types: ${packed.output}`);
    await runCommand("tar", ["-xzf", "types.tgz"], pathToFileURL(folder));
    const base = pathToFileURL(`${folder}/package/`);
    const types: Record<string, string> = {};
    let client: Declarations | undefined;
    for (const [name, entry] of Object.entries(entries)) {
      const joined = await joinDeclarations(
        new URL(entry.replace(/\.ts$/, ".d.ts"), base),
        client?.exported,
      );
      if (name === "mod") client = joined;
      types[name] = joined.text;
    }
    return types;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The types of one export. */
interface Declarations {
  text: string;
  /** Names that it exports. */
  exported: string[];
}

/** Imports in the output of `deno pack`: one per line, some after the comment of the module. */
const IMPORT = /(?<=^|\*\/ )(import|export)( type)? \{([^}]*)\} from "([^"]+)";\n?/gm;
const DECLARED = /(?<=^|\*\/ )(?:export )?(?:declare )?(?:interface|type|class|const) (\w+)/gm;

/**
 * Joins the declarations of a module and its imports into one file.
 *
 * @param known names that it imports from the client instead, so that both have the same types
 */
async function joinDeclarations(entry: URL, known: string[] = []): Promise<Declarations> {
  const seen = new Set<string>();
  const declared = new Map<string, URL>();
  const imported = new Set<string>();
  const exported: string[] = [];
  const texts: string[] = [];

  async function visit(file: URL): Promise<void> {
    if (seen.has(file.href)) return;
    seen.add(file.href);
    let text = await Deno.readTextFile(file);
    for (const [statement, kind, type, list = "", specifier = ""] of text.matchAll(IMPORT)) {
      if (/ as /.test(list) || !specifier.startsWith(".")) {
        throw new Error(`Cannot join types: ${statement}`);
      }
      const names = list.split(",").map((name) => name.trim()).filter(Boolean);
      const bare = names.map((name) => name.replace(/^type /, ""));
      if (bare.every((name) => known.includes(name))) bare.forEach((name) => imported.add(name));
      else await visit(new URL(specifier.replace(/\.js$/, ".d.ts"), file));
      if (file === entry && kind === "export") {
        exported.push(...names.map((name) => `${type ?? ""} ${name}`.trim()));
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
  const head = imported.size > 0 ? `import { ${[...imported].join(", ")} } from "./mod.js";\n` : "";
  return {
    text: `${head}${body}\nexport { ${exported.join(", ")} };\n`,
    exported: exported.map((name) => name.replace(/^type /, "")),
  };
}
