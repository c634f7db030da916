// A user's import works: by URL, from npm, as a browser module. Real servers, compilers and package
// managers, on loopback; only TypeScript for Node comes from the registry, once.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { fileURLToPath, pathToFileURL } from "node:url";
import config from "../../deno.json" with { type: "json" };
import * as client from "../../mod.ts";
import { build, endBundling } from "../tools/build.ts";
import { deno, root } from "../helpers/run_deno.ts";
import { listen } from "../helpers/listen.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";

const TOKEN = "the-token-of-the-platform";
const TASK_PATH = "/organizations/o-1/workspaces/w-1/tasks/t-1";
const KEY = "a-key-of-16-characters-or-more";
const TOOLS = { "typescript": "5.9.3", "@types/node": "20.19.25" };

/** A command that runs for so many ms is ended, so that its test fails and does not hang. */
const PATIENCE = 90_000;

/** A folder that goes away, as a URL that ends in a slash. */
async function scratch(): Promise<AsyncDisposable & { url: URL }> {
  const path = await Deno.makeTempDir({ dir: tmpdir(), prefix: "install-" });
  return {
    url: pathToFileURL(`${path}/`),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Writes files into a new folder. */
async function write(folder: URL, files: Record<string, string>): Promise<URL> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(new URL(name, folder), text);
  }
  return folder;
}

