/** Callbacks: the allowed hosts, and one delivery of a signed event. */
import { Credentials } from "../../mod.ts";
import { type CallbackHost, type Config, ConfigError } from "../config.ts";
import { HttpProblem, invalidRequest } from "../http/problem.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import { normalizeSecret } from "../../src/internal/webhook_secret.ts";
import { withTimeout } from "../../src/internal/deadline.ts";
import { parseRetryAfter } from "../../src/internal/retry_after.ts";
import { isLoopback } from "../../src/internal/loopback.ts";
import { VERSION } from "../../src/internal/version.ts";

const CALLBACK_TIMEOUT_MS = 10_000;
const MAX_URL = 2_000;

/** Returns the host and port of a URL, including the default port of its scheme. */
function hostOf({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port || (protocol === "http:" ? 80 : 443)}`;
}

function isLocal(config: Pick<Config, "token" | "instance">): boolean {
  const { instance } = new Credentials(config);
  return isLoopback(new URL(/^http:/.test(instance) ? instance : `https://${instance}`).hostname);
}

function isThisMachine(hostname: string): boolean {
  return isLoopback(hostname) || hostname.endsWith(".localhost");
}

// `URL` normalizes every spelling of an IPv4 address to four numbers
function isAddress(hostname: string): boolean {
  return hostname.startsWith("[") || /^[\d.]+$/.test(hostname) ||
    /(^|\.)localhost\.?$/.test(hostname);
}

/**
 * Parses the entries of `RESOLVE_CALLBACK_HOSTS`: `host[:port][/path]=whsec_…`. Events to a host with
 * several entries are signed with each of its secrets.
 *
 * @throws {ConfigError} when an entry is malformed; the message never contains a secret
 */
