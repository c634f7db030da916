// Vercel edge-runtime: a script that listens for fetch events.
import type { ExecutionContext } from "../../functions/app.ts";
import { workerHandler } from "./endpoint.ts";

interface FetchEvent extends Event, ExecutionContext {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

const handler = workerHandler();
addEventListener("fetch", (event) => {
  const fetched = event as FetchEvent;
  const context = { waitUntil: (promise: Promise<unknown>) => fetched.waitUntil(promise) };
  fetched.respondWith(handler(fetched.request, undefined, context));
});
