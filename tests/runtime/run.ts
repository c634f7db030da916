// The tests behind `deno task runtimes`: the shared suite on each runtime, bundled with the module and
// minified, as users deploy it. Arguments are the names of the runtimes to test.
// deno-lint-ignore-file no-console
import assert from "node:assert/strict";
import { runCloudflareEntry, runWatch, WATCH_TEST } from "./cloudflare.ts";
import {
  bundleStub,
  makeOtherCopy,
  type Outcome,
  packageVersion,
  runBrowser,
  runStub,
  RUNTIME_TIMEOUT_MS,
  runWorker,
  startChild,
  versionOf,
} from "./launch.ts";
import {
  binaryIn,
  findChromium,
  freePort,
  install,
  make,
  path,
  workerdConfig,
} from "./packages.ts";
import { startServers } from "./server.ts";
import { type ServerContext, TOKEN } from "./harness.ts";
import { testsFor } from "./suite.ts";

interface Runtime {
  /** Runs the tests of the endpoint too. */
  endpoint: boolean;
  /** Names of its tests. @default the tests of the suite */
  tests?: string[];
  run(servers: ServerContext, signal: AbortSignal): Promise<Outcome & { version: string }>;
}

function workerd(compatibilityDate: string): Runtime {
  return {
    endpoint: true,
    async run(servers, signal) {
      await bundleStub("workerd");
      // the binary without Miniflare, which needs Node 22
      const binary = await binaryIn("@cloudflare", "workerd");
      const port = freePort();
      const config = path("workerd.capnp");
      await Deno.writeTextFile(config, workerdConfig("workerd.mjs", port, compatibilityDate));
      const worker = startChild(binary, ["serve", config]);
      const suite = await runWorker(`http://127.0.0.1:${port}/suite`, servers, worker, signal);
      const entry = await runCloudflareEntry(binary, compatibilityDate, servers, signal);
      return {
        version: await packageVersion("workerd"),
        results: [...suite.results, ...entry.results],
        output: suite.output + entry.output,
      };
    },
  };
}

const runtimes: Record<string, Runtime> = {
  deno: {
    endpoint: true,
    async run(servers) {
      const file = await bundleStub("deno");
      // the module must work without permission to read the environment or a file
      const args = ["run", "--no-prompt", "--no-config", "--allow-net=127.0.0.1,localhost", file];
      return { version: Deno.version.deno, ...await runStub(Deno.execPath(), args, servers) };
    },
  },
  workerd: workerd("2026-07-30"),
  // with this compatibility date, a request with `cache` throws
  "workerd-2023": workerd("2023-07-01"),
  // for Workflows, which workerd does not have
  miniflare: {
    tests: [WATCH_TEST],
    endpoint: true,
    async run(servers, signal) {
      await make("functions/cloudflare.ts", path("cloudflare.mjs"));
      const version = await packageVersion("miniflare");
      return { version, ...await runWatch(servers, signal) };
    },
  },
  "edge-runtime": {
    endpoint: true,
    async run(servers, signal) {
      const file = await bundleStub("edge_runtime", "iife");
      const cli = path("node_modules/edge-runtime/dist/cli/index.js");
      const port = freePort();
      const args = [cli, "--listen", "--host", "127.0.0.1", "--port", String(port), file];
      const server = startChild("node", args);
      const outcome = await runWorker(`http://127.0.0.1:${port}/suite`, servers, server, signal);
      return { version: await packageVersion("edge-runtime"), ...outcome };
    },
  },
  bun: {
    endpoint: true,
    async run(servers) {
      const file = await bundleStub("bun");
      const binary = await binaryIn("@oven", "bun");
      const version = await versionOf(binary, ["--version"]);
      return { version, ...await runStub(binary, ["run", file], servers) };
    },
  },
  node: {
    endpoint: true,
    async run(servers) {
      const file = await bundleStub("node");
      const version = await versionOf("node", ["--version"]);
      return { version, ...await runStub("node", [file], servers) };
    },
  },
  chromium: {
    endpoint: false,
    async run(servers, signal) {
      const script = await Deno.readTextFile(await bundleStub("chromium"));
      const chromium = await findChromium();
      const version = await versionOf(chromium, ["--version"]);
      return { version, ...await runBrowser(chromium, script, servers, signal) };
    },
  },
};

const servers = startServers();
Deno.test.afterAll(async () => await servers[Symbol.asyncDispose]());
const prepared = install().then(makeOtherCopy);
prepared.catch(() => {}); // the first test fails with it

/** Runs a runtime once, after the previous one, when the first of its tests asks for it. */
function lazyOutcome({ run }: Runtime): () => ReturnType<Runtime["run"]> {
  let outcome: ReturnType<Runtime["run"]> | undefined;
  return () =>
    outcome ??= prepared.then(() => run(servers.context, AbortSignal.timeout(RUNTIME_TIMEOUT_MS)));
}

const unknown = Deno.args.filter((name) => !(name in runtimes));
if (unknown.length > 0) throw new RangeError(`unknown runtime ${unknown.join(", ")}`);
for (const [name, runtime] of Object.entries(runtimes)) {
  if (Deno.args.length > 0 && !Deno.args.includes(name)) continue;
  const outcome = lazyOutcome(runtime);
  const names = runtime.tests ?? testsFor(runtime.endpoint).map(({ name }) => name);

  Deno.test(`${name}: the suite runs and prints no token`, async () => {
    const { version, results, output } = await outcome();
    console.log(`${name} ${version}`);
    // the suite prints an error, so that there is output to search
    if (!runtime.tests) assert.match(output, /NETWORK_ERROR/);
    assert.ok(!output.includes(TOKEN), `the output has the token:\n${output}`);
    const others = results.filter((result) => !names.includes(result.name));
    for (const { name, error } of others) assert.equal(error, undefined, name);
  });

  for (const test of names) {
    Deno.test(`${name}: ${test}`, async () => {
      const { results } = await outcome().catch(() => ({ results: [] }));
      const result = results.find(({ name }) => name === test);
      if (!result) throw new Error("the test did not run");
      if (result.error !== undefined) throw new Error(result.error);
    });
  }
}