/** Runs a command with an environment of its own; gives what it wrote, once it went well. */
async function run(
  command: string,
  args: string[],
  cwd: URL,
  env: Record<string, string> = {},
): Promise<string> {
  const kept = ["PATH", "HOME", "SystemRoot", "LOCALAPPDATA", "APPDATA", "TMPDIR"];
  const own = kept.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  for (const [name, value] of Object.entries(Deno.env.toObject())) {
    if (/^npm_config_|_proxy$/i.test(name)) own.push([name, value]); // where the registry is
  }
  const child = new Deno.Command(command, {
    args,
    cwd,
    clearEnv: true,
    env: { ...Object.fromEntries(own), NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const guard = setTimeout(() => child.kill("SIGTERM"), PATIENCE);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(guard);
  const [output = "", errors = ""] = [stdout, stderr].map((b) => new TextDecoder().decode(b));
  assert(success, `${command} ${args.join(" ")}\n${output}${errors}`);
  return output;
}

/** The platform under `/api/`, and files of a folder, all as they say they are. */
function serve(files: URL, typeOf: (path: string) => string) {
  const platform = createFakePlatform({ token: TOKEN });
  const own = { organization: "o-1", workspace: "w-1" };
  platform.add({ ...own, id: "t-1", status: "success", result: "s-1", result_type: "source" });
  const asked = new Set<string>();
  const server = listen(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/api/")) return await platform.fetch(request);
    asked.add(pathname);
    const headers = { "content-type": typeOf(pathname) };
    try {
      return new Response(await Deno.readFile(new URL(`.${pathname}`, files)), { headers });
    } catch {
      return new Response(null, { status: 404 });
    }
  });
  return { ...server, asked, host: new URL(server.origin).host };
}

/** A program of a user: it has types, reads a task and handles an error. */
const PROGRAM = (specifier: string, origin: string) => `
import { Credentials, DeepintHTTPError, Task, type TaskInfo } from "${specifier}";

const credentials = new Credentials({ token: "${TOKEN}", instance: "${origin}" });
const ids = { organizationId: "o-1", workspaceId: "w-1" };
const task = await Task.build({ ...ids, taskId: "t-1", credentials });
const info: TaskInfo = await task.resolve();
// @ts-expect-error -- it has a type, and it is not this one
const wrong: number = info.status;
console.log(wrong, JSON.stringify(await task.fetchResult()));
try {
  await Task.build({ ...ids, taskId: "t-none", credentials });
} catch (error) {
  if (error instanceof DeepintHTTPError) console.log(error.name, error.status);
}
`;
const PRINTED = 'success {"source":"s-1"}\nDeepintHTTPError 404\n';

/** The arguments of a Deno that may reach one host alone. */
const denoRun = (host: string) => [
  "run",
  "--check",
  "--no-lock",
  "--no-prompt",
  `--allow-import=${host}`,
  `--allow-net=${host}`,
];

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

Deno.test("the built artifacts install, compile and run", async (t) => {
  await using folder = await scratch();
  const dist = new URL("dist/", folder.url);
  const { files, tarball } = await build(dist).finally(endBundling);
  await using server = serve(
    dist,
    (path) => path.endsWith(".js") ? "text/javascript; charset=utf-8" : "text/plain; charset=utf-8",
  );

  await t.step("SHA256SUMS holds the sum of each artefact", async () => {
    const sums = await Deno.readTextFile(new URL("SHA256SUMS", dist));
    const expected = await Promise.all(
      files.filter((name) => name !== "SHA256SUMS").map(async (name) => {
        const bytes = await Deno.readFile(new URL(name, dist));
        return `${createHash("sha256").update(bytes).digest("hex")}  ${name}`;
      }),
    );
    assert(expected.length >= 5);
    assertEquals(sums, `${expected.join("\n")}\n`);
  });

  await t.step("mod.js maps back to the source, and names no place on this machine", async () => {
    const map = JSON.parse(await Deno.readTextFile(new URL("mod.js.map", dist)));
    assert(map.sources.length > 5);
    for (const [i, source] of map.sources.entries()) {
      assertMatch(source, /^\.\.\/src\/(internal\/)?\w+\.ts$/);
      const original = await Deno.readTextFile(new URL(source, new URL("dist/", root)));
      assertEquals(map.sourcesContent[i], original);
    }
    const code = await Deno.readTextFile(new URL("mod.js", dist));
    assert(code.endsWith("//# sourceMappingURL=mod.js.map\n"));
    const worker = await Deno.readTextFile(new URL("worker.js", dist));
    for (const text of [code, worker]) {
      assert(!text.includes(decodeURIComponent(root.pathname)));
      assert(!/registry|node_modules/.test(text));
    }
  });

  await t.step("mod.js runs by URL, with mod.d.ts as its types, and as a data: URL", async () => {
    const bytes = await Deno.readFile(new URL("mod.js", dist));
    const url = `${server.origin}/mod.js`;
    const project = await write(new URL("browser/", folder.url), {
      "main.ts": `// @ts-types="${server.origin}/mod.d.ts"\n` +
        `import * as byUrl from "${url}";\n` +
        PROGRAM(url, server.origin).replace(
          "\nimport",
          `\n// @ts-types="${server.origin}/mod.d.ts"\nimport`,
        ) +
        `const asData = await import("data:text/javascript;base64," + "${bytes.toBase64()}");\n` +
        `console.log(Object.keys(byUrl).join(), Object.keys(asData).join());\n`,
    });
    const env = { DENO_DIR: fileURLToPath(new URL("browser/.cache", folder.url)) };
    const names = Object.keys(client).toSorted().join();
    assertEquals(
      await run(Deno.execPath(), [...denoRun(server.host), "main.ts"], project, env),
      `${PRINTED}${names} ${names}\n`,
    );
  });

  await t.step("worker.js is a module Worker that takes its bindings as settings", async () => {
    const bindings = {
      DEEPINT_TOKEN: TOKEN,
      DEEPINT_INSTANCE: server.origin,
      RESOLVE_API_KEYS: KEY,
    };
    const project = await write(new URL("worker/", folder.url), {
      "main.js": `import worker from "../dist/worker.js";\n` +
        `const headers = { authorization: "Bearer ${KEY}" };\n` +
        `const request = new Request("https://worker${TASK_PATH}", { headers });\n` +
        `const answer = await worker.fetch(request, ${JSON.stringify(bindings)});\n` +
        `console.log(answer.status);\n`,
    });
    const args = ["run", "--no-prompt", `--allow-net=${server.host}`, "main.js"];
    const lines = (await run(Deno.execPath(), args, project)).trim().split("\n");
    assertEquals(lines.length, 2); // the log has one more
    assertEquals(lines[1], "200");
  });

  await t.step("the npm package installs offline, and brings nothing with it", async () => {
    const project = await write(new URL("node/", folder.url), {
      "package.json": JSON.stringify({ name: "a-project", private: true, type: "module" }),
      "client.ts": PROGRAM(config.name, server.origin),
      "endpoint.ts": ENDPOINT(server.origin),
    });
    const args = ["install", "--offline", "--no-audit", "--no-fund", "--no-update-notifier"];
    const tgz = fileURLToPath(new URL(tarball, dist));
    const cache = fileURLToPath(new URL("npm-cache", folder.url));
    await run("npm", [...args, `--cache=${cache}`, tgz], project);
    const lock = JSON.parse(await Deno.readTextFile(new URL("package-lock.json", project)));
    assertEquals(Object.keys(lock.packages), ["", `node_modules/${config.name}`]);
    assertEquals(lock.packages[`node_modules/${config.name}`].version, config.version);
  });

  await t.step("the npm package compiles under tsc --strict and runs in Node", async () => {
    const project = new URL("node/", folder.url);
    const tools = await installTools();
    const compile = (name: string, options: Record<string, unknown>) => {
      const compilerOptions = {
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck: false,
        target: "es2022",
        ...options,
      };
      return write(project, {
        [name]: JSON.stringify({ compilerOptions, files: ["client.ts", "endpoint.ts"] }),
      }).then(() =>
        run("node", [fileURLToPath(new URL("typescript/lib/tsc.js", tools)), "-p", name], project)
      );
    };
    await Promise.all([
      // as in Node, whose types have what of the web it has
      compile("node.json", {
        module: "nodenext",
        lib: ["es2022"],
        types: ["node"],
        typeRoots: [fileURLToPath(new URL("@types", tools))],
        outDir: "out",
      }),
      // as in a page
      compile("page.json", {
        module: "esnext",
        moduleResolution: "bundler",
        skipLibCheck: true, // they are checked once
        noEmit: true,
      }),
    ]);
    assertEquals(await run("node", ["out/client.js"], project), PRINTED);
    const lines = (await run("node", ["out/endpoint.js"], project)).trim().split("\n");
    assertEquals(lines, ["200", '{"source":"s-1"}', "true CREDENTIALS_INVALID"]);
  });

  await t.step("the package says whose work it bundles", async () => {
    const text = await Deno.readTextFile(new URL("npm/THIRD_PARTY_LICENSES", dist));
    for (const name of ["hono@", "valibot@"]) assertStringIncludes(text, name);
    assertEquals([...text.matchAll(/^Permission is hereby granted/gm)].length, 2);
  });
});

/** The endpoint as a user of the npm package runs it; an error of it is one of the client's. */
const ENDPOINT = (origin: string) => `
import { DeepintCredentialsError } from "${config.name}";
import { type Config, createApp, readConfig } from "${config.name}/endpoint";

const config: Config = readConfig({
  DEEPINT_TOKEN: "${TOKEN}",
  DEEPINT_INSTANCE: "${origin}",
  RESOLVE_API_KEYS: "${KEY}",
});
const app = createApp(config, { log() {} });
const answer = await app.request("${TASK_PATH}", {
  headers: { authorization: "Bearer ${KEY}" },
});
console.log(answer.status);
console.log(JSON.stringify(((await answer.json()) as { result?: unknown }).result));
try {
  createApp({ ...config, token: "two\\nlines" });
} catch (error) {
  const known = error instanceof DeepintCredentialsError;
  console.log(known, known && error.code);
}
`;

/** TypeScript for Node, in dist/ so that it is downloaded once. */
async function installTools(): Promise<URL> {
  const folder = await write(new URL("dist/tools/", root), {});
  const marker = JSON.stringify(TOOLS);
  const installed = await Deno.readTextFile(new URL("installed", folder)).catch(() => "");
  if (installed !== marker) {
    const specifiers = Object.entries(TOOLS).map(([name, version]) => `${name}@${version}`);
    const flags = ["--no-save", "--no-audit", "--no-fund", "--no-update-notifier"];
    await write(folder, { "package.json": '{ "private": true }' });
    await run("npm", ["install", ...flags, "--ignore-scripts", ...specifiers], folder);
    await write(folder, { installed: marker });
  }
  return new URL("node_modules/", folder);
}

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
