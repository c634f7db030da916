/** Runs the code blocks of the README and the pages under .github/, against the fake platform. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Webhook } from "standardwebhooks";
import config from "../../deno.json" with { type: "json" };
import { readConfig, SETTING_NAMES } from "../../functions/app.ts";
import { WatchWorkflow } from "../../functions/cloudflare.ts";
import { PROBLEMS } from "../../functions/http/problem.ts";
import { BINDING } from "../../functions/watches/workflows.ts";
import { root } from "../helpers/run_deno.ts";
import { listen } from "../helpers/listen.ts";
import { start } from "../helpers/process.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";

/** A page of servers, which receiving_events_test.ts runs. */
const RECEIVERS = ".github/docs/receiving_events.md";
const names = ["README.md", ...markdown(".github/"), ...markdown(".github/docs/")];
const pages = new Map(
  await Promise.all(
    names.map(async (name) => [name, await Deno.readTextFile(new URL(name, root))] as const),
  ),
);
const blocks = [...pages].filter(([name]) => name !== RECEIVERS)
  .flatMap(([, page]) => [...page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)])
  .map(([, language = "", code = ""]) => ({ language, code }));

/** The pages in a folder, in order of their names. */
function markdown(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, root))]
    .filter(({ name }) => name.endsWith(".md")).map(({ name }) => folder + name).sort();
}

const TOKEN = "the-token-of-the-platform";

/** A block or a task takes so many ms at most: some check types, the demo alone takes 10 s. */
const TIMEOUT_MS = 120_000;

function platform() {
  const platform = createFakePlatform({ token: TOKEN });
  const own = { organization: "o-1", workspace: "w-1" };
  platform.add({ ...own, id: "t-1", status: "success", result: "s-1", result_type: "source" });
  platform.add({
    ...own,
    id: "t-2",
    status: "failed",
    error_code: "QUOTA",
    error_description: "The quota is used up",
  });
  return { ...listen(platform.fetch), platform };
}

async function run(command: string, args: string[], settings: Record<string, string> = {}) {
  await using child = start(command, args, settings, "", TIMEOUT_MS);
  const { code } = await child.status;
  return { code, ...child.output };
}

/** Replaces `deno` and the platform in a block with this Deno and the fake platform. */
function runnable(code: string, origin: string): string {
  return code.replaceAll(/^deno /gm, `"${Deno.execPath()}" `)
    .replaceAll("https://app.deepint.net", origin);
}

Deno.test("README: every TypeScript block type-checks and runs", async (t) => {
  const samples = blocks.filter(({ language }) => language === "ts");
  assert(samples.length >= 2);
  await using server = platform();
  const folder = new URL("dist/readme/", root);
  await Deno.mkdir(folder, { recursive: true });
  const outputs = [
    '{ source: "s-1" }\n',
    "TASK_QUOTA The quota is used up\n",
    't-1 { source: "s-1" }\nt-2 TASK_QUOTA\n',
  ];
  for (const [i, { code }] of samples.entries()) {
    await t.step(`block ${i + 1}`, async () => {
      const file = new URL(`${i + 1}.ts`, folder);
      await Deno.writeTextFile(file, code.replaceAll("https://app.deepint.net", server.origin));
      const args = ["run", "--check", "--frozen", "--no-prompt", "--allow-net=127.0.0.1"];
      const ran = await run(Deno.execPath(), [...args, "--allow-env", file.pathname], {
        DEEPINT_TOKEN: TOKEN,
        DEEPINT_INSTANCE: server.origin,
      });
      assertEquals(ran.code, 0, ran.stderr);
      assertEquals(ran.stdout, outputs[i]);
    });
  }
});

Deno.test("README: the endpoint starts and answers each curl block", async () => {
  await using server = platform();
  const shell = blocks.filter(({ language }) => language === "sh").map(({ code }) => code);
  const settings = shell.find((code) => code.includes("deno task start"));
  const asks = shell.filter((code) => /curl .*\/resolve /.test(code));
  assert(settings);
  assertEquals(asks.length, 3);
  await Deno.mkdir(new URL("dist/", root), { recursive: true });

  // in a shell of its own that becomes the task, and on a free port
  const script = settings.replace("deno task", `exec "${Deno.execPath()}" task`);
  const settled = { PORT: "0", DEEPINT_INSTANCE: server.origin };
  await using process = start("bash", ["-c", script], settled, "", TIMEOUT_MS);
  const url = await process.waitForOutput(/"listening":"([^"]+)\/"/);
  for (const ask of asks) {
    const script = runnable(ask, server.origin).replaceAll("http://localhost:8000", url);
    const ran = await run("bash", ["-euo", "pipefail", "-c", script]);
    assertEquals(ran.code, 0, ran.stderr);
    assert(/^HTTP\/1.1 200 /.test(ran.stdout), ran.stdout);
    assertStringIncludes(ran.stdout, '{"status":"success","result":{"source":"s-1"}');
  }
});

