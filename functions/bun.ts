/** Bun, which serves what the module that it runs exports. */
import process from "node:process";
import { readConfig } from "./app.ts";
import { lazyHandler } from "./lazy_handler.ts";

const handler = lazyHandler((name) => process.env[name]);

export default {
  /** Where Bun listens. It asks when all is loaded, and does not start when a setting is wrong. */
  get port(): number {
    return readConfig(process.env).port;
  },
  /** Seconds: Bun's own 10 would end a poll that `RESOLVE_TIMEOUT_MS` gives up to 60. */
  idleTimeout: 120,
  fetch: (request: Request): Response | Promise<Response> => handler(request),
};
