/**
 * Vercel Functions on the Node runtime: its bundle goes to `api/`. It imports nothing of Node, so
 * that it also runs in the edge runtime, which is deprecated.
 */
import type { Environment } from "./app.ts";
import { lazyHandler } from "./lazy_handler.ts";

const handler = lazyHandler((name) => {
  const { process } = globalThis as { process?: { env?: Environment } };
  return process?.env?.[name];
});

export default {
  fetch: (request: Request): Response | Promise<Response> => handler(request),
};
