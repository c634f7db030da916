/**
 * `deno task playground`: the real endpoint in front of the stand-in, until Ctrl-C, and what to copy to
 * try each way to wait for a task: a request, the page, the command line, and a script that imports the
 * client by URL.
 */
import { createApp, readConfig } from "../../functions/app.ts";
import { root } from "../helpers/run_deno.ts";
import { listen } from "../helpers/listen.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";

const TOKEN = "playground-token";
const KEY = "playground-key-of-a-caller";
const PLACE = { organization: "o-1", workspace: "w-1" };

const platform = createFakePlatform({ token: TOKEN });
const server = listen(platform.fetch);
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

const app = createApp(
  readConfig({
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: server.origin,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_LINK_SECRETS: `whsec_${btoa(crypto.randomUUID())}`,
  }),
  { log: () => {} },
);
const endpoint = listen((request) => {
  const { pathname } = new URL(request.url);
  return /^\/(mod|src\/(internal\/)?\w+)\.ts$/.test(pathname)
    ? module(pathname.slice(1))
    : app.fetch(request);
});

const { pathname, search } = new URL(training.webUrl);
const url = `${server.origin}${pathname}${search}`;
const { links } = await (await app.fetch(
  new Request(`${endpoint.origin}/resolve`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ url }),
  }),
)).json();

// deno-lint-ignore no-console -- the playground is what it prints
console.log(
  `Two tasks run, for 20 s and 65 s. Each of these waits for them; Ctrl-C ends the playground.

# the endpoint, in a shell
curl -i ${endpoint.origin}/resolve -H "Authorization: Bearer ${KEY}" \\
  -H "Content-Type: application/json" -d '{"url": "${url}"}'

# the page, in a browser
${endpoint.origin}${links.status}

# the command line, in a shell in this folder
export DEEPINT_TOKEN=${TOKEN} DEEPINT_INSTANCE=${server.origin}
deno task cli wait o-1/w-1/t-1 o-1/w-1/t-2

# the client, as scratch.ts in any folder: deno run --allow-import --allow-net=127.0.0.1 scratch.ts
import { Credentials, Task } from "${endpoint.origin}/mod.ts";

const credentials = new Credentials({ token: "${TOKEN}", instance: "${server.origin}" });
const ids = { organizationId: "o-1", workspaceId: "w-1", taskId: "t-2" };
const task = await Task.build({ ...ids, credentials });
await task.resolve({
  pollInterval: "adaptive",
  onProgress: ({ status, progress, subtask }) => console.log(status, progress, subtask),
});
console.log(await task.fetchResult());
`,
);

/** A file of the client, as a server of modules gives it. */
async function module(path: string): Promise<Response> {
  try {
    const headers = { "content-type": "application/typescript" };
    return new Response(await Deno.readTextFile(new URL(path, root)), { headers });
  } catch {
    return new Response(null, { status: 404 });
  }
}
