/**
 * The peer of the vendor's connector on Node: Express and node-fetch, with the duties of an endpoint.
 * Its arguments are the origin of the upstream, the caller's key, the platform's token, and the folder
 * whose packages it uses.
 */
// deno-lint-ignore-file no-console
import { randomUUID } from "node:crypto";
import { Agent } from "node:http";
import { createRequire } from "node:module";
import process from "node:process";

const TIMEOUT_MS = 8_000;
const [upstream, key, token, packages] = process.argv.slice(2);
const require = createRequire(packages);
const express = require("express");
const fetch = require("node-fetch");
const agent = new Agent({ keepAlive: true }); // node-fetch opens a connection per request without it

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.use((request, response, next) => {
  const startedAt = Date.now();
  response.on("finish", () => {
    const time = new Date(startedAt).toISOString();
    const { method, path } = request;
    const { statusCode: status } = response;
    console.log(JSON.stringify({ time, method, path, status, ms: Date.now() - startedAt }));
  });
  next();
});
app.use(express.json({ limit: 20_000 }));
app.post("/resolve", async (request, response) => {
  if (request.headers.authorization !== `Bearer ${key}`) return response.status(401).end();
  const { organization_id, workspace_id, task_id } = request.body;
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), TIMEOUT_MS);
  response.on("close", () => {
    if (!response.writableEnded) controller.abort();
  });
  try {
    const answer = await fetch(`${upstream}/api/v1/workspace/${workspace_id}/task/${task_id}`, {
      headers: {
        "accept": "application/json",
        "x-auth-token": token,
        "x-deepint-organization": organization_id,
      },
      redirect: "manual",
      signal: controller.signal,
      agent,
    });
    const text = await answer.text();
    response.status(answer.ok ? 202 : 502).set({
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-request-id": request.headers["x-request-id"] ?? randomUUID(),
      "retry-after": "60",
      "location": `/${organization_id}/${workspace_id}/${task_id}`,
    }).send(text);
  } finally {
    clearTimeout(timer);
  }
});

const server = app.listen(0, "127.0.0.1", () => {
  console.error(`Listening on http://127.0.0.1:${server.address().port}`);
});
