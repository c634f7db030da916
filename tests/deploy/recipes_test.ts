// The recipes of .github/docs/recipes.md, as far as they run without their platforms.
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { createApp, readConfig } from "../../functions/app.ts";
import { IDS, KEY, post, SECRET, signed, TASK_PATH, TOKEN } from "../helpers/endpoint.ts";
import { createFakePlatform, type FakeTask } from "../helpers/fake_platform.ts";
import { listen, type Listening } from "../helpers/listen.ts";
import { type Process, start } from "../helpers/process.ts";
import { root } from "../helpers/run_deno.ts";

const page = await Deno.readTextFile(new URL(".github/docs/recipes.md", root));

/** Returns the code blocks of a language. */
function blocksOf(language: string): string[] {
  return [...page.matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
    .filter(([, name]) => name === language).map(([, , code = ""]) => code);
}

/** A fake platform that listens, and the settings of an endpoint in front of it. */
function serve(task: FakeTask): Listening & { settings: Record<string, string> } {
  const platform = createFakePlatform({ token: TOKEN });
  platform.add({ id: "t-1", ...task });
  const server = listen(platform.fetch);
  const settings = {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: server.origin,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_WEBHOOK_SECRETS: SECRET,
  };
  return { ...server, settings };
}

/** Starts a command of a recipe in a folder. */
function startIn(folder: string, command: string[], settings: Record<string, string>): Process {
  const args = ["-c", 'cd "$0" && exec "$@"', folder, ...command];
  return start("bash", args, settings);
}

/** Checks that a server of a recipe resolves the task and ends on SIGTERM. */
async function checkServer(server: Process): Promise<void> {
  const url = await server.waitForOutput(/"listening":"([^"]+)\/"/);
  const headers = { authorization: `Bearer ${KEY}` };
  const response = await fetch(`${url}/resolve`, post(IDS, { headers }));
  assertEquals([response.status, (await response.json()).status], [200, "success"]);
  assertEquals(await server.end("SIGTERM"), 0, server.output.stderr);
}

const [step = ""] = blocksOf("yaml");

/** Runs the script of the GitHub Actions step. `sleep` is a script that logs its argument. */
async function runStep(endpoint: string, folder: string) {
  const script = step.split("  run: |\n")[1]?.replaceAll(/^ {4}/gm, "") ?? "";
  await Deno.writeTextFile(`${folder}/sleep`, '#!/bin/sh\necho "$1" >> slept.txt\n', {
    mode: 0o755,
  });
  await Deno.writeTextFile(`${folder}/step.sh`, script);
  const [, TASK = ""] = /TASK: '(.*)'/.exec(step) ?? [];
  const path = `${folder}:${Deno.env.get("PATH")}`;
  const env = { ENDPOINT: endpoint, KEY, TASK, PATH: path };
  await using shell = startIn(folder, ["bash", "-e", "step.sh"], env);
  const { code } = await shell.status;
  const slept = await Deno.readTextFile(`${folder}/slept.txt`).catch(() => "");
  return { code, stdout: shell.output.stdout, slept: slept.trim().split("\n") };
}

const OTHER_IDS = { organization: "o-1", workspace: "w-1" };

