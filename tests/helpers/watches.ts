// Settings, a loop and a receiver for the tests of the durable watches.
import { Webhook } from "standardwebhooks";
import { type Config, readConfig } from "../../functions/app.ts";
import { parseCallbackHosts } from "../../functions/watches/callback.ts";
import { KvStore } from "../../functions/watches/kv_store.ts";
import { WatchLoop } from "../../functions/watches/loop.ts";
import type { StepOptions } from "../../functions/watches/step.ts";
import { KEY, SECRET, type Settings, TOKEN } from "./endpoint.ts";
import { withTimeout } from "../../src/internal/deadline.ts";

/** Secret of the callback host. */
export const CALLBACK_SECRET = `whsec_${btoa("canary-callback-secret-of-36-bytes!!")}`;

/** Creates a configuration with a callback host. */
export function configWith(host: string, settings: Settings = {}): Config {
  return readConfig({
    DEEPINT_TOKEN: TOKEN,
    RESOLVE_API_KEYS: KEY,
    RESOLVE_WEBHOOK_SECRETS: SECRET,
    RESOLVE_CALLBACK_HOSTS: `${host}=${CALLBACK_SECRET}`,
    ...settings,
  }, { parseCallbackHosts });
}

/** Creates the loop of watches in a KV. */
export function kvWatches(
  kv: Deno.Kv,
  config: Config,
  { now = () => Date.now(), ...options }: StepOptions = {},
): WatchLoop {
  return new WatchLoop(new KvStore(kv, { ...config, now }), config, options);
}

/** A received event. */
export interface Received {
  /** `webhook-id`. */
  readonly id: string;
  /** Id of the task. */
  readonly task: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly event: {
    type: string;
    timestamp: string;
    data: { task: { info: { id: string } }; [name: string]: unknown };
  };
  /** Status of the response. */
  readonly status: number;
  /** Time of arrival by the real clock, in ms since 1970. */
  readonly at: number;
}

/** Longer than any test needs: a lost event must fail its test, not stop the run. */
const UNTIL_MS = 180_000;

/** A receiver of events. */
export interface Receiver {
  /** Received events, the oldest first. */
  readonly received: readonly Received[];
  readonly answer: (request: Request) => Promise<Response>;
  /** Accepted events by `webhook-id`. */
  taken(): Map<string, Received[]>;
  /** Waits for a number of different accepted events; rejects after 3 minutes. */
  until(count: number): Promise<void>;
}

/**
 * Creates a receiver that verifies each event with the package `standardwebhooks`. An event with a
 * wrong signature gets 400 and is not in `received`.
 *
 * @param status the status of the response, by the task's id and the number of attempts before
 * @param now clock for the timestamps. @default Date.now
 */
export function createReceiver(
  status: (task: string, before: number) => number = () => 204,
  now?: () => number,
): Receiver {
  const received: Received[] = [];
  const webhook = new Webhook(CALLBACK_SECRET);
  const counts = new Map<string, number>();
  const taken = new Map<string, Received[]>();
  let wake = () => {};
  return {
    received,
    taken: () => taken,
    async answer(request) {
      const headers = Object.fromEntries(request.headers);
      const body = await request.text();
      let event: Received["event"];
      const { now: real } = Date;
      try {
        if (now) Date.now = now; // the package takes no clock
        event = webhook.verify(body, headers) as Received["event"];
      } catch {
        return new Response(null, { status: 400 });
      } finally {
        Date.now = real;
      }
      const id = headers["webhook-id"] ?? "";
      const task = String(event.data.task.info.id);
      const before = counts.get(id) ?? 0;
      counts.set(id, before + 1);
      const one = { id, task, headers, event, status: status(task, before), at: Date.now() };
      received.push(one);
      if (one.status < 300) {
        taken.set(id, [...taken.get(id) ?? [], one]);
        wake();
      }
      return new Response(null, { status: one.status });
    },
    async until(count) {
      const onTimeout = () => {
        throw new Error(`${taken.size} of ${count} events arrived within ${UNTIL_MS} ms`);
      };
      const work = async (signal: AbortSignal) => {
        while (taken.size < count && !signal.aborted) {
          await new Promise<void>((resolve) => wake = resolve);
        }
      };
      await withTimeout(work, { ms: UNTIL_MS, onTimeout });
    },
  };
}
