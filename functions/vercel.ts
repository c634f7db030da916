/** The function for Vercel, in its Node runtime; its bundle goes to `api/`. */
import process from "node:process";
import { lazyHandler } from "./lazy_handler.ts";

const handler = lazyHandler((name) => process.env[name], {
  load: async () => (await import("./watches/database.ts")).entryOptions,
});

export default {
  fetch: (request: Request): Response | Promise<Response> => handler(request),
};
