/**
 * Netlify Edge Functions: its bundle goes to `netlify/edge-functions/`. Netlify also hands over its
 * `Context`, which is not needed: it runs Deno, where requests may share what is under way.
 */
import { lazyHandler } from "./lazy_handler.ts";

declare const Netlify: { env: { get(name: string): string | undefined } };

const handler = lazyHandler((name) => Netlify.env.get(name));

export default (request: Request): Response | Promise<Response> => handler(request);

/** Which requests come here: all. */
export const config: { path: string } = { path: "/*" };
