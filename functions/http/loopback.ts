/**
 * Callers on this machine, the only ones that are served without authentication. Loaded on demand; it
 * imports nothing, because a shared module would become a chunk of its own.
 */
import type { Context } from "hono";
import type { AppEnv } from "./log.ts";

/** Detail of the problem for other requests. */
export const LOCAL_ONLY = "without authentication, only direct callers on this machine are served";

/** Headers that a proxy adds. */
const FORWARDED = /^(forwarded|x-forwarded-.*|via)$/;

/**
 * Returns `true` for a request that comes from this machine and not through a proxy, which connects from
 * loopback for callers from anywhere.
 */
export function isLocalRequest(
  c: Context<AppEnv>,
  isLoopback: (hostname: string) => boolean,
): boolean {
  const peer = c.env.info?.remoteAddr?.hostname;
  const isLocal = isLoopback(new URL(c.req.url).hostname) && (!peer || isLoopback(peer));
  const isForwarded = [...c.req.raw.headers.keys()].some((name) => FORWARDED.test(name));
  return isLocal && !isForwarded;
}
