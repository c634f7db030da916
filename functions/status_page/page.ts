/** Content negotiation of the status page. Loaded on demand. */
import type { Context } from "hono";
import type { AppEnv } from "../http/log.ts";
import type { ProblemType } from "../http/problem.ts";
import type { ResponseParts } from "../http/response.ts";
import { encodeBase64 } from "../../src/internal/base64.ts";
import { prefersJson } from "./accept.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";
import { type LinkAnswer, pageOf, type PageOptions } from "./view.ts";

/** Seconds until the page of a temporary problem is out of date. */
const REFRESH_SECONDS: { readonly [type in ProblemType]?: number } = {
  "upstream-timeout": 10,
  "upstream-unavailable": 10,
  "upstream-credentials": 60,
};

/** Options of {@linkcode negotiate}. */
export interface NegotiateOptions extends Pick<PageOptions, "now" | "taskUrl"> {
  /** Type of the problem in the response. @default none */
  problem: ProblemType | undefined;
}

/** Returns the response unchanged for a caller that prefers JSON, otherwise as the status page. */
export async function negotiate(
  c: Context<AppEnv>,
  { status, body, headers }: ResponseParts,
  { now, problem, taskUrl }: NegotiateOptions,
): Promise<ResponseParts> {
  // the link is a secret of its holder
  const common = { "referrer-policy": "no-referrer", "x-robots-tag": "noindex", "vary": "Accept" };
  if (prefersJson(c.req.header("accept") ?? "")) {
    return { status, body, headers: { ...headers, ...common } };
  }

  const answer = body as LinkAnswer;
  const { location: _, "retry-after": retryAfter, ...others } = headers ?? {};
  const refresh = Number(retryAfter) || (problem && REFRESH_SECONDS[problem]);
  return {
    // an unknown status of the task is not a failure of the page
    status: "task" in answer ? 200 : status,
    body: await pageOf(answer, { now, refresh, taskUrl }),
    headers: {
      ...others,
      ...common,
      ...(retryAfter && { "retry-after": retryAfter }),
      ...(refresh !== undefined && {
        ...(status >= 500 && { "retry-after": String(refresh) }),
        "refresh": String(refresh), // for browsers without scripts; the script cancels it
      }),
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": await contentSecurityPolicy(),
    },
  };
}

let policy: string | undefined;

/** Allows only the one style and the one script, by their hashes. */
async function contentSecurityPolicy(): Promise<string> {
  const hash = async (text: string) => {
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
    return `'sha256-${encodeBase64(new Uint8Array(digest))}'`;
  };
  return policy ??= [
    "default-src 'none'",
    `style-src ${await hash(STYLE)}`,
    `script-src ${await hash(SCRIPT)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
