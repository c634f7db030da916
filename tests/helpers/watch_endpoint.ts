// The endpoint with watches in a KV in memory, for the tests of their routes.
import { assertEquals } from "./assert.ts";
import { createApp, type Handler, type LogEntry } from "../../functions/app.ts";
import type { WatchLogEntry } from "../../functions/watches/step.ts";
import { createStoreWatches } from "../../functions/watches/operator_routes.ts";
import type { WatchLoop } from "../../functions/watches/loop.ts";
import { IDS, KEY, post, type Settings, TOKEN, withHeaders } from "./endpoint.ts";
import { createFakePlatform, type FakePlatform } from "./fake_platform.ts";
import { configWith, createReceiver, kvWatches, type Receiver } from "./watches.ts";

/** A callback of the allowed host. */
export const HOOK = "https://hooks.example/end";
/** A request for a watch. */
export const ORDER = { ...IDS, callback_url: HOOK };
/** A secret that is not the host's. */
export const OTHER_SECRET = `whsec_${btoa("canary-another-secret-of-the-host")}`;

/** An endpoint with watches. */
export interface Setup extends Disposable {
  readonly app: Handler;
  readonly kv: Deno.Kv;
  readonly watches: WatchLoop;
  readonly platform: FakePlatform;
  readonly receiver: Receiver;
  readonly log: LogEntry[];
  /** Log entries of the watches. */
  readonly told: WatchLogEntry[];
  /** Number of callbacks. */
  readonly calls: string[];
  /** Milliseconds that the clock of the watches is ahead. */
  clockOffset: number;
  /** Responses of the next callbacks, before those of the receiver. */
  respond: ((request: Request) => Response) | undefined;
  /** `POST /watches`, with the key. */
  create(body: unknown): Promise<Response>;
  /** A request with the key. */
  ask(method: string, path: string): Promise<Response>;
}

/** Creates an endpoint with watches. */
export async function setUp(host = "hooks.example", settings: Settings = {}): Promise<Setup> {
  const kv = await Deno.openKv(":memory:");
  const config = configWith(host, settings);
  const platform = createFakePlatform({ token: TOKEN });
  const receiver = createReceiver();
  const log: LogEntry[] = [];
  const told: WatchLogEntry[] = [];
  const calls: string[] = [];
  const watches = kvWatches(kv, config, {
    fetch: platform.fetch,
    callbackFetch: async (input, init) => {
      const request = new Request(input, init);
      calls.push(request.url);
      assertEquals(init?.redirect, "manual");
      return setup.respond?.(request) ?? await receiver.answer(request);
    },
    now: () => Date.now() + setup.clockOffset,
    log: (it) => told.push(it),
  });
  const options = {
    watches: createStoreWatches(config, watches),
    log: (it: LogEntry) => log.push(it),
  };
  const app = createApp(config, { ...options, fetch: platform.fetch });
  const bearer = { authorization: `Bearer ${KEY}` };
  const setup: Setup = {
    app,
    kv,
    watches,
    platform,
    receiver,
    log,
    told,
    calls,
    clockOffset: 0,
    respond: undefined,
    create: async (body) =>
      await app.request(`${config.basePath}/watches`, withHeaders(post(body), bearer)),
    ask: async (method, path) => await app.request(path, { method, headers: bearer }),
    [Symbol.dispose]: () => kv.close(),
  };
  return setup;
}
