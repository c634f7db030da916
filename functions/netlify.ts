/**
 * The Netlify Edge Function; its bundle goes to `netlify/edge-functions/`. Netlify's `Context` is not
 * used: edge functions run on Deno, where requests may share a poll without `waitUntil`.
 */
import { lazyHandler } from "./lazy_handler.ts";

declare const Netlify: { env: { get(name: string): string | undefined } };

const handler = lazyHandler((name) => Netlify.env.get(name));

export default (request: Request): Response | Promise<Response> => handler(request);

/** Routes every request to this function. */
export const config: { path: string } = { path: "/*" };
