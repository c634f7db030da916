/** The routes of operators: list, figures, redelivery and sweep. Only engines with a store have them. */
import type { Config } from "../config.ts";
import { HttpProblem } from "../http/problem.ts";
import { callEngine, callWithId, toWatchBody } from "./response.ts";
import type { WatchItem } from "./response_schema.ts";
import { createWatches, type Watches, type WatchOperator } from "./routes.ts";
import { isActive, redelivered, type Watch, WATCH_STATES, type WatchState } from "./state.ts";
import type { ListOptions, ListPosition, StoreEngine, StoreStats } from "./store.ts";
import { decodeBase64Url, encodeBase64Url } from "../../src/internal/base64.ts";
import { quote } from "../../src/internal/text.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;

function invalid(detail: string): HttpProblem {
  return new HttpProblem("invalid-request", detail);
}

function isState(text: string): text is WatchState {
  return (WATCH_STATES as readonly string[]).includes(text);
}

function encodeCursor({ startedAt, id }: ListPosition): string {
  return encodeBase64Url(new TextEncoder().encode(`${startedAt}.${id}`));
}

function decodeCursor(cursor: string): ListPosition {
  const text = new TextDecoder().decode(decodeBase64Url(cursor));
  const [, startedAt, id] = /^(\d{1,15})\.([0-9a-f]{64}-\d{1,9})$/.exec(text) ?? [];
  if (!startedAt || !id) throw invalid("cursor must be the next_cursor of a response");
  return { startedAt: Number(startedAt), id };
}

/** Parses the query of `GET /watches`; an empty parameter counts as absent. */
function parseListQuery(query: URLSearchParams): ListOptions {
  const state = query.get("state") ?? "";
  const limit = query.get("limit") ?? "";
  const cursor = query.get("cursor") ?? "";
  if (state !== "" && !isState(state)) {
    throw invalid(`state must be one of ${WATCH_STATES.join(", ")}, not ${quote(state)}`);
  }
  if (limit && !(/^\d{1,3}$/.test(limit) && Number(limit) >= 1 && Number(limit) <= MAX_LIMIT)) {
    throw invalid(`limit must be a whole number from 1 to ${MAX_LIMIT}, not ${quote(limit)}`);
  }
  return {
    state: state || undefined,
    after: cursor ? decodeCursor(cursor) : undefined,
    limit: Number(limit) || DEFAULT_LIMIT,
  };
}

function toWatchItem(watch: Watch, config: Config): WatchItem {
  const { origin, pathname } = new URL(watch.callbackUrl); // the query may contain a secret
  return {
    ...toWatchBody(watch, config),
    callback_url: origin + pathname,
    created_at: new Date(watch.startedAt).toISOString(),
    due_at: new Date(watch.dueAt).toISOString(),
  };
}

interface Figures extends StoreStats {
  readonly oldestDueSeconds: number;
  readonly delivered: number;
  readonly failed: number;
}

async function readFigures({ store }: StoreEngine): Promise<Figures> {
  const stats = await callEngine(() => store.stats());
  const hosts = [...stats.hosts.values()];
  const waited = stats.oldestDueAt === undefined ? 0 : store.now() - stats.oldestDueAt;
  return {
    ...stats,
    oldestDueSeconds: Math.max(0, Math.floor(waited / 1_000)),
    delivered: hosts.reduce((sum, { delivered }) => sum + delivered, 0),
    failed: hosts.reduce((sum, { failed }) => sum + failed, 0),
  };
}

/** Returns a watch whose event is due again. */
function reopen(watch: Watch, now: number): Watch {
  const { state, reason, event } = watch;
  if (isActive(watch)) {
    throw new HttpProblem("conflict", "the watch is still open", { code: "WATCH_OPEN" });
  }
  if (!event || reason || state === "cancelled") {
    const detail = "the watch ended without an event";
    throw new HttpProblem("conflict", detail, { code: "WATCH_WITHOUT_EVENT" });
  }
  return redelivered(watch, now);
}

function createOperator(config: Config, engine: StoreEngine): WatchOperator {
  const { store } = engine;
  return {
    async list(query) {
      const { limit, ...options } = parseListQuery(query);
      const found = await callEngine(() => store.list({ ...options, limit: limit + 1 }));
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      const watches = page.map((watch) => toWatchItem(watch, config));
      return { status: 200, body: { watches, next_cursor: last ? encodeCursor(last) : null } };
    },
    async stats() {
      const { open, due, oldestDueSeconds, delivered, failed, hosts } = await readFigures(engine);
      const byHost = [...hosts].map(([host, { open, delivered, failed, timedOut }]) =>
        [host, { open, delivered, failed, timed_out: timedOut }] as const
      );
      return {
        status: 200,
        body: {
          ...{ open, due, oldest_due_s: oldestDueSeconds, delivered, failed },
          hosts: Object.fromEntries(byHost),
        },
      };
    },
    async redeliver(id) {
      const change = (watch: Watch) => reopen(watch, store.now());
      const watch = await callWithId(id, (id) => engine.update(id, change));
      return { status: 202, body: toWatchBody(watch, config) };
    },
    async sweep() {
      const { polled, delivered } = await engine.sweep(config.sweepTimeout);
      const { due } = await callEngine(() => store.stats());
      return { status: 200, body: { polled, delivered, remaining: due } };
    },
    async metrics() {
      const { open, due, oldestDueSeconds, delivered, failed } = await readFigures(engine);
      const figures: [name: string, type: string, help: string, value: number][] = [
        ["open", "gauge", "Open watches.", open],
        ["due", "gauge", "Watches that wait for a step.", due],
        ["oldest_due_seconds", "gauge", "Wait of the oldest due watch.", oldestDueSeconds],
        ["delivered_total", "counter", "Events that a receiver accepted.", delivered],
        ["failed_total", "counter", "Watches that failed.", failed],
      ];
      return figures.flatMap(([name, type, help, value]) => [
        `# HELP deepint_watches_${name} ${help}`,
        `# TYPE deepint_watches_${name} ${type}`,
        `deepint_watches_${name} ${value}`,
      ]);
    },
  };
}

/** Creates the watches of an engine with a store, with the operator routes. */
export function createStoreWatches(config: Config, engine: StoreEngine): Watches {
  return createWatches(config, engine, createOperator(config, engine));
}
