/**
 * Supabase Edge Functions: its bundle is `supabase/functions/resolve-task/index.ts`. Their guides now
 * have a default export with `fetch`, which Deno knows too, where they had `Deno.serve` before.
 * `config.toml` beside this is an example of what else it needs.
 */
import { lazyHandler } from "../lazy_handler.ts";

const handler = lazyHandler((name) => Deno.env.get(name));

export default {
  fetch: (request: Request): Response | Promise<Response> => handler(request),
};
