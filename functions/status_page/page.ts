/**
 * The page for the person who waits: what a link answers as JSON, for people. Loaded when it is first
 * asked for. It imports nothing that the rest of the endpoint uses too, so that where a bundle is split
 * into chunks, the page is a chunk of its own and there is no third for what they share.
 */
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import type { AppEnv } from "../http/log.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";
import { type LinkAnswer, pageOf, type PageOptions } from "./view.ts";

/** Seconds until the page of a problem is out of date, for those that may pass. */
const REFRESH_SECONDS: Readonly<Record<string, number>> = {
  "upstream-timeout": 10,
  "upstream-unavailable": 10,
  "upstream-credentials": 60,
};

/** Answers the reader of a link, with JSON as it is for whoever prefers that, else with a page. */
export async function statusPage(
  c: Context<AppEnv>,
  answer: Response,
  { sanitizeText, now }: Omit<PageOptions, "refresh">,
): Promise<Response> {
  const headers = new Headers(answer.headers);
  // where the link leads is for whoever has it, and for nobody else
  headers.set("referrer-policy", "no-referrer");
  headers.set("x-robots-tag", "noindex");
  headers.set("vary", "Accept");
  const type = accepts(c, {
    header: "Accept",
    supports: ["text/html", "application/json"],
    default: "text/html",
  });
  if (type !== "text/html" || answer.body === null) {
    return new Response(answer.body, { status: answer.status, headers });
  }

  const body: LinkAnswer = await answer.json();
  const problem = "type" in body ? body.type.replace(/^.*\//, "") : "";
  const known = Number(headers.get("retry-after")) || REFRESH_SECONDS[problem];
  if (known !== undefined) {
    if (answer.status >= 500) headers.set("retry-after", String(known));
    headers.set("refresh", String(known)); // for a browser without scripts; the script stops it
  }
  headers.delete("location");
  headers.set("content-type", "text/html; charset=utf-8");
  headers.set("content-security-policy", await contentSecurityPolicy());
  // a status that we do not know is no failure of the page
  const status = "task" in body ? 200 : answer.status;
  return new Response(await pageOf(body, { sanitizeText, now, refresh: known }), {
    status,
    headers,
  });
}

let policy: string | undefined;

/** Nothing may load or run but the one style and the one script, which are named by their hashes. */
async function contentSecurityPolicy(): Promise<string> {
  return policy ??= [
    "default-src 'none'",
    `style-src ${await hashOf(STYLE)}`,
    `script-src ${await hashOf(SCRIPT)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
}
