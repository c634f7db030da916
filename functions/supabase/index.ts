/**
 * The Supabase Edge Function; its bundle goes to `supabase/functions/resolve-task/index.ts`. `config.toml`
 * in this folder has the settings that it needs.
 */
import { lazyHandler } from "../lazy_handler.ts";

const handler = lazyHandler((name) => Deno.env.get(name), {
  load: async () => (await import("../watches/database.ts")).entryOptions,
});

export default {
  fetch: (request: Request): Response | Promise<Response> => handler(request),
};
