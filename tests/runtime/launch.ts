/** Processes that run the shared suite: stubs, workers and a browser. */
import { listen } from "../helpers/listen.ts";
import { type Process, start } from "../helpers/process.ts";
import { deno, root } from "../helpers/run_deno.ts";
import { make, path } from "./packages.ts";
import type { ServerContext, TestResult } from "./harness.ts";

/** Time for one runtime. */
export const RUNTIME_TIMEOUT_MS = 30_000;

/** Results of one runtime. */
export interface Outcome {
  results: TestResult[];
  /** Everything that the runtime printed. */
  output: string;
}

/** Starts a program with a home folder of its own. It ends after {@linkcode RUNTIME_TIMEOUT_MS}. */
export function startChild(command: string, args: string[]): Process {
  return start(command, args, { HOME: path("home") }, "", RUNTIME_TIMEOUT_MS);
}

/** Returns everything that a process has printed. */
export function outputOf({ output: { stdout, stderr } }: Process): string {
  return `${stdout}\n${stderr}`;
}

/** Runs a stub that is a program and prints its results as its last line of JSON. */
export async function runStub(
  command: string,
  args: string[],
  servers: ServerContext,
): Promise<Outcome> {
  const child = startChild(command, [...args, JSON.stringify(servers)]);
  const { signal: killed } = await child.status;
  const output = outputOf(child);
  const line = output.split("\n").findLast((line) => line.startsWith("[{"));
  if (line === undefined) throw new Error(`the stub printed no results:\n${output}`);
  const results: TestResult[] = JSON.parse(line);
  // a request or a timer of the module has kept the process
  if (killed) results.push({ name: "the process ends", error: `it ended with ${killed}` });
  return { results, output };
}

/** Waits until the port of a URL accepts connections, for about ten seconds. */
export async function waitForListener(url: string, signal: AbortSignal): Promise<void> {
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

/** Runs the suite in a worker that listens, and ends the worker. */
export async function runWorker(
  url: string,
  servers: ServerContext,
  worker: Process,
  signal: AbortSignal,
): Promise<Outcome> {
  let results: TestResult[] | undefined;
  let problem = "the worker does not listen";
  try {
    await waitForListener(url, signal);
    const response = await fetch(url, { method: "POST", body: JSON.stringify(servers), signal });
    problem = await response.text();
    if (response.ok) results = JSON.parse(problem);
  } catch (error) {
    signal.throwIfAborted();
    problem += `\n${error}`;
  } finally {
    await worker[Symbol.asyncDispose]();
  }
  const output = outputOf(worker);
  if (!results) throw new Error(`${problem}\n${output}`);
  return { results, output };
}

/** Runs the suite in a page, with access to loopback only: no other host name resolves. */
export async function runBrowser(
  command: string,
  script: string,
  servers: ServerContext,
  signal: AbortSignal,
): Promise<Outcome> {
  // the page also loads the release artifact
  const { code, output: log } = await deno(["task", "build"], { quiet: true });
  if (code !== 0) throw new Error(`the build failed:\n${log}`);
  const built = await Deno.readTextFile(new URL("dist/mod.js", root));
  let fromPage = "nothing";
  const posted = Promise.withResolvers<TestResult[]>();
  const abort = () => posted.reject(signal.reason);
  signal.addEventListener("abort", abort);
  await using server = listen(async (request) => {
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
  });
  const query = new URLSearchParams({ servers: JSON.stringify(servers) });
  const profile = await Deno.makeTempDir({ dir: path("home") });
  // without Playwright: the page posts its results itself
  const browser = startChild(command, [
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
    "--remote-debugging-port=0", // keeps a headless browser running
    `${server.origin}/?${query}`,
  ]);
  const gone = browser.status.then(() => {
    throw new Error(`the browser ended before the suite:\n${outputOf(browser)}`);
  });
  try {
    const results = await Promise.race([posted.promise, gone]);
    gone.catch(() => {});
    await browser.end("SIGTERM");
    const name = "dist/mod.js works in a page";
    results.push(fromPage === "running" ? { name } : { name, error: `the page said ${fromPage}` });
    return { results, output: outputOf(browser) };
  } finally {
    signal.removeEventListener("abort", abort);
    await browser[Symbol.asyncDispose]();
    await Deno.remove(profile, { recursive: true });
  }
}

/** Bundles a stub with the suite, the module and a second copy of the module. */
export async function bundleStub(name: string, format: "esm" | "iife" = "esm"): Promise<string> {
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

/** Bundles the second copy of the module, for a test of errors from another bundle. */
export async function makeOtherCopy(): Promise<void> {
  await make("mod.ts", path("mod.js"));
  await Deno.writeTextFile(
    path("other_copy.js"),
    `import * as copy from "./mod.js";\nglobalThis.otherCopy = copy;\n`,
  );
}

/** Returns the version that a command prints. */
export async function versionOf(command: string, args: string[]): Promise<string> {
  const child = startChild(command, args);
  await child.status;
  const output = outputOf(child);
  return /\d+(\.\d+)+/.exec(output)?.[0] ?? output.trim();
}

/** Returns the version of an installed npm package. */
export async function packageVersion(name: string): Promise<string> {
  return JSON.parse(await Deno.readTextFile(path(`node_modules/${name}/package.json`))).version;
}