Deno.test("the GitHub Actions step waits for the task and prints its result", async () => {
  const folder = await Deno.makeTempDir();
  const steps = [{ status: "running", polls: 2 }, { status: "success", result: "s-1" }];
  await using platform = serve({ ...OTHER_IDS, steps });
  const app = createApp(readConfig(platform.settings), { log() {} });
  let outages = 1;
  await using endpoint = listen((request) =>
    outages-- > 0 ? new Response("bad gateway", { status: 502 }) : app.fetch(request)
  );
  const { code, stdout, slept } = await runStep(endpoint.origin, folder);
  assertEquals(code, 0, stdout);
  assertMatch(stdout, /^\{"status":"success"/);
  assertMatch(slept.join(), /^10,\d,\d$/, "10 s after the outage, then Retry-After");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the GitHub Actions step fails with a failed task", async () => {
  const folder = await Deno.makeTempDir();
  await using platform = serve({ ...OTHER_IDS, status: "failed", error_code: "QUOTA" });
  const app = createApp(readConfig(platform.settings), { log() {} });
  await using endpoint = listen(app.fetch);
  const { code, stdout, slept } = await runStep(endpoint.origin, folder);
  assertEquals([code, slept], [1, [""]]);
  assertMatch(stdout, /"code":"TASK_QUOTA"/);
  await Deno.remove(folder, { recursive: true });
});

/** Copies files and folders of the project, as `COPY` does. */
async function copyProject(names: string[], folder: string): Promise<void> {
  const sources = names.map((name) => decodeURIComponent(new URL(name, root).pathname));
  const copy = new Deno.Command("cp", { args: ["-R", ...sources, folder] });
  assert((await copy.output()).success);
}

/** Executes the instructions of a Dockerfile in a folder. Returns the command of the image. */
async function executeDockerfile(text: string, folder: string): Promise<string[]> {
  const project = ["deno.json", "deno.lock", "mod.ts", "src", "functions"];
  for (const line of text.split("\n")) {
    const [instruction, ...args] = line.split(" ");
    if (instruction === "COPY" && args.length > 1 && !args[0]?.startsWith("--from")) {
      const sources = args[0] === "." ? project : args.slice(0, -1);
      await copyProject(sources, folder);
    }
    if (instruction === "RUN" && args[0] === "deno") {
      await using build = startIn(folder, [Deno.execPath(), ...args.slice(1)], {});
      assertEquals((await build.status).code, 0, build.output.stderr);
    }
    if (instruction === "CMD") return JSON.parse(args.join(" "));
  }
  throw new Error("no CMD");
}

for (const [index, name] of ["Deno", "Node"].entries()) {
  Deno.test(`the Dockerfile for ${name} builds a server that resolves a task`, async () => {
    const folder = await Deno.makeTempDir();
    await using platform = serve({ status: "success", result: "s-1" });
    const text = blocksOf("dockerfile")[index] ?? "";
    assertMatch(text, /^FROM denoland\/deno:2\.9\.6/);
    assertMatch(text, /^USER (deno|node)$/m);
    const [program, ...args] = await executeDockerfile(text, folder);
    const command = [
      program === "deno" ? Deno.execPath() : program ?? "",
      ...args.map((it) => it.replace("/app/", `${folder}/`)),
    ];
    const kv = /^ENV RESOLVE_KV_PATH=\/data\/(.+)$/m.exec(text)?.[1];
    const settings = { ...platform.settings, ...(kv && { RESOLVE_KV_PATH: `${folder}/${kv}` }) };
    await using server = startIn(folder, command, { ...settings, PORT: "0" });
    await checkServer(server);
    await Deno.remove(folder, { recursive: true });
  });
}

const [unit = ""] = blocksOf("ini");
const [, exec = ""] = /^ExecStart=(.+)$/m.exec(unit) ?? [];

Deno.test("the command of the systemd unit serves and ends before TimeoutStopSec", async () => {
  const folder = await Deno.makeTempDir();
  await using platform = serve({ status: "success", result: "s-1" });
  const [build = ""] = blocksOf("bash").filter((code) => code.startsWith("deno bundle"));
  const [bundle = ""] = build.split("\n");
  await copyProject(["deno.json", "deno.lock", "mod.ts", "src", "functions"], folder);
  await Deno.mkdir(`${folder}/dist`);
  const [, ...args] = bundle.split(" ");
  await using bundling = startIn(folder, [Deno.execPath(), ...args], {});
  assertEquals((await bundling.status).code, 0, bundling.output.stderr);

  const command = exec.replace("/usr/bin/", "").replace("/opt/deepint-task/", `${folder}/dist/`);
  await using server = startIn(folder, command.split(" "), { ...platform.settings, PORT: "0" });
  const startedAt = performance.now();
  await checkServer(server);
  const [, limit] = /^TimeoutStopSec=(\d+)$/m.exec(unit) ?? [];
  assertLess(performance.now() - startedAt, Number(limit) * 1_000);
  assertLess(readConfig(platform.settings).timeout, Number(limit) * 1_000);
  await Deno.remove(folder, { recursive: true });
});

/** Sends requests to a mounted endpoint: a signed delivery, and the URL in its `Location`. */
async function checkMount(send: (path: string, init: RequestInit) => Promise<Response>) {
  const timestamp = Math.floor(Date.now() / 1_000);
  const delivery = await signed(post({ ...IDS, pending: "accepted" }), { timestamp });
  const created = await send("/tasks/resolve", delivery);
  const location = created.headers.get("location") ?? "";
  assertEquals([created.status, location], [202, `/tasks${TASK_PATH}`], await created.text());
  const headers = { "x-api-key": KEY };
  const polled = await send(location, { headers });
  assertEquals([polled.status, (await polled.json()).status], [202, "running"]);
  const head = await send(location, { headers, method: "HEAD" });
  assertEquals([head.status, await head.text()], [202, ""]);
  const refused = await send("/tasks/resolve", post(IDS));
  const { type } = await refused.json();
  assertEquals([refused.status, type], [401, "/tasks/problems/unauthorized"]);
}

/** Runs a block of JavaScript as a process, which prints the responses that `client` returns. */
async function withMounted(
  index: number,
  use: (origin: string) => Promise<void>,
): Promise<void> {
  const folder = new URL("dist/recipes/", root);
  await Deno.mkdir(folder, { recursive: true });
  const file = new URL(`mounted_${index}.js`, folder);
  await Deno.writeTextFile(file, blocksOf("js")[index] ?? "");
  const server = new URL(`mounted_${index}_server.js`, folder);
  await Deno.writeTextFile(server, SERVERS[index]?.replace("FILE", file.href) ?? "");
  await using platform = serve({ status: "running" });
  const settings = { ...platform.settings, RESOLVE_BASE_PATH: "/tasks" };
  const args = ["run", "--quiet", "--no-prompt", "--frozen", "-A", server.pathname];
  await using process = start(Deno.execPath(), args, settings);
  await use(await process.waitForOutput(/at (http:\S+)/));
}

/** Servers of the apps that the blocks export. */
const SERVERS = [
  `import app from "FILE";
  Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log("at http://127.0.0.1:" + port) }, app.fetch);`,
  `import app from "FILE";
  const server = app.listen(0, "127.0.0.1", () => console.log("at http://127.0.0.1:" + server.address().port));`,
  `import * as route from "FILE";
  Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) => console.log("at http://127.0.0.1:" + port) },
    (request) => route[request.method](request, { params: Promise.resolve({ path: [] }) }));`,
];

for (const [index, name] of ["a Hono app", "an Express app"].entries()) {
  Deno.test(`the endpoint mounted in ${name} resolves a signed delivery`, async () => {
    await withMounted(index, async (origin) => {
      await checkMount((path, init) => fetch(origin + path, init));
      const own = index === 0
        ? await fetch(`${origin}/`)
        : await fetch(`${origin}/`, post({ own: "body" }));
      assertEquals([own.status, await own.text()], [
        200,
        index === 0 ? "my app" : '{"own":"body"}',
      ]);
    });
  });
}

Deno.test("the Next.js route handler resolves a signed delivery", async () => {
  await withMounted(2, async (origin) => {
    await checkMount((path, init) => fetch(origin + path, init));
  });
});

Deno.test("the input transformer for EventBridge makes a body that the endpoint accepts", async () => {
  const [json = ""] = blocksOf("json");
  const { InputPathsMap: paths, InputTemplate: template } = JSON.parse(json);
  const event = {
    detail: { organization: IDS.organization_id, workspace: IDS.workspace_id, task: IDS.task_id },
  };
  // as EventBridge does: a value of the event replaces its name, text in quotes
  const body = String(template).replace(/<(\w+)>/g, (_, name) => {
    const [, ...keys] = String(paths[name]).split(".");
    const value = keys.reduce((it: unknown, key) => Reflect.get(Object(it), key), event);
    return JSON.stringify(value);
  });
  assertEquals(JSON.parse(body), IDS);
  await using platform = serve({ status: "running" });
  const settings = { ...platform.settings, RESOLVE_TIMEOUT_MS: "4000", RESOLVE_PENDING: "retry" };
  const app = createApp(readConfig(settings), { log() {} });
  const response = await app.request("/resolve", post(body, { headers: { "x-api-key": KEY } }));
  assertEquals([response.status, (await response.json()).code], [503, "TASK_PENDING"]);
});
