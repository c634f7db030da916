// The runner behind `deno task runtimes`: the shared suite on each runtime, bundled with the module
// and minified, as a user has it. Names of runtimes as arguments run only those.
// deno-lint-ignore-file no-console
import { deno, root } from "../helpers/run_deno.ts";
import { listen } from "../helpers/listen.ts";
import { closingLine } from "../tools/test_runner.ts";
import {
  binaryIn,
  findChromium,
  freePort,
  install,
  make,
  output,
  path,
  workerdConfig,
} from "./packages.ts";
import { startServers } from "./server.ts";
import { isSigned } from "../helpers/endpoint.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import { KEY, SECRET, type ServerContext, type TestResult, testsFor, TOKEN } from "./suite.ts";

/** What a runtime made of the suite. */
interface Outcome {
  version: string;
  results: TestResult[];
  /** All that the runtime wrote. */
  output: string;
}

interface Runtime {
  /** Not for a browser. */
  endpoint: boolean;
  /** Its tests, where they are not the suite's. */
  tests?: string[];
  run(servers: ServerContext, signal: AbortSignal): Promise<Outcome>;
}

/** Milliseconds for one runtime, and for all of it. */
const RUNTIME_DEADLINE = 30_000;
const DEADLINE = 170_000;

const end = Date.now() + DEADLINE;
let interrupted = false;

const WATCH =
  "functions/cloudflare.ts keeps a watch on Workflows, and calls back until it is taken";

const runtimes: Record<string, Runtime> = {
  deno: {
    endpoint: true,
    async run(servers, signal) {
      const file = await bundle("deno");
      // no permission to read the environment or a file: the module must do without
      const args = ["run", "--no-prompt", "--no-config", "--allow-net=127.0.0.1,localhost", file];
      return { version: Deno.version.deno, ...await stub(Deno.execPath(), args, servers, signal) };
    },
  },
  workerd: workerd("2026-07-30"),
  // Workers keep the behaviour of their date: at this one, a request with `cache` throws
  "workerd-2023": workerd("2023-07-01"),
  // what of Cloudflare is no part of workerd
  miniflare: {
    tests: [WATCH],
    endpoint: true,
    async run(servers, signal) {
      await make("functions/cloudflare.ts", path("cloudflare.mjs"));
      const { result, output } = await keepWatch(servers, signal);
      return { version: await packageVersion("miniflare"), results: [result], output };
    },
  },
  "edge-runtime": {
    endpoint: true,
    async run(servers, signal) {
      const file = await bundle("edge_runtime", "iife");
      const cli = path("node_modules/edge-runtime/dist/cli/index.js");
      const port = freePort();
      const args = [cli, "--listen", "--host", "127.0.0.1", "--port", String(port), file];
      const server = start("node", args, signal);
      const results = await post(`http://127.0.0.1:${port}/suite`, servers, server, signal);
      return { version: await packageVersion("edge-runtime"), ...results };
    },
  },
  bun: {
    endpoint: true,
    async run(servers, signal) {
      const file = await bundle("bun");
      const binary = await binaryIn("@oven", "bun");
      const version = await versionOf(binary, ["--version"]);
      return { version, ...await stub(binary, ["run", file], servers, signal) };
    },
  },
  node: {
    endpoint: true,
    async run(servers, signal) {
      const file = await bundle("node");
      const version = await versionOf("node", ["--version"]);
      return { version, ...await stub("node", [file], servers, signal) };
    },
  },
  chromium: {
    endpoint: false,
    async run(servers, signal) {
      const script = await Deno.readTextFile(await bundle("chromium"));
      const chromium = await findChromium();
      const version = await versionOf(chromium, ["--version"]);
      return { version, ...await browse(chromium, script, servers, signal) };
    },
  },
};

function workerd(compatibilityDate: string): Runtime {
  return {
    endpoint: true,
    async run(servers, signal) {
      await bundle("workerd");
      // The binary alone, without miniflare: that would add a Node of 22 or later, and no runtime.
      const binary = await binaryIn("@cloudflare", "workerd");
      const port = freePort();
      const config = path("workerd.capnp");
      await Deno.writeTextFile(config, workerdConfig("workerd.mjs", port, compatibilityDate));
      const worker = start(binary, ["serve", config], signal);
      const suite = await post(`http://127.0.0.1:${port}/suite`, servers, worker, signal);
      const entry = await cloudflareEntry(binary, compatibilityDate, servers, signal);
      return {
        version: await packageVersion("workerd"),
        results: [...suite.results, ...entry.results],
        output: suite.output + entry.output,
      };
    },
  };
}

