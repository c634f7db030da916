/** Servers that keep watches in a file, and what they need: a platform, a receiver, tasks. */
import { assertEquals } from "./assert.ts";
import { KEY, objectOf, post, type Settings, TOKEN } from "./endpoint.ts";
import { createFakePlatform, type FakeTask } from "./fake_platform.ts";
import { listen } from "./listen.ts";
import { type Process, serverArgs, start } from "./process.ts";
import { CALLBACK_SECRET, type Receiver } from "./watches.ts";

/** Headers of an authenticated request. */
export const AUTHORIZED = { authorization: `Bearer ${KEY}` };

/** Creates a folder for a store; disposing of it deletes it. */
export async function folder(): Promise<AsyncDisposable & { file: string }> {
  const path = await Deno.makeTempDir();
  return {
    file: `${path}/watches.kv`,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Starts a platform and a receiver; returns the settings of a server that reaches them. */
export function serve(receiver: Receiver) {
  const platform = createFakePlatform({ token: TOKEN });
  const server = listen((request) => platform.fetch(request));
  const hooks = listen((request) => receiver.answer(request));
  const settings: Settings = {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: server.origin,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_CALLBACK_HOSTS: `127.0.0.1:${hooks.port}=${CALLBACK_SECRET}`,
    RESOLVE_TIMEOUT_MS: "1000",
    PORT: "0",
  };
  return {
    platform,
    settings,
    hook: `${hooks.origin}/end`,
    async [Symbol.asyncDispose]() {
      await Promise.all([server, hooks].map((one) => one[Symbol.asyncDispose]()));
    },
  };
}

/** Starts `functions/start.ts`, or a script, with a store in a file. */
export function server(file: string, settings: Settings, script?: string): Process {
  const args = serverArgs(file, script && "-");
  return start(Deno.execPath(), args, { ...settings, RESOLVE_KV_PATH: file }, script);
}

/** Waits until a server listens and returns its origin. */
export async function originOf(process: Process): Promise<string> {
  return (await process.waitForOutput(/"listening":"(http:\/\/[^"]+)\/"/)).replace(
    "localhost",
    "127.0.0.1",
  );
}

/** Starts watches of new tasks over HTTP, each in a workspace of its own unless it names one. */
export async function beginMany(
  origin: string,
  { platform, hook }: ReturnType<typeof serve>,
  tasks: FakeTask[],
): Promise<{ id: string; task: string }[]> {
  return await Promise.all(tasks.map(async (task) => {
    const { id, organization, workspace } = platform.add({
      workspace: crypto.randomUUID(),
      ...task,
    });
    const ids = { organization_id: organization, workspace_id: workspace, task_id: id };
    const body = { ...ids, callback_url: hook };
    const response = await fetch(`${origin}/watches`, post(body, { headers: AUTHORIZED }));
    assertEquals(response.status, 202);
    return { id: String((await objectOf(response)).id), task: id };
  }));
}

/** Returns the ids of the tasks whose event was delivered. */
export function tasksIn(receiver: Receiver): string[] {
  return [...receiver.taken().values()].map(([first]) => first?.task ?? "").toSorted();
}
