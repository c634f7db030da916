// A user's import works by URL, and the package for JSR has what its exports need.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { denoRun, PRINTED, PROGRAM, run, scratch, serve, write } from "../helpers/install.ts";
import { deno, root } from "../helpers/run_deno.ts";

Deno.test("mod.ts is imported by URL with type checks in any kind of folder", async () => {
  await using folder = await scratch();
  await using server = serve(root, () => "text/plain; charset=utf-8");
  const url = `${server.origin}/mod.ts`;
  const direct = PROGRAM(url, server.origin);
  const mapped = PROGRAM("tasks", server.origin);
  const denoJson = JSON.stringify({ imports: { tasks: url } });
  const packageJson = JSON.stringify({ name: "a-project", private: true, type: "module" });

  const projects: Record<string, Record<string, string>> = {
    "empty": { "main.ts": direct },
    "package": { "main.ts": direct, "package.json": packageJson },
    "deno": { "main.ts": mapped, "deno.json": denoJson },
    "both": { "main.ts": mapped, "deno.json": denoJson, "package.json": packageJson },
  };
  await Promise.all(
    Object.entries(projects).map(async ([name, files]) => {
      const project = await write(new URL(`${name}/`, folder.url), files);
      const env = { DENO_DIR: fileURLToPath(new URL(".cache", project)) };
      const args = [...denoRun(server.host), "main.ts"];
      assertEquals(await run(Deno.execPath(), args, project, env), PRINTED, name);
    }),
  );

  const paths = [...server.asked];
  assert(paths.includes("/mod.ts"));
  for (const path of paths) assertMatch(path, /^\/(mod|src\/(internal\/)?\w+)\.ts$/);
});

Deno.test("deno publish includes only the modules of the exports", async () => {
  const args = ["publish", "--dry-run", "--frozen", "--allow-dirty", "--no-check"];
  const { code, output } = await deno(args, { quiet: true });
  assertEquals(code, 0, output);
  const shipped = [...output.matchAll(/^\s+(file:\S+) \(/gm)].map(([, url = ""]) => url);
  const needed = ["deno.json", "README.md", "LICENSE"].map((name) => new URL(name, root).href);
  for (const entry of Object.values(config.exports)) {
    const { output } = await deno(["info", "--json", "--frozen", entry], { quiet: true });
    const { modules } = JSON.parse(output.slice(output.indexOf("{"))) as {
      modules: { specifier: string }[];
    };
    needed.push(...modules.map(({ specifier }) => specifier));
  }
  const own = new Set(needed.filter((url) => url.startsWith(root.href)));
  assertEquals(shipped.toSorted(), [...own].toSorted());
});