/** Boots `functions/cloudflare.ts` itself, with bindings, and takes a signed request to its end. */
async function cloudflareEntry(
  binary: string,
  compatibilityDate: string,
  servers: ServerContext,
  signal: AbortSignal,
): Promise<{ results: TestResult[]; output: string }> {
  await make("functions/cloudflare.ts", path("cloudflare.mjs"));
  const port = freePort();
  const config = path("cloudflare.capnp");
  const bindings = {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: servers.server,
    RESOLVE_WEBHOOK_SECRETS: SECRET,
    RESOLVE_LINK_SECRETS: SECRET,
    RESOLVE_TIMEOUT_MS: "2000",
  };
  const text = workerdConfig("cloudflare.mjs", port, compatibilityDate, bindings);
  await Deno.writeTextFile(config, text);
  const worker = start(binary, ["serve", config], signal);
  const origin = `http://127.0.0.1:${port}`;
  const journeys = {
    "functions/cloudflare.ts takes a signed request from 202 to 200, and shows its page":
      signedJourney,
    "functions/cloudflare.ts shares one poll of a platform that hangs among 20 callers": sharedPoll,
  };
  const results: TestResult[] = [];
  for (const [name, journey] of Object.entries(journeys)) {
    try {
      await journey(origin, servers, signal);
      results.push({ name });
    } catch (error) {
      results.push({ name, error: String(error) });
    }
  }
  worker.end();
  return { results, output: await worker.output };
}

/** Sends a signed request to the endpoint. */
async function deliver(origin: string, body: string, signal: AbortSignal): Promise<Response> {
  const timestamp = Math.floor(Date.now() / 1000);
  return await fetch(`${origin}/resolve`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "webhook-id": "msg_1",
      "webhook-timestamp": String(timestamp),
      "webhook-signature": await signWebhook(SECRET, { id: "msg_1", timestamp, body }),
    },
    body,
    signal,
  });
}

/** Many ask at once for a task of a platform that hangs: one poll for all of them, and all are answered. */
async function sharedPoll(
  origin: string,
  { server }: ServerContext,
  signal: AbortSignal,
): Promise<void> {
  const ids = { organization_id: "o-1", workspace_id: "w-1", task_id: "hang-headers-1" };
  let going = true;
  let most = 0;
  const answers = Promise.all(Array.from({ length: 20 }, async () => {
    const response = await deliver(origin, JSON.stringify(ids), signal);
    await response.body?.cancel();
    return response.status;
  })).finally(() => going = false);
  while (going) {
    const state = await (await fetch(`${server}/control/state`, { signal })).json();
    most = Math.max(most, state.open);
  }
  const statuses = new Set(await answers);
  if (most !== 1 || statuses.size !== 1 || !statuses.has(504)) {
    throw new Error(`${most} polls at once, answers ${[...statuses]}`);
  }
}

async function signedJourney(
  origin: string,
  { server }: ServerContext,
  signal: AbortSignal,
): Promise<void> {
  const steps = [{ status: "running", polls: 1 }, { status: "success", result: "s-1" }];
  const init = { method: "POST", body: JSON.stringify({ steps, result_type: "source" }), signal };
  const { id, organization, workspace } = await (await fetch(`${server}/control/task`, init))
    .json();
  const ids = { organization_id: organization, workspace_id: workspace, task_id: id };
  const body = JSON.stringify({ ...ids, pending: "accepted" });
  await listening(origin, signal);
  let answer = "";
  for (const expected of [202, 200]) {
    const response = await deliver(origin, body, signal);
    answer = await response.text();
    if (response.status !== expected) {
      throw new Error(`${response.status}, not ${expected}: ${answer}`);
    }
  }
  // what is loaded when it is asked for
  for (const path of [JSON.parse(answer).links.status, "/openapi.json"]) {
    const response = await fetch(origin + path, { signal });
    const text = await response.text();
    if (!/<h1|"openapi"/.test(text)) throw new Error(`${path}: ${response.status}: ${text}`);
  }
}

