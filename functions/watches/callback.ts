/** Who may be called back, and the call: one signed event, to exactly the hosts that a setting names. */
import { Credentials } from "../../mod.ts";
import { type CallbackHost, type Config, ConfigError } from "../config.ts";
import { isLoopback } from "../http/loopback.ts";
import { HttpProblem, invalidRequest } from "../http/problem.ts";
import { signWebhook } from "../../src/internal/standard_webhooks.ts";
import { withTimeout } from "../../src/internal/deadline.ts";

const CALLBACK_TIMEOUT_MS = 10_000;
const MAX_URL = 2_000;

/**
 * Reads the entries of `RESOLVE_CALLBACK_HOSTS`: `host[:port]=whsec_…`. A host that is there twice signs
 * with each of its secrets.
 *
 * @throws {ConfigError} that holds no secret
 */
export function parseCallbackHosts(
  entries: readonly string[],
  config: Pick<Config, "token" | "instance" | "apiKeys" | "webhookSecrets" | "linkSecrets">,
): CallbackHost[] {
  const refuse = (problem: string) => new ConfigError("RESOLVE_CALLBACK_HOSTS", problem);
  const local = isLocal(config);
  const { apiKeys, webhookSecrets, linkSecrets = [] } = config;
  // whoever has a secret can forge what it signs: requests and links, or events to another host
  const uses = new Map(
    [...apiKeys, ...webhookSecrets, ...linkSecrets].map((it) => [it, "inbound"]),
  );
  return entries.map((entry) => {
    const [, given = "", secret = ""] = /^([^=]*?)\s*=\s*(.*)$/.exec(entry) ?? [];
    const url = /^[^/?#@%\\\s]+$/.test(given) && !/:0*$/.test(given) &&
        URL.canParse(`https://${given}`)
      ? new URL(`https://${given}`)
      : undefined;
    // a pattern would be taken for a name, and match nothing
    if (!url || !/^(\[.*\]|[\w.-]+)$/.test(url.hostname)) {
      throw refuse("what is before = must be host[:port], with no pattern");
    }
    const { hostname } = url;
    if (isThisMachine(hostname) ? !local : isAddress(hostname)) {
      throw refuse(
        `${hostname} is refused: name a public host (loopback with a loopback instance)`,
      );
    }
    const host = hostOf(url);
    if ((uses.get(secret) ?? host) !== host) {
      throw refuse("a secret has another use too: callers, links and each host need their own");
    }
    uses.set(secret, host);
    return { host, secret };
  });
}

/**
 * Checks the URL of a callback.
 *
 * @returns the URL in its plain form
 * @throws {HttpProblem} `invalid-request` when it is not one that can be called, `forbidden` when its host
 * is not one that the setting names
 */
export function checkCallbackUrl(text: string, pointer: string, config: Config): string {
  const wrong = (detail: string) => invalidRequest([{ pointer, detail }]);
  if (text.length > MAX_URL || !URL.canParse(text)) {
    throw wrong(`must be a URL of at most ${MAX_URL} characters`);
  }
  const url = new URL(text);
  if (url.username || url.password) throw wrong("must have no user info");
  const plain = url.protocol === "http:" && isThisMachine(url.hostname) && isLocal(config);
  if (url.protocol !== "https:" && !plain) throw wrong("must be https");
  if (!config.callbackHosts?.some(({ host }) => host === hostOf(url))) {
    throw new HttpProblem("forbidden", "the host of callback_url is not served here", {
      code: "CALLBACK_NOT_ALLOWED",
    });
  }
  url.hash = "";
  if (url.href.length > MAX_URL) throw wrong(`must be at most ${MAX_URL} characters when encoded`);
  return url.href;
}

/** An event that is to be delivered. */
export interface Delivery {
  /** Where to. */
  url: string;
  /** `webhook-id`: the same on each attempt. */
  id: string;
  /** What is told. */
  event: unknown;
  /** The time, in ms since 1970. */
  now: number;
}

/**
 * Delivers an event, signed with each secret of its host: one attempt, at most 10 s. A redirect is not
 * followed, and of the answer only the status is read.
 *
 * @returns the status of the answer; 0 when there was none, or the host is not served any more
 */
export async function deliver(
  { url, id, event, now }: Delivery,
  callbacks: readonly CallbackHost[],
  fetch: typeof globalThis.fetch = globalThis.fetch,
): Promise<number> {
  const host = hostOf(new URL(url));
  const body = JSON.stringify(event);
  const seconds = Math.floor(now / 1_000);
  const signatures: string[] = [];
  for (const callback of callbacks) {
    if (callback.host !== host) continue;
    signatures.push(await signWebhook(callback.secret, { id, timestamp: seconds, body }));
  }
  if (signatures.length === 0) return 0;
  const onTimeout = () => {
    throw new Error("there was no answer in time");
  };
  try {
    return await withTimeout(async (signal) => {
      const response = await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "webhook-id": id,
          "webhook-timestamp": String(seconds),
          "webhook-signature": signatures.join(" "),
        },
        body,
        redirect: "manual",
        signal,
      });
      response.body?.cancel().catch(() => {});
      return response.status;
    }, { ms: CALLBACK_TIMEOUT_MS, onTimeout });
  } catch {
    return 0;
  }
}

/** A URL's host with its port, also where that is the scheme's own. */
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

// `URL` turns every spelling of an IPv4 address into the one with four numbers
function isAddress(hostname: string): boolean {
  return hostname.startsWith("[") || /^[\d.]+$/.test(hostname) ||
    /(^|\.)localhost\.?$/.test(hostname);
}
