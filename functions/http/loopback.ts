/** Callers on this machine, the only ones that are served without authentication. */
import type { Context } from "hono";
import type { AppEnv } from "./log.ts";
import { isLoopback } from "../../src/internal/loopback.ts";

/** Detail of the problem for other requests. */
export const LOCAL_ONLY = "without authentication, only direct callers on this machine are served";

/** Headers that a proxy adds. */
const FORWARDED = /^(forwarded|x-forwarded-.*|via)$/;

/**
 * Returns `true` for a request that comes from this machine and not through a proxy, which connects from
 * loopback for callers from anywhere.
 */
export function isLocalRequest(c: Context<AppEnv>): boolean {
  const peer = c.env.info?.remoteAddr?.hostname;
  const isLocal = isLoopback(new URL(c.req.url).hostname) && (!peer || isLoopback(peer));
  const isForwarded = [...c.req.raw.headers.keys()].some((name) => FORWARDED.test(name));
  return isLocal && !isForwarded;
}