/** Has the emulator keep watches, with a receiver that turns the first two deliveries away. */
async function keepWatch(
  servers: ServerContext,
  signal: AbortSignal,
): Promise<{ result: TestResult; output: string }> {
  const port = freePort();
  const secret = `whsec_${btoa("a secret for callbacks of the watches")}`;
  const deliveries: string[] = [];
  await using receiver = listen(async (request) => {
    const genuine = await isSigned(request.headers, await request.bytes(), {
      secrets: [secret],
    });
    deliveries.push(genuine ? request.headers.get("webhook-id") ?? "none" : "not signed");
    return new Response(null, { status: deliveries.length < 3 ? 500 : 204 });
  });
  const options = {
    host: "127.0.0.1",
    port,
    modules: [{ type: "ESModule", path: path("cloudflare.mjs") }],
    compatibilityDate: "2026-07-30",
    workflows: { WATCHES: { name: "watches", className: "WatchWorkflow" } },
    bindings: {
      DEEPINT_TOKEN: TOKEN,
      DEEPINT_INSTANCE: servers.server,
      RESOLVE_API_KEYS: KEY,
      RESOLVE_CALLBACK_HOSTS: `127.0.0.1:${receiver.port}=${secret}`,
    },
    cf: false, // which would be downloaded
  };
  const script = new URL("tests/runtime/miniflare.ts", root).href;
  const packages = new URL("node_modules/", output).href;
  const args = ["run", "--no-prompt", "--allow-all", script, packages, JSON.stringify(options)];
  const child = start(Deno.execPath(), args, signal);
  let error: string | undefined;
  try {
    await watchJourney(`http://127.0.0.1:${port}`, servers, `${receiver.origin}/`, signal);
    const [id] = deliveries;
    const expected = JSON.stringify([id, id, id]);
    if (JSON.stringify(deliveries) !== expected) throw new Error(`it was told ${deliveries}`);
  } catch (reason) {
    error = String(reason);
  } finally {
    child.end();
  }
  const result = error === undefined ? { name: WATCH } : { name: WATCH, error };
  return { result, output: await child.output };
}

