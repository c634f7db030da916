/** Signed links to one task: `v1.<payload>.<mac>`, good until they expire, for reading alone. */
import { encoder, fromBase64, lazyKeys, signHmac, toBytes } from "./webhook.ts";
import type { Config } from "../config.ts";
import type { TaskIds } from "../task/shared_poll.ts";
import type { ResolveRequest } from "../task/request_schema.ts";

/** Makes and reads the tokens of links. */
export interface LinkSigner {
  /**
   * The token of a task. It is the same one for an eighth of the time to live, so that an answer with it
   * keeps its `ETag`; hence it is good for seven eighths of that time at least.
   */
  createToken(ids: TaskIds): Promise<string>;
  /**
   * The task that a token is for, named as a request names it, or undefined when the token is not one
   * of ours, was tampered with, or is too old.
   */
  verifyToken(token: string): Promise<ResolveRequest | undefined>;
}

/** The links of a configuration that has a secret for them. */
export function linkSignerFromConfig(
  { linkSecrets = [], linkTtl = 86_400_000 }: Pick<Config, "linkSecrets" | "linkTtl">,
  now: () => number,
): LinkSigner | undefined {
  return linkSecrets.length > 0 ? createLinkSigner(linkSecrets, linkTtl, now) : undefined;
}

/** The path of a task's page. */
export async function statusPagePath(
  task: TaskIds,
  links: LinkSigner,
  basePath: string,
): Promise<string> {
  return `${basePath}/status/${await links.createToken(task)}`;
}

/** Tokens that are remembered: some 300 kB at most. */
const MAX_CACHED_TOKENS = 1_000;

/**
 * Makes the links of a secret. What is signed is `v1.<payload>`, with a single dot, so no signature of
 * a webhook (over `id.timestamp.body`) is one of a link, should both have the same secret.
 *
 * @param secrets `whsec_` and base64 of 24 to 64 bytes each: the first signs, any is good for reading
 * @param ttl ms that a link is good for
 * @param now the clock, in ms since 1970
 * @throws {RangeError} when a secret is malformed; the message does not hold it
 */
export function createLinkSigner(
  secrets: readonly string[],
  ttl: number,
  now: () => number,
): LinkSigner {
  const importKeys = lazyKeys(secrets);
  // whoever follows a task is given the same link each time, and an HMAC costs a third of an answer
  const tokenCache = new Map<string, string>();
  return {
    async createToken({ organizationId, workspaceId, taskId }) {
      const step = ttl / 8;
      const exp = Math.floor(Math.floor((now() + ttl) / step) * step / 1000);
      const payload = JSON.stringify({ o: organizationId, w: workspaceId, t: taskId, exp });
      let token = tokenCache.get(payload);
      if (token === undefined) {
        const [key] = await importKeys();
        if (!key) throw new RangeError("Cannot make a link: there is no secret");
        const signed = `v1.${toBase64Url(payload)}`;
        token = `${signed}.${toBase64Url(await signHmac(key, encoder.encode(signed)))}`;
        if (tokenCache.size >= MAX_CACHED_TOKENS) tokenCache.clear();
        tokenCache.set(payload, token);
      }
      return token;
    },
    async verifyToken(token) {
      const [, signed = "", payload = "", mac = ""] = /^(v1\.([\w-]+))\.([\w-]{43})$/.exec(token) ??
        [];
      const [text, given] = [fromBase64Url(payload), fromBase64Url(mac)];
      if (!text || !given) return undefined;
      for (const key of await importKeys()) {
        if (await crypto.subtle.verify("HMAC", key, toBytes(given), encoder.encode(signed))) {
          return parsePayload(text, now());
        }
      }
      return undefined;
    },
  };
}

/** Three ids and a time. The secret may have signed other things too. */
const PAYLOAD = /^(."[\w-]{1,128}"){3},\d+]$/;

/** The task that a payload names, unless it is too old or no payload. */
function parsePayload(payload: string, now: number): ResolveRequest | undefined {
  try {
    const { o, w, t, exp } = JSON.parse(payload);
    return PAYLOAD.test(JSON.stringify([o, w, t, exp])) && now < exp * 1000
      ? { organization_id: o, workspace_id: w, task_id: t }
      : undefined;
  } catch {
    return undefined;
  }
}

function toBase64Url(binary: string): string {
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The binary string of canonical base64url, else undefined. */
function fromBase64Url(text: string): string | undefined {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return fromBase64(base64.padEnd(Math.ceil(text.length / 4) * 4, "="));
}
