// Watches in a KV file, with a clock that the test sets.
import type { StepOptions } from "../../functions/watches/step.ts";
import type { WatchLoop } from "../../functions/watches/loop.ts";
import type { NewWatch } from "../../functions/watches/store.ts";
import { TOKEN } from "./endpoint.ts";
import type { Settings } from "./endpoint.ts";
import { createFakePlatform, type FakePlatform, type FakeTask } from "./fake_platform.ts";
import { folder } from "./watch_server.ts";
import { configWith, createReceiver, kvWatches, type Receiver } from "./watches.ts";

const HOST = "hooks.example";
const DAY = 86_400_000;

/** A loop on a real file. */
export interface Setup extends AsyncDisposable {
  readonly kv: Deno.Kv;
  readonly watches: WatchLoop;
  readonly platform: FakePlatform;
  readonly receiver: Receiver;
  readonly problems: string[];
  /** Clock of the watches and the platform, in ms since 1970. */
  now: number;
  /** Starts the watch of a task. */
  begin(task: FakeTask, order?: Partial<NewWatch>): ReturnType<WatchLoop["start"]>;
  /** Creates another loop on the same store. */
  another(options?: StepOptions): WatchLoop;
}

/** Creates a loop on a real file, with a clock that the test sets. */
export async function setUp(
  status: (id: string, before: number) => number = () => 204,
  settings: Settings = {},
): Promise<Setup> {
  const place = await folder();
  const kv = await Deno.openKv(place.file);
  const now = () => setup.now;
  const receiver = createReceiver(status, now);
  const platform = createFakePlatform({ token: TOKEN, now });
  const problems: string[] = [];
  const another = (options: StepOptions = {}) =>
    kvWatches(kv, configWith(HOST, settings), {
      fetch: platform.fetch,
      callbackFetch: (input, init) => receiver.answer(new Request(input, init)),
      now,
      random: () => 0.5,
      log: ({ error }) => void (error && problems.push(error)),
      ...options,
    });
  const setup: Setup = {
    kv,
    watches: another(),
    platform,
    receiver,
    problems,
    now: Date.now(),
    begin(task, order) {
      // in a workspace of its own: the task is polled by GET
      const { id, organization, workspace } = platform.add({
        workspace: crypto.randomUUID(),
        ...task,
      });
      const ids = { organizationId: organization, workspaceId: workspace, taskId: id };
      return setup.watches.start({
        key: id.replaceAll("-", "").padEnd(64, "0"),
        instance: "app.deepint.net",
        ids,
        callbackUrl: `https://${HOST}/end`,
        deadline: DAY,
        ...order,
      });
    },
    another,
    async [Symbol.asyncDispose]() {
      kv.close();
      await place[Symbol.asyncDispose]();
    },
  };
  return setup;
}

/** Returns the keys of a store without their common prefix. */
export async function keysIn(kv: Deno.Kv): Promise<Deno.KvKey[]> {
  return (await Array.fromAsync(kv.list({ prefix: [] }))).map(({ key }) => key.slice(1));
}

/** Returns the counter of open watches. */
export async function openIn(kv: Deno.Kv): Promise<bigint | undefined> {
  for await (const { key, value } of kv.list({ prefix: [] })) {
    if (key[1] === "open" && value instanceof Deno.KvU64) return value.value;
  }
  return undefined;
}
