/** AWS Lambda behind a function URL, an API Gateway or a load balancer: the handler `handler`. */
import process from "node:process";
import { handle } from "hono/aws-lambda";
import { Hono } from "hono/tiny";
import { lazyHandler } from "./lazy_handler.ts";

const fetch = lazyHandler((name) => process.env[name]);

/** Answers an event of one of them with their form of a response. */
export const handler = handle(new Hono().all("*", (c) => fetch(c.req.raw)));
