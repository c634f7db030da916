/**
 * The function for Vercel; its bundle goes to `api/`. Without durable watches it needs no Node module
 * and therefore also runs in the deprecated edge runtime.
 */
import type { Environment } from "./app.ts";
import { lazyHandler } from "./lazy_handler.ts";

const handler = lazyHandler((name) => {
  const { process } = globalThis as { process?: { env?: Environment } };
  return process?.env?.[name];
}, {
  load: async () => (await import("./watches/database.ts")).entryOptions,
});

export default {
  fetch: (request: Request): Response | Promise<Response> => handler(request),
};
