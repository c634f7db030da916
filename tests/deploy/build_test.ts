// The artifacts of the build work: from npm, as a browser module, as a Worker. Real servers, compilers and
// package managers, on loopback; only TypeScript for Node comes from the registry, once.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };
import * as client from "../../mod.ts";
import {
  denoRun,
  KEY,
  PRINTED,
  PROGRAM,
  run,
  scratch,
  serve,
  TASK_PATH,
  TOKEN,
  write,
} from "../helpers/install.ts";
import { root } from "../helpers/run_deno.ts";
import { build } from "../tools/build.ts";
import { endBundling } from "../tools/bundle.ts";
import { absoluteLinks } from "../tools/published_readme.ts";

const TOOLS = { "typescript": "5.9.3", "@types/node": "20.19.25" };

/** The import specifiers of the package. */
const EXPORTS = Object.keys(config.exports).map((name) => config.name + name.slice(1));
const REPOSITORY = "https://git.example/an-owner/a-repository";

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

Deno.test("the built artifacts install, compile and run", async (t) => {
  await using folder = await scratch();
  const dist = new URL("dist/", folder.url);
  const { files, tarball } = await build({ into: dist, repository: REPOSITORY })
    .finally(endBundling);
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
      "exports.ts": EXPORTS.map((name, i) =>
        `import * as module${i} from "${name}";\nconsole.log(Object.keys(module${i}).length);\n`
      ).join(""),
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
        [name]: JSON.stringify({
          compilerOptions,
          files: ["client.ts", "endpoint.ts", "exports.ts"],
        }),
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
    const packages = [...text.matchAll(/^(?:@[\w-]+\/)?([\w-]+)@\d+\.\d+\.\d+$/gm)]
      .map(([, name]) => name);
    for (const name of ["hono", "valibot", "commander", "string-width", "slice-ansi"]) {
      assert(packages.includes(name), `${name} of ${packages}`);
    }
    assertEquals(text.match(/^Permission is hereby granted/gm)?.length, packages.length);
  });

  await t.step("the manifest names the repository, and no link of the README is dead", async () => {
    const npm = new URL("npm/", dist);
    const manifest = JSON.parse(await Deno.readTextFile(new URL("package.json", npm)));
    const { repository, bugs, homepage, keywords } = manifest;
    assertEquals(repository, { type: "git", url: `git+${REPOSITORY}.git` });
    assertEquals([bugs.url, homepage], [`${REPOSITORY}/issues`, `${REPOSITORY}#readme`]);
    assert(keywords.length >= 5, `${keywords}`);
    const readme = await Deno.readTextFile(new URL("README.md", npm));
    const links = [...readme.matchAll(/\]\(([^)#]+)/g)].map(([, to = ""]) => to);
    const files = `${REPOSITORY}/blob/v${config.version}/`;
    assert(links.filter((to) => to.startsWith(files)).length > 10);
    for (const to of links) {
      if (to.startsWith(files)) await Deno.stat(new URL(to.slice(files.length), root));
      else if (!to.startsWith("https://")) await Deno.stat(new URL(to, npm));
    }
    const local = absoluteLinks(await Deno.readTextFile(new URL("README.md", root)), undefined);
    assertEquals(local.match(/\]\((?!https:|#|LICENSE)[^)]+\)/g), null);
  });

  await t.step("classes print under their own names in Node", async () => {
    const classes = Object.keys(client).filter((name) =>
      /^[A-Z]/.test(name) && name !== "TaskStatus"
    );
    const program = `
      import { inspect } from "node:util";
      import * as client from "${config.name}";
      for (const name of ${JSON.stringify(classes)}) console.log(client[name].name);
      const credentials = new client.Credentials({ token: "t" });
      const task = client.Task.fromDict(
        { organization_id: "o-1", workspace_id: "w-1", task_id: "t-1" },
        { credentials },
      );
      console.log(task, credentials);
      await task.load({ timeout: -1 }).catch(({ stack }) => console.log(/at .*\\b(_*Task\\.load)/.exec(stack)?.[1]));
      const failed = client.Task.fromDict(
        { ...task.toDict(), info: { id: "t-1", status: "failed", error_code: "QUOTA" } },
        { credentials },
      );
      await failed.resolve().catch((error) => console.log(inspect(error).match(/QUOTA/g).length));
    `;
    const project = new URL("node/", folder.url);
    await write(project, { "names.js": program });
    const [names, printed = ""] = (await run("node", ["names.js"], project)).split(/\n(?=Task \{)/);
    assertEquals(names?.split("\n"), classes);
    assertMatch(printed, /^Task \{[^]*credentials: Credentials \{[^]*\nTask\.load\n2\n$/); // code and errorCode
  });
});
