/** Runs the code blocks of the README and of the pages about the client and the command line. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createFakePlatform } from "../helpers/fake_platform.ts";
import { freshClone } from "../helpers/fresh_clone.ts";
import { listen } from "../helpers/listen.ts";
import { blockOf, BLOCKS, withThisDeno } from "../helpers/pages.ts";
import { type Process, start } from "../helpers/process.ts";
import { root } from "../helpers/run_deno.ts";

const TOKEN = "the-token-of-the-platform";

/** Time for one block: some check types, the demo alone takes 10 s. */
const TIMEOUT_MS = 120_000;

/** Starts a platform with a finished and a failed task. */
function servePlatform() {
  const platform = createFakePlatform({ token: TOKEN });
  const own = { organization: "o-1", workspace: "w-1" };
  platform.add({ ...own, id: "t-1", status: "success", result: "s-1", result_type: "source" });
  const error = { error_code: "QUOTA", error_description: "The quota is used up" };
  platform.add({ ...own, id: "t-2", status: "failed", ...error });
  return { ...listen(platform.fetch), platform };
}

async function run(command: string, args: string[], settings: Record<string, string> = {}) {
  await using child = start(command, args, settings, "", TIMEOUT_MS);
  const { code } = await child.status;
  return { code, ...child.output };
}

function runScript(script: string, settings: Record<string, string> = {}) {
  return run("bash", ["-euo", "pipefail", "-c", script], settings);
}

/** Writes a block to a file of the project, which has its imports. Returns the path. */
async function writeModule(name: string, code: string): Promise<string> {
  const folder = new URL("dist/readme/", root);
  await Deno.mkdir(folder, { recursive: true });
  const file = new URL(`${name}.ts`, folder);
  await Deno.writeTextFile(file, code);
  return decodeURIComponent(file.pathname);
}

/** Starts the endpoint with the commands of the README, on a free port. */
function startEndpoint(script: string, instance: string): Process {
  const command = script.replace("deno task", `exec "${Deno.execPath()}" task`);
  const settings = { PORT: "0", DEEPINT_INSTANCE: instance };
  return start("bash", ["-euc", command], settings, "", TIMEOUT_MS);
}

const START = blockOf("README.md", "sh", /^export DEEPINT_TOKEN[^]*deno task start/);
const CLIENT = ".github/docs/client.md";
const COMMAND_LINE = ".github/docs/command_line.md";

const SAMPLES = [
  ["README.md", /Task\.fromUrl/, '{ source: "s-1" }\n'],
  ["README.md", /Task\.build/, "TASK_QUOTA The quota is used up\n"],
  [CLIENT, /resolveAll/, 't-1 { source: "s-1" }\nt-2 TASK_QUOTA\n'],
] as const;
for (const [page, pattern, output] of SAMPLES) {
  Deno.test(`${page}: the sample of ${pattern.source} type-checks and runs`, async () => {
    await using server = servePlatform();
    const code = blockOf(page, "ts", pattern).replaceAll("https://app.deepint.net", server.origin);
    const file = await writeModule(pattern.source.replace(/\W+/g, "_"), code);
    const args = ["run", "--check", "--frozen", "--no-prompt", "--allow-net=127.0.0.1"];
    const ran = await run(Deno.execPath(), [...args, "--allow-env", file], {
      DEEPINT_TOKEN: TOKEN,
      DEEPINT_INSTANCE: server.origin,
    });
    assertEquals(ran.code, 0, ran.stderr);
    assertEquals(ran.stdout, output);
  });
}

