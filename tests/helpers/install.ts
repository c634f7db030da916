/** Projects of users that install or import a build. */
import { assert } from "@std/assert";
import { tmpdir } from "node:os";
import { pathToFileURL } from "node:url";
import { createFakePlatform } from "./fake_platform.ts";
import { listen } from "./listen.ts";

export const TOKEN = "the-token-of-the-platform";
export const TASK_PATH = "/organizations/o-1/workspaces/w-1/tasks/t-1";
export const KEY = "a-key-of-16-characters-or-more";

/** Deadline of a command, so that its test fails instead of hanging. */
export const PATIENCE = 90_000;

/** A temporary folder, as a URL that ends in a slash. */
export async function scratch(): Promise<AsyncDisposable & { url: URL }> {
  const path = await Deno.makeTempDir({ dir: tmpdir(), prefix: "install-" });
  return {
    url: pathToFileURL(`${path}/`),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Writes files into a new folder. */
export async function write(folder: URL, files: Record<string, string>): Promise<URL> {
  await Deno.mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(new URL(name, folder), text);
  }
  return folder;
}

/** Runs a command with an environment of its own. Returns its output; throws if it fails. */
export async function run(
  command: string,
  args: string[],
  cwd: URL,
  env: Record<string, string> = {},
): Promise<string> {
  const kept = ["PATH", "HOME", "SystemRoot", "LOCALAPPDATA", "APPDATA", "TMPDIR"];
  const own = kept.flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  });
  for (const [name, value] of Object.entries(Deno.env.toObject())) {
    if (/^npm_config_|_proxy$/i.test(name)) own.push([name, value]); // where the registry is
  }
  const child = new Deno.Command(command, {
    args,
    cwd,
    clearEnv: true,
    env: { ...Object.fromEntries(own), NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const guard = setTimeout(() => child.kill("SIGTERM"), PATIENCE);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(guard);
  const [output = "", errors = ""] = [stdout, stderr].map((b) => new TextDecoder().decode(b));
  assert(success, `${command} ${args.join(" ")}\n${output}${errors}`);
  return output;
}

/** Serves the platform under `/api/`, and the files of a folder with their content types. */
export function serve(files: URL, typeOf: (path: string) => string) {
  const platform = createFakePlatform({ token: TOKEN });
  const own = { organization: "o-1", workspace: "w-1" };
  platform.add({ ...own, id: "t-1", status: "success", result: "s-1", result_type: "source" });
  const asked = new Set<string>();
  const server = listen(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname.startsWith("/api/")) return await platform.fetch(request);
    asked.add(pathname);
    const headers = { "content-type": typeOf(pathname) };
    try {
      return new Response(await Deno.readFile(new URL(`.${pathname}`, files)), { headers });
    } catch {
      return new Response(null, { status: 404 });
    }
  });
  return { ...server, asked, host: new URL(server.origin).host };
}

/** A program of a user: it has types, reads a task and handles an error. */
export const PROGRAM = (specifier: string, origin: string) => `
import { Credentials, DeepintHTTPError, Task, type TaskInfo } from "${specifier}";

export const credentials = new Credentials({ token: "${TOKEN}", instance: "${origin}" });
export const ids = { organizationId: "o-1", workspaceId: "w-1" };
export const task = await Task.build({ ...ids, taskId: "t-1", credentials });
export const info: TaskInfo = await task.resolve();
// @ts-expect-error -- it has a type, and it is not this one
export const wrong: number = info.status;
console.log(wrong, JSON.stringify(await task.fetchResult()));
try {
  await Task.build({ ...ids, taskId: "t-none", credentials });
} catch (error) {
  if (error instanceof DeepintHTTPError) console.log(error.name, error.status);
}
`;
export const PRINTED = 'success {"source":"s-1"}\nDeepintHTTPError 404\n';

/** Arguments for a Deno that may connect to one host only. */
export const denoRun = (host: string) => [
  "run",
  "--check",
  "--no-lock",
  "--no-prompt",
  `--allow-import=${host}`,
  `--allow-net=${host}`,
];