Deno.test("README: a watch is created and its callback arrives signed", async () => {
  await using server = platform();
  const shell = blocks.filter(({ language }) => language === "sh").map(({ code }) => code);
  const settings = shell.find((code) => code.includes("deno task start")) ?? "";
  const keep = shell.find((code) => code.includes("RESOLVE_KV_PATH")) ?? "";
  const [ask, ...more] = shell.filter((code) => /curl .*\/watches /.test(code));
  assert(ask);
  assertEquals(more, []);

  const arrived = Promise.withResolvers<{ headers: Record<string, string>; body: string }>();
  await using hooks = listen(async (request) => {
    arrived.resolve({ headers: Object.fromEntries(request.headers), body: await request.text() });
    return new Response(null, { status: 204 });
  });
  const store = await Deno.makeTempDir();
  const here = (code: string) =>
    code.replaceAll("https://hooks.example.com", hooks.origin)
      .replaceAll("hooks.example.com", `127.0.0.1:${hooks.port}`)
      .replaceAll("/data/", `${store}/`);
  const script = settings.replace("deno task start\n", "") +
    here(keep).replace("deno task", `exec "${Deno.execPath()}" task`);
  const kept = start("bash", ["-euc", script], { PORT: "0", DEEPINT_INSTANCE: server.origin });
  try {
    const url = await kept.waitForOutput(/"listening":"([^"]+)\/"/);
    const script = here(ask).replaceAll("http://localhost:8000", url);
    const ran = await run("bash", ["-euo", "pipefail", "-c", script]);
    assertEquals(ran.code, 0, ran.stderr);
    assert(/^HTTP\/1.1 202 /.test(ran.stdout), ran.stdout);
    assert(/"id":"[0-9a-f]{64}-0","state":"watching"/.test(ran.stdout), ran.stdout);
    const { headers, body } = await arrived.promise;
    const [, secret = ""] = /hooks\.example\.com=(whsec_[^"]+)/.exec(keep) ?? [];
    const event = new Webhook(secret).verify(body, headers) as Record<string, unknown>;
    assert(/^[0-9a-f-]{36}$/.test(String(headers["webhook-id"])));
    assertEquals(event.type, "task.success");
    assertStringIncludes(body, '"data":{"status":"success","result":{"source":"s-1"}');
  } finally {
    await kept.end("SIGTERM");
    await Deno.remove(store, { recursive: true });
  }
});

Deno.test("README: the Worker exports the Workflow of wrangler's settings", () => {
  const [text, ...more] = blocks.filter(({ language }) => language === "jsonc");
  assertEquals(more, []);
  const { workflows } = JSON.parse((text?.code ?? "").replace(/^\/\/.*$/m, ""));
  const [{ binding, class_name }] = workflows;
  assertEquals([binding, class_name], [BINDING, WatchWorkflow.name]);
});

Deno.test("README: the commands of the CLI work and install", async () => {
  await using server = platform();
  const bin = await Deno.makeTempDir({ prefix: "readme-" });
  const env = { DEEPINT_TOKEN: TOKEN, DEEPINT_INSTANCE: server.origin, DENO_INSTALL_ROOT: bin };
  try {
    const shell = blocks.filter(({ code }) => /^deno (task cli|install)/.test(code));
    assertEquals(shell.length, 2);
    const script = shell.map(({ code }) => runnable(code, server.origin)).join("");
    const ran = await run("bash", ["-euo", "pipefail", "-c", script], env);
    assertEquals(ran.code, 0, ran.stderr);
    assertMatch(ran.stdout, /^TASK[^]*\bt-1\b[^]*\bt-2\b[^]*source s-1[^]*"result":"s-1"/);
    const { stdout } = await run(`${bin}/bin/deepint-task`, ["result", "o-1/w-1/t-1"], env);
    assertMatch(stdout, /^source s-1 {2}http/);
  } finally {
    await Deno.remove(bin, { recursive: true });
  }
});

Deno.test("README: the API reference has a page for every export", async () => {
  const ran = await run(Deno.execPath(), ["task", "docs"]);
  assertEquals(ran.code, 0, ran.stderr);
  const exported = {
    "": await import("../../mod.ts"),
    "endpoint/": await import("../../functions/app.ts"),
    "webhook/": await import("../../src/webhook.ts"),
  };
  for (const [folder, module] of Object.entries(exported)) {
    for (const name of Object.keys(module)) {
      const page = await Deno.readTextFile(new URL(`dist/docs/${folder}~/${name}.html`, root));
      assertStringIncludes(page, name);
    }
  }
});

Deno.test("README: the demo shows the responses and exits with 0", async () => {
  const ran = await run(Deno.execPath(), ["task", "demo"]);
  assertEquals(ran.code, 0, ran.stdout + ran.stderr);
  const statuses = [...ran.stdout.matchAll(/^← (\d+)/gm)].map(([, status]) => status);
  assertEquals(statuses, ["202", "202", "200", "202", "503", "200", "424"]);
});

Deno.test("README and .github: commands, links and file names exist", async () => {
  assert(pages.size >= 13);
  let files = 0;
  for (const [page, text] of pages) {
    const at = new URL(page, root);
    for (const [, name = ""] of text.matchAll(/deno(?:@2\.9\.6)? task (\w+)/g)) {
      assert(Object.hasOwn(config.tasks, name), `${page}: no task ${name}`);
    }
    const links = [...text.matchAll(/\]\((?!https:)([^)#]+)/g)].map(([, to = ""]) =>
      new URL(to, at)
    );
    const named = [...text.matchAll(/`((?:src|tests|functions|\.ci)\/[\w./-]*)`/g)]
      .map(([, to = ""]) => new URL(to, root));
    for (const file of [...links, ...named]) {
      await Deno.stat(file).catch(() => Promise.reject(new Error(`${page}: no ${file}`)));
      files++;
    }
  }
  assert(files > 40, `${files} files`);
});

Deno.test("README: the endpoint accepts a generated key and secret", async () => {
  const commands = [...pages.values()].flatMap((page) =>
    [...page.matchAll(/key\s+with\s+`(openssl [^`]+)`\s+and\s+a\s+secret\s+with\s+`([^`]+)`/g)]
      .map(([, key = "", secret = ""]) => [key, secret])
  );
  assertEquals(commands.length, 2);
  assertEquals(commands[0], commands[1]);
  const [[key = "", secret = ""] = []] = commands;
  const [RESOLVE_API_KEYS = "", RESOLVE_LINK_SECRETS = ""] = await Promise.all(
    [key, secret].map(async (line) => (await run("bash", ["-c", line])).stdout.trim()),
  );
  assertEquals([RESOLVE_API_KEYS.length, RESOLVE_LINK_SECRETS.length], [64, 50]);
  readConfig({ DEEPINT_TOKEN: TOKEN, RESOLVE_API_KEYS, RESOLVE_LINK_SECRETS }); // throws for one it refuses
});

Deno.test("docs: the tables have every setting and every problem", () => {
  const rows = (name: string) =>
    [...(pages.get(`.github/docs/${name}.md`) ?? "").matchAll(/^\| `([^`]+)` +\| ([^|]+)/gm)]
      .map(([, name, rest = ""]) => ({ name, rest: rest.trim() }));
  assertEquals(rows("settings").map(({ name }) => name).toSorted(), SETTING_NAMES.toSorted());
  assertEquals(
    rows("problems").map(({ name, rest }) => [name, Number(rest)]),
    Object.entries(PROBLEMS).map(([name, { status }]) => [name, status]),
  );
});

Deno.test("CONTRIBUTING: every module in its layout and call paths exists", async () => {
  const page = pages.get(".github/CONTRIBUTING.md") ?? "";
  const modules = [...page.matchAll(/^```text\n([^]*?)^```$/gm)]
    .flatMap(([block]) => block.match(/[\w/]+\.ts\b/g) ?? []);
  assert(modules.length >= 14, `${modules.length} modules`);
  const folders = ["", "functions/", "src/"];
  for (const name of modules) {
    const found = await Promise.all(
      folders.map((folder) =>
        Deno.stat(new URL(folder + name, root)).then(() => true, () => false)
      ),
    );
    assert(found.includes(true), `no ${name}`);
  }
});
