/**
 * `deno task playground`: the real endpoint in front of a fake platform, until Ctrl-C. Prints commands to copy
 * for each way to wait for a task: a request, the status page, the command line, and a script that imports
 * the client by URL.
 */
import { root } from "../helpers/run_deno.ts";
import { startLocalEndpoint } from "../helpers/local_endpoint.ts";
import { addRestartingTasks, progressSteps, type RestartingTask } from "./playground_tasks.ts";

const TOKEN = "playground-token";
const KEY = "playground-key-of-a-caller";
const PLACE = { organization: "o-1", workspace: "w-1" };

const { platform, instance, origin } = startLocalEndpoint({
  token: TOKEN,
  settings: {
    RESOLVE_API_KEYS: KEY,
    RESOLVE_LINK_SECRETS: `whsec_${btoa(crypto.randomUUID())}`,
  },
  isCached: false, // a task that starts again is not finished
  intercept(request) {
    const { pathname } = new URL(request.url);
    const isModule = /^\/(mod|src\/(internal\/)?\w+)\.ts$/.test(pathname);
    return isModule ? serveModule(pathname.slice(1)) : undefined;
  },
});
/** Creates a task of 20 s. */
function imported(id: string, name: string): RestartingTask {
  const subtask = () => "copying";
  return {
    ...PLACE,
    id,
    name,
    user_name: "Analyst",
    running: progressSteps([10, 30, 50, 70, 90], { ms: 4_000, subtask }),
    end: { status: "success", result: name.split(" ").at(-1), result_type: "source" },
  };
}

/** Creates a task of 25 s. */
function trained(id: string, name: string): RestartingTask {
  const subtask = (progress: number) => `fitting ${progress / 5} of 20 trees`;
  return {
    ...PLACE,
    id,
    name,
    user_name: "Analyst",
    running: [
      { status: "pending", ms: 3_000 },
      ...progressSteps([20, 45, 60, 80], { ms: 5_500, subtask }),
    ],
    end: { status: "success", result: `${name.split(" ").at(1)}-model`, result_type: "model" },
  };
}

// a task for each command, so that none ends for another
const [requested, shown] = addRestartingTasks(platform, [
  trained("t-1", "train churn model"),
  trained("t-2", "train price model"),
  imported("t-3", "import orders"),
  trained("t-4", "train stock model"),
  imported("t-5", "import customers"),
]);
platform.add({
  ...PLACE,
  id: "t-6",
  name: "import regions",
  status: "success",
  result: "regions",
  result_type: "source",
});
platform.add({
  ...PLACE,
  id: "t-7",
  name: "export to warehouse",
  status: "failed",
  error_code: "QUOTA",
  error_description: "The quota is used up",
});

/** Returns the path of a task's status page. */
async function statusPath(url: string | undefined): Promise<string> {
  const response = await fetch(`${origin}/resolve`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ url }),
  });
  return (await response.json()).links.status;
}

// deno-lint-ignore no-console -- the output of the playground
console.log(
  `Each command is about a task of 20 to 25 s. The task starts again when you
repeat the command. Ctrl-C ends the playground.

# the endpoint, in a shell
curl -i ${origin}/resolve \\
  -H "Authorization: Bearer ${KEY}" \\
  -H "Content-Type: application/json" \\
  -d '{"url": "${requested?.webUrl}"}'

# the status page, in a browser
${origin}${await statusPath(shown?.webUrl)}

# the command line, in a shell in this folder
export DEEPINT_TOKEN=${TOKEN} DEEPINT_INSTANCE=${instance}
deno task cli wait o-1/w-1/t-3 o-1/w-1/t-4
deno task cli list o-1/w-1
deno task cli show o-1/w-1/t-7

# the client, as scratch.ts in any folder, in a shell
deno run --allow-import --allow-net=127.0.0.1 scratch.ts

# scratch.ts
import { Credentials, Task } from "${origin}/mod.ts";

const instance = "${instance}";
const credentials = new Credentials({ token: "${TOKEN}", instance });
const ids = { organizationId: "o-1", workspaceId: "w-1", taskId: "t-5" };
const task = await Task.build({ ...ids, credentials });
await task.resolve({
  pollInterval: "adaptive",
  onProgress: ({ status, progress }) => console.log(status, progress),
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