export function parseCallbackHosts(
  entries: readonly string[],
  config: Pick<Config, "token" | "instance" | "apiKeys" | "webhookSecrets" | "linkSecrets">,
): CallbackHost[] {
  const refuse = (problem: string) => new ConfigError("RESOLVE_CALLBACK_HOSTS", problem);
  const local = isLocal(config);
  const { apiKeys, webhookSecrets, linkSecrets = [] } = config;
  // with a shared secret, a receiver could forge requests, links, or events to other hosts
  const uses = new Map(
    [...apiKeys, ...webhookSecrets, ...linkSecrets].map((it) => [it, "inbound"]),
  );
  return entries.map((entry) => {
    const [address = "", ...rest] = entry.split("=").map((part) => part.trim());
    const secret = normalizeSecret(rest.join("="));
    const [, given = "", path = ""] = /^([^/?#@%\\\s]+)((?:\/[\w~.-]+)*)\/?$/.exec(address) ?? [];
    const url = given !== "" && !/:0*$/.test(given) && URL.canParse(`https://${given}`)
      ? new URL(`https://${given}${path}`)
      : undefined;
    // a pattern would be read as a name and match nothing, as would dot segments
    if (!url || !/^(\[.*\]|[\w.-]+)$/.test(url.hostname) || url.pathname !== (path || "/")) {
      throw refuse("each entry must begin with host[:port][/path]; patterns are not supported");
    }
    const { hostname } = url;
    if (isThisMachine(hostname) ? !local : isAddress(hostname)) {
      throw refuse(
        `${hostname} is refused: use a public host name (loopback only with a loopback instance)`,
      );
    }
    const host = hostOf(url);
    if ((uses.get(secret) ?? host + path) !== host + path) {
      throw refuse("a secret is used twice: callers, links and each host need different secrets");
    }
    uses.set(secret, host + path);
    return { host, secret, ...(path && { path }) };
  });
}

function hasPath({ pathname }: URL, path: string): boolean {
  if (path === "") return true;
  // a server may decode these to separators and leave the path
  if (/%(2f|5c)/i.test(pathname)) return false;
  return pathname === path || pathname.startsWith(`${path}/`);
}

/** Returns the secrets that sign events to a URL, those of its longest path. */
function secretsOf(url: URL, hosts: readonly CallbackHost[]): string[] {
  const host = hostOf(url);
  const matches = hosts.filter((it) => it.host === host && hasPath(url, it.path ?? ""));
  const longest = Math.max(...matches.map(({ path = "" }) => path.length));
  return matches.filter(({ path = "" }) => path.length === longest).map(({ secret }) => secret);
}

/** Returns `true` if the URL may be called. */
export function isAllowedCallback(url: URL, hosts: readonly CallbackHost[]): boolean {
  return secretsOf(url, hosts).length > 0;
}

/**
 * Checks the URL of a callback.
 *
 * @returns the normalized URL
 * @throws {HttpProblem} `invalid-request` for an unusable URL, `forbidden` for a host that is not allowed
 */
export function checkCallbackUrl(text: string, pointer: string, config: Config): string {
  const wrong = (detail: string) => invalidRequest([{ pointer, detail }]);
  if (text.length > MAX_URL || !URL.canParse(text)) {
    throw wrong(`must be a URL of at most ${MAX_URL} characters`);
  }
  const url = new URL(text);
  if (url.username || url.password) throw wrong("must not contain user info");
  const plain = url.protocol === "http:" && isThisMachine(url.hostname) && isLocal(config);
  if (url.protocol !== "https:" && !plain) throw wrong("must be https");
  if (!isAllowedCallback(url, config.callbackHosts ?? [])) {
    throw new HttpProblem("forbidden", "the host of callback_url is not allowed", {
      code: "CALLBACK_NOT_ALLOWED",
    });
  }
  url.hash = "";
  if (url.href.length > MAX_URL) throw wrong(`must be at most ${MAX_URL} characters when encoded`);
  return url.href;
}

/** An event to deliver. */
export interface Delivery {
  /** URL of the receiver. */
  url: string;
  /** `webhook-id`, the same for each attempt. */
  id: string;
  /** Body of the request. */
  event: unknown;
  /** Current time in ms since 1970. */
  now: number;
  /** Ends the delivery without a response. @default none */
  signal?: AbortSignal | undefined;
}

/** Result of {@linkcode deliver}. */
export interface DeliveryResult {
  /** Status of the response; 0 without a response. */
  readonly status: number;
  /** `Retry-After` of the response in ms. @default none */
  readonly retryAfter?: number | undefined;
  /** `true` if the delivery timed out. */
  readonly timedOut: boolean;
}

/** Delivers an event once, signed with each secret of its host, within 10 s. Redirects are not followed. */
export async function deliver(
  { url, id, event, now, signal: outer }: Delivery,
  callbacks: readonly CallbackHost[],
  fetch: typeof globalThis.fetch = globalThis.fetch,
): Promise<DeliveryResult> {
  const body = JSON.stringify(event);
  const seconds = Math.floor(now / 1_000);
  const signatures: string[] = [];
  for (const secret of secretsOf(new URL(url), callbacks)) {
    signatures.push(await signWebhook(secret, { id, timestamp: seconds, body }));
  }
  if (signatures.length === 0) return { status: 0, timedOut: false };
  const headers = {
    "content-type": "application/json",
    "user-agent": `deepint-task/${VERSION}`,
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": signatures.join(" "),
  };
  const send = async (signal: AbortSignal): Promise<DeliveryResult> => {
    const init = { method: "POST", headers, body, redirect: "manual", signal } as const;
    const response = await fetch(url, init);
    response.body?.cancel().catch(() => {});
    const retryAfter = parseRetryAfter(response.headers.get("retry-after"), {
      date: response.headers.get("date"),
    });
    return { status: response.status, retryAfter, timedOut: false };
  };
  try {
    const onTimeout = (): DeliveryResult => ({ status: 0, timedOut: true });
    return await withTimeout(send, { ms: CALLBACK_TIMEOUT_MS, signal: outer, onTimeout });
  } catch {
    return { status: 0, timedOut: false };
  }
}