Deno.test("README: the client needs only the permissions that it names", async () => {
  await using server = servePlatform();
  const home = await Deno.makeTempDir();
  try {
    const ini = `[DEFAULT]\ntoken=${TOKEN}\ninstance=${server.origin}\n`;
    await Deno.writeTextFile(`${home}/.deepint.ini`, ini);
    const sample = blockOf("README.md", "ts", /Task\.fromUrl/)
      .replaceAll("https://app.deepint.net", server.origin);
    const main = await writeModule("main", sample);
    const script = withThisDeno(blockOf("README.md", "sh", /--allow-net=app/))
      .replace("app.deepint.net", `127.0.0.1:${server.port} --no-prompt`)
      .replace("main.ts", `"${main}"`);
    const deno = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
    const ran = await runScript(script, { HOME: home, DENO_DIR: deno });
    assertEquals(ran.code, 0, ran.stderr);
    assertEquals(ran.stdout, '{ source: "s-1" }\n');
  } finally {
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("README: createApp serves the endpoint below a path of another app", async () => {
  await using server = servePlatform();
  const file = await writeModule("app", blockOf("README.md", "ts", /createApp/));
  const args = ["serve", "--check", "--frozen", "--no-prompt", "--port=0", "--host=127.0.0.1"];
  await using app = start(Deno.execPath(), [...args, "--allow-net", "--allow-env", file], {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: server.origin,
    RESOLVE_API_KEYS: "a-key-of-16-characters-or-more",
  });
  const url = await app.waitForOutput(/(http:\/\/127\.0\.0\.1:\d+)/);
  assertEquals(await (await fetch(url)).text(), "My app");
  const resolved = await fetch(`${url}/tasks/resolve`, {
    method: "POST",
    headers: {
      authorization: "Bearer a-key-of-16-characters-or-more",
      "content-type": "application/json",
    },
    body: JSON.stringify({ organization_id: "o-1", workspace_id: "w-1", task_id: "t-1" }),
  });
  assertEquals((await resolved.json()).result, { source: "s-1" });
});

Deno.test("README: the endpoint starts and responds to each request of the pages", async () => {
  await using server = servePlatform();
  await using clone = await freshClone();
  const requests = BLOCKS.filter(({ language, code }) =>
    language === "sh" && /curl .*\/resolve /.test(code)
  );
  assertEquals(requests.map(({ page }) => page), ["README.md", COMMAND_LINE, COMMAND_LINE]);
  await using endpoint = startEndpoint(clone.inside(START), server.origin);
  const url = await endpoint.waitForOutput(/"listening":"([^"]+)\/"/);
  for (const { code } of requests) {
    const script = withThisDeno(code).replaceAll("https://app.deepint.net", server.origin)
      .replaceAll("http://localhost:8000", url);
    const stdout = await clone.shell(script);
    assert(/^HTTP\/1.1 200 /.test(stdout), stdout);
    assertStringIncludes(stdout, '{"status":"success","result":{"source":"s-1"}');
  }
  await clone.assertClean();
});

Deno.test("README: the receiver verifies the event of a watch", async () => {
  await using server = servePlatform();
  const file = await writeModule("receiver", blockOf("README.md", "ts", /verifyEvent/));
  const args = ["serve", "--check", "--frozen", "--no-prompt", "--port=0", "--host=127.0.0.1"];
  await using receiver = start(Deno.execPath(), [...args, file], {}, "", TIMEOUT_MS);
  const { host, origin } = new URL(await receiver.waitForOutput(/(http:\/\/127\.0\.0\.1:\d+)/));
  const store = await Deno.makeTempDir();
  const here = (code: string) =>
    code.replaceAll("https://hooks.example.com", origin)
      .replaceAll("hooks.example.com", host)
      .replaceAll("/data/", `${store}/`);
  const settings = here(blockOf("README.md", "sh", /RESOLVE_KV_PATH/));
  const endpoint = startEndpoint(START.replace("deno task start\n", "") + settings, server.origin);
  try {
    const url = await endpoint.waitForOutput(/"listening":"([^"]+)\/"/);
    const create = here(blockOf("README.md", "sh", /curl .*\/watches /));
    const ran = await runScript(create.replaceAll("http://localhost:8000", url));
    assertEquals(ran.code, 0, ran.stderr);
    assertMatch(ran.stdout, /^HTTP\/1.1 202 [^]*"id":"[0-9a-f]{64}-0","state":"watching"/);
    await receiver.waitForOutput(/^task\.success t-1$/m);
    const forged = await fetch(origin, { method: "POST", body: "{}" });
    assertEquals([forged.status, await forged.text()], [400, "MISSING_HEADERS"]);
  } finally {
    await endpoint.end("SIGTERM");
    await Deno.remove(store, { recursive: true });
  }
});

Deno.test("README: the commands of the CLI work and install", async () => {
  await using server = servePlatform();
  const bin = await Deno.makeTempDir({ prefix: "readme-" });
  const env = { DEEPINT_TOKEN: TOKEN, DEEPINT_INSTANCE: server.origin, DENO_INSTALL_ROOT: bin };
  try {
    const script = blockOf("README.md", "sh", /^deno task cli/) +
      blockOf("README.md", "sh", /^deno install/);
    const ran = await runScript(
      withThisDeno(script).replaceAll("https://app.deepint.net", server.origin),
      env,
    );
    assertEquals(ran.code, 0, ran.stderr);
    assertMatch(ran.stdout, /^TASK[^]*\bt-1\b[^]*\bt-2\b[^]*source s-1[^]*"result":"s-1"/);
    const [, wait = ""] = /^\$ (.+)\n/.exec(blockOf("README.md", "console")) ?? [];
    const waited = await runScript(`${bin}/bin/${wait}`, env);
    assertEquals(waited.code, 3, waited.stderr);
    assertMatch(waited.stdout, /^t-1 +source s-1 /);
  } finally {
    await Deno.remove(bin, { recursive: true });
  }
});

Deno.test("README: the demo shows the responses and exits with 0", async () => {
  const ran = await run(Deno.execPath(), ["task", "demo"]);
  assertEquals(ran.code, 0, ran.stdout + ran.stderr);
  const statuses = [...ran.stdout.matchAll(/^← (\d+)/gm)].map(([, status]) => status);
  assertEquals(statuses, ["202", "202", "200", "401", "202", "503", "200", "424", "502"]);
});
