/** The function for AWS Lambda, behind a function URL, an API Gateway or a load balancer. */
import process from "node:process";
import { handle } from "hono/aws-lambda";
import { Hono } from "hono/tiny";
import { lazyHandler } from "./lazy_handler.ts";

const fetch = lazyHandler((name) => process.env[name], {
  load: async () => (await import("./watches/database.ts")).entryOptions,
});

/** Handles an event and returns the response in the format of its sender. */
export const handler = handle(new Hono().all("*", (c) => fetch(c.req.raw)));