/** Watches a task until its end has been told, and another one until it is cancelled. */
async function watchJourney(
  origin: string,
  { server }: ServerContext,
  callback: string,
  signal: AbortSignal,
): Promise<void> {
  const steps = [{ status: "running", polls: 1 }, { status: "success", result: "s-1" }];
  const authorization = { authorization: `Bearer ${KEY}` };
  const add = async (task: unknown) => {
    const init = { method: "POST", body: JSON.stringify(task), signal };
    const { id, organization, workspace } = await (await fetch(`${server}/control/task`, init))
      .json();
    return { organization_id: organization, workspace_id: workspace, task_id: id };
  };
  const ask = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(origin + path, {
      method,
      headers: { ...authorization, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal,
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
  const expect = (actual: unknown, expected: unknown) => {
    if (actual !== expected) throw new Error(`${actual}, not ${expected}`);
  };
  await listening(origin, signal);

  const running = { ...await add({ status: "running" }), callback_url: callback };
  const { location } = await ask("POST", "/watches", running);
  expect((await ask("DELETE", location)).state, "cancelled");
  expect((await ask("POST", "/watches", running)).location, location.replace(/-0$/, "-1"));

  const order = { ...await add({ steps, result_type: "source" }), callback_url: callback };
  const watches = await Promise.all([1, 2, 3].map(() => ask("POST", "/watches", order)));
  expect(new Set(watches.map(({ id }) => id)).size, 1);
  for (;;) {
    const { state, polls, attempts } = await ask("GET", watches[0].location);
    if (state !== "watching") {
      expect(`${state} ${polls} ${attempts}`, "delivered 2 3");
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect((await ask("POST", "/watches", order)).state, "delivered");
}

/** A child that runs; all that it writes, once it has ended. */
interface Child {
  readonly output: Promise<string>;
  end(): void;
}

/** Starts a program that ends with the signal, in an environment of its own. */
function start(command: string, args: string[], signal: AbortSignal): Child {
  const child = new Deno.Command(command, {
    args,
    cwd: output,
    clearEnv: true,
    env: { HOME: path("home"), PATH: Deno.env.get("PATH") ?? "", NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let running = true;
  const end = (how: Deno.Signal = "SIGTERM") => {
    if (running) child.kill(how);
  };
  const kill = () => end("SIGKILL");
  signal.addEventListener("abort", kill);
  const texts = Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  child.status.then(() => {
    running = false;
    signal.removeEventListener("abort", kill);
  });
  // what a child leaves behind may hold the pipes open
  const late = new Promise<string[]>((resolve) =>
    signal.addEventListener("abort", () => setTimeout(() => resolve(["it left something"]), 2_000))
  );
  return { output: Promise.race([texts, late]).then((both) => both.join("\n")), end };
}

/** Runs a stub that is a program of its own: the last line of JSON is its results. */
async function stub(
  command: string,
  args: string[],
  servers: ServerContext,
  signal: AbortSignal,
): Promise<Omit<Outcome, "version">> {
  const child = start(command, [...args, JSON.stringify(servers)], signal);
  const output = await child.output;
  const line = output.split("\n").findLast((line) => line.startsWith("[{"));
  if (line === undefined) throw new Error(`it gave no results, but:\n${output}`);
  const results: TestResult[] = JSON.parse(line);
  // something of the module, such as a request or a timer, has kept it
  if (signal.aborted) results.push({ name: "the process ends", error: "it had to be killed" });
  return { results, output };
}

/** Waits until somebody listens there, for some ten seconds. */
async function listening(url: string, signal: AbortSignal): Promise<void> {
  const { hostname, port } = new URL(url);
  for (let attempts = 0;; attempts++) {
    try {
      return (await Deno.connect({ hostname, port: Number(port), signal })).close();
    } catch (error) {
      signal.throwIfAborted();
      if (attempts === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Has a worker run the suite, as soon as it listens. */
async function post(
  url: string,
  servers: ServerContext,
  worker: Child,
  signal: AbortSignal,
): Promise<Omit<Outcome, "version">> {
  let results: TestResult[] | undefined;
  let problem = "it does not listen";
  try {
    await listening(url, signal);
    const response = await fetch(url, { method: "POST", body: JSON.stringify(servers), signal });
    problem = await response.text();
    if (response.ok) results = JSON.parse(problem);
  } catch (error) {
    signal.throwIfAborted();
    problem += `\n${error}`;
  } finally {
    worker.end();
  }
  const output = await worker.output;
  if (!results) throw new Error(`${problem}\n${output}`);
  return { results, output };
}

/** Opens the page. The network beyond loopback is cut off by having no names. */
async function browse(
  command: string,
  script: string,
  servers: ServerContext,
  signal: AbortSignal,
): Promise<Omit<Outcome, "version">> {
  // the artefact itself too, as a page has it
  const { code, output: log } = await deno(["task", "build"], { quiet: true });
  if (code !== 0) throw new Error(`it cannot be built:\n${log}`);
  const built = await Deno.readTextFile(new URL("dist/mod.js", root));
  let fromPage = "nothing";
  const posted = Promise.withResolvers<TestResult[]>();
  const abort = () => posted.reject(signal.reason);
  signal.addEventListener("abort", abort);
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/results") {
        posted.resolve(await request.json());
        return new Response();
      }
      if (pathname === "/from_page") {
        fromPage = await request.text();
        return new Response();
      }
      if (pathname === "/mod.js") {
        return new Response(built, { headers: { "content-type": "text/javascript" } });
      }
      if (pathname === "/suite.js") {
        return new Response(script, { headers: { "content-type": "text/javascript" } });
      }
      const page = `<!doctype html><script type="module">
import { TaskInfo } from "./mod.js";
const { status } = TaskInfo.fromDict({ id: "t-1", status: "running" });
await fetch("/from_page", { method: "POST", body: status });
</script><script type="module" src="/suite.js"></script>`;
      return new Response(page, { headers: { "content-type": "text/html" } });
    },
  );
  const query = new URLSearchParams({ servers: JSON.stringify(servers) });
  const profile = await Deno.makeTempDir({ dir: path("home") });
  // Started by hand: the page posts its results itself, so nothing is left for Playwright to do.
  const browser = start(command, [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    `--user-data-dir=${profile}`,
    "--remote-debugging-port=0", // without it, a headless browser has nothing to wait for
    `http://127.0.0.1:${server.addr.port}/?${query}`,
  ], signal);
  const gone = browser.output.then((output) => {
    throw new Error(`the browser ended before the suite:\n${output}`);
  });
  try {
    const results = await Promise.race([posted.promise, gone]);
    gone.catch(() => {});
    browser.end();
    const name = "dist/mod.js works in a page";
    results.push(fromPage === "running" ? { name } : { name, error: `the page said ${fromPage}` });
    return { results, output: await browser.output };
  } finally {
    signal.removeEventListener("abort", abort);
    browser.end();
    await browser.output;
    await Deno.remove(profile, { recursive: true });
  }
}

/** Bundles a stub with the suite, the module, and a second copy of that. */
async function bundle(name: string, format: "esm" | "iife" = "esm"): Promise<string> {
  const entry = path(`${name}_entry.ts`);
  const code = `import "./other_copy.js";\nimport stub from "../../tests/runtime/${name}.ts";\n`;
  const exported = name === "workerd";
  await Deno.writeTextFile(
    entry,
    exported ? `${code}export default stub;\n` : code.replace("stub from ", ""),
  );
  const file = path(`${name}.${format === "esm" ? "mjs" : "js"}`);
  await make(entry, file, format);
  return file;
}

/** The second copy of the module, for a test of errors that come from another bundle. */
async function makeOtherCopy(): Promise<void> {
  await make("mod.ts", path("mod.js"));
  await Deno.writeTextFile(
    path("other_copy.js"),
    `import * as copy from "./mod.js";\nglobalThis.otherCopy = copy;\n`,
  );
}

/** Not `AbortSignal.timeout`: what listens to that one keeps the process until it is over. */
async function withDeadline<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ms = Math.max(0, Math.min(RUNTIME_DEADLINE, end - Date.now()));
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(`not done after ${ms} ms`)), ms);
  const interrupt = () => {
    interrupted = true;
    controller.abort(new Error("interrupted"));
  };
  const listens = Deno.build.os !== "windows"; // which has no such signal
  if (listens) Deno.addSignalListener("SIGTERM", interrupt);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    if (listens) Deno.removeSignalListener("SIGTERM", interrupt);
  }
}

async function versionOf(command: string, args: string[]): Promise<string> {
  const output = await withDeadline((signal) => start(command, args, signal).output);
  return /\d+(\.\d+)+/.exec(output)?.[0] ?? output.trim();
}

async function packageVersion(name: string): Promise<string> {
  return JSON.parse(await Deno.readTextFile(path(`node_modules/${name}/package.json`))).version;
}

/** The results of a runtime, with a failure for each test that is missing. */
function judge({ results, output }: Outcome, { endpoint, tests }: Runtime): TestResult[] {
  const names = tests ?? testsFor(endpoint).map(({ name }) => name);
  const judged = [
    ...names.map((name) =>
      results.find((result) => result.name === name) ?? { name, error: "it did not run" }
    ),
    ...results.filter(({ name }) => !names.includes(name)),
  ];
  // the suite prints an error, so that there is something to look at
  const fine = (tests || output.includes("NETWORK_ERROR")) && !output.includes(TOKEN);
  const printed = fine ? {} : { error: `nothing is in it, or the token:\n${output}` };
  return [...judged, { name: "what the runtime printed is without the token", ...printed }];
}

const unknown = Deno.args.filter((name) => !(name in runtimes));
if (unknown.length > 0) throw new Error(`There is no runtime ${unknown.join(", ")}`);
const wanted = Deno.args.length === 0 ? Object.keys(runtimes) : Deno.args;
const total = { passed: 0, failed: 0 };
await using servers = startServers();
try {
  await install();
  await makeOtherCopy();
} catch (error) {
  console.log(error instanceof Error ? error.message : error);
  console.log(closingLine({ passed: 0, failed: wanted.length }));
  Deno.exit(1);
}
for (const name of wanted) {
  const runtime = runtimes[name];
  if (!runtime || interrupted) continue;
  const began = performance.now();
  let version = "missing";
  let results: TestResult[];
  try {
    const outcome = await withDeadline((signal) => runtime.run(servers.context, signal));
    version = outcome.version;
    results = judge(outcome, runtime);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    results = [{ name: "the suite runs", error: reason }];
  }
  const failures = results.filter(({ error }) => error !== undefined);
  const tally = { passed: results.length - failures.length, failed: failures.length };
  total.passed += tally.passed;
  total.failed += tally.failed;
  for (const { name: test, error } of failures) console.log(`${name}: ${test}: ${error}\n`);
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  console.log(
    `${name.padEnd(14)}${version.padEnd(18)}${closingLine(tally).padEnd(24)}${seconds} s`,
  );
}
console.log(closingLine(total));
Deno.exitCode = total.failed === 0 && !interrupted ? 0 : 1;
