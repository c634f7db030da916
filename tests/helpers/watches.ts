// What the tests of the durable watches share: settings with a callback, and a receiver of events.
import { Webhook } from "standardwebhooks";
import { type Config, readConfig } from "../../functions/app.ts";
import { parseCallbackHosts } from "../../functions/watches/callback.ts";
import { KvStore } from "../../functions/watches/kv_store.ts";
import { WatchLoop } from "../../functions/watches/loop.ts";
import type { StepOptions } from "../../functions/watches/step.ts";
import { KEY, SECRET, type Settings, TOKEN } from "./endpoint.ts";

/** The secret of the callbacks: none that a sender has. */
export const CALLBACK_SECRET = `whsec_${btoa("canary-callback-secret-of-36-bytes!!")}`;

/** A configuration with the host of a callback. */
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
export function kvWatches(kv: Deno.Kv, config: Config, options?: StepOptions): WatchLoop {
  return new WatchLoop(new KvStore(kv, config), config, options);
}

/** An event as it arrived. */
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
  /** What it was answered. */
  readonly status: number;
  /** Milliseconds since 1970, by the clock that is not a test's. */
  readonly at: number;
}

/** What takes events. */
export interface Receiver {
  /** The events that were taken or turned away, oldest first. */
  readonly received: readonly Received[];
  readonly answer: (request: Request) => Promise<Response>;
  /** The events that were taken, by their ids. */
  taken(): Map<string, Received[]>;
  /** Waits until so many different events were taken. */
  until(count: number): Promise<void>;
}

/**
 * Makes a receiver that verifies each event by the package `standardwebhooks`: one that is not well
 * signed is 400, and none of `received`.
 *
 * @param status the status of the response, by the task's id and the number of attempts before
 * @param now the clock that the timestamps are of, where that is a test's
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
        if (now) Date.now = now; // the package has no clock of its own
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
      while (taken.size < count) await new Promise<void>((resolve) => wake = resolve);
    },
  };
}
