/**
 * `deno task playground`: the real endpoint in front of a fake platform, until Ctrl-C. Prints commands to copy
 * for each way to wait for a task: a request, the status page, the command line, and a script that imports
 * the client by URL.
 */
import { root } from "../helpers/run_deno.ts";
import { startLocalEndpoint } from "../helpers/local_endpoint.ts";

const TOKEN = "playground-token";
const KEY = "playground-key-of-a-caller";
const PLACE = { organization: "o-1", workspace: "w-1" };

const { platform, instance, origin } = startLocalEndpoint({
  token: TOKEN,
  settings: {
    RESOLVE_API_KEYS: KEY,
    RESOLVE_LINK_SECRETS: `whsec_${btoa(crypto.randomUUID())}`,
  },
  intercept(request) {
    const { pathname } = new URL(request.url);
    const isModule = /^\/(mod|src\/(internal\/)?\w+)\.ts$/.test(pathname);
    return isModule ? serveModule(pathname.slice(1)) : undefined;
  },
});
const training = platform.add({
  ...PLACE,
  id: "t-1",
  name: "train churn model",
  user_name: "Analyst",
  steps: [
    { status: "pending", ms: 5_000 },
    ...[5, 20, 45, 60, 80].map((progress) => ({
      status: "running",
      progress,
      subtask: `fitting ${progress / 5} of 20 trees`,
      ms: 12_000,
    })),
    { status: "success", result: "churn-model", result_type: "model" },
  ],
});
platform.add({
  ...PLACE,
  id: "t-2",
  name: "import orders",
  steps: [
    ...[10, 30, 50, 70, 90].map((progress) => ({
      status: "running",
      progress,
      subtask: "copying",
      ms: 4_000,
    })),
    { status: "success", result: "orders", result_type: "source" },
  ],
});

const url = training.webUrl;
const response = await fetch(`${origin}/resolve`, {
  method: "POST",
  headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
  body: JSON.stringify({ url }),
});
const { links } = await response.json();

// deno-lint-ignore no-console -- the output of the playground
console.log(
  `Two tasks run, for 20 s and 65 s. Each command below waits for them. Ctrl-C ends the playground.

# the endpoint, in a shell
curl -i ${origin}/resolve -H "Authorization: Bearer ${KEY}" \\
  -H "Content-Type: application/json" -d '{"url": "${url}"}'

# the status page, in a browser
${origin}${links.status}

# the command line, in a shell in this folder
export DEEPINT_TOKEN=${TOKEN} DEEPINT_INSTANCE=${instance}
deno task cli wait o-1/w-1/t-1 o-1/w-1/t-2

# the client, as scratch.ts in any folder: deno run --allow-import --allow-net=127.0.0.1 scratch.ts
import { Credentials, Task } from "${origin}/mod.ts";

const credentials = new Credentials({ token: "${TOKEN}", instance: "${instance}" });
const ids = { organizationId: "o-1", workspaceId: "w-1", taskId: "t-2" };
const task = await Task.build({ ...ids, credentials });
await task.resolve({
  pollInterval: "adaptive",
  onProgress: ({ status, progress, subtask }) => console.log(status, progress, subtask),
});
console.log(await task.fetchResult());
`,
);

/** Serves a module of the client. */
async function serveModule(path: string): Promise<Response> {
  try {
    const headers = { "content-type": "application/typescript" };
    return new Response(await Deno.readTextFile(new URL(path, root)), { headers });
  } catch {
    return new Response(null, { status: 404 });
  }
}
