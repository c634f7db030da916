// A loop of watches in any store, with tasks of one status, for tests on a fake clock.
import type { Config } from "../../functions/app.ts";
import { type LoopOptions, WatchLoop } from "../../functions/watches/loop.ts";
import type { NewWatch, WatchStore } from "../../functions/watches/store.ts";
import type { FakeClock } from "./fake_clock.ts";
import { configWith } from "./watches.ts";

/** The callback host. */
export const HOST = "hooks.example.com";

/** Creates a request for the watch of a task in a workspace of its own, which is polled by GET. */
export function order(n: number, host = HOST): NewWatch {
  return {
    key: n.toString(16).padStart(64, "0"),
    instance: "app.deepint.net",
    ids: { organizationId: "o-1", workspaceId: `w-${n}`, taskId: `t-${n}` },
    callbackUrl: `https://${host}/ended`,
    deadline: 86_400_000,
  };
}

/** Responds with tasks of one status. */
export const tasks = (status: string) => (url: string) =>
  Promise.resolve(Response.json({ id: url.split("/").at(-1), status }));

/** Creates a loop whose tasks are running. */
export function createLoop(
  store: WatchStore,
  options: LoopOptions & { config?: Config } = {},
): WatchLoop {
  const { config = configWith(HOST), ...others } = options;
  return new WatchLoop(store, config, { fetch: tasks("running"), log() {}, ...others });
}

/** Runs a loop on a fake clock for some time. */
export async function runFor(clock: FakeClock, loop: WatchLoop, ms: number): Promise<void> {
  const stop = new AbortController();
  const running = loop.run(stop.signal);
  await clock.tick(ms);
  stop.abort();
  await clock.runUntil(running);
}
