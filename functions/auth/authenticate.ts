/** Authentication of requests. Everything fails closed. */
import type { Context } from "hono";
import type { Config } from "../config.ts";
import { isConnected } from "../http/caller_race.ts";
import { checkContentType, parseJson, readBody } from "../http/body.ts";
import type { AppEnv } from "../http/log.ts";
import { HttpProblem } from "../http/problem.ts";
import type { Guard } from "../http/route.ts";
import { keyVerifier, parseBearer } from "./bearer.ts";
import { webhookVerifier } from "./webhook.ts";

/** Options of {@linkcode authenticate}. */
export interface AuthenticateOptions {
  config: Pick<Config, "apiKeys" | "webhookSecrets" | "allowUnauthenticated" | "timeout">;
  /** The clock, in ms since 1970. */
  now: () => number;
}

/** The guards of routes that need authentication. */
export interface Authentication {
  /** Requires a key. */
  bearer: Guard;
  /** Requires a key or a signed body, and parses the JSON body into the variable `json`. */
  bearerOrWebhook: Guard;
}

function unauthorized(detail: string, challenge = "Bearer"): HttpProblem {
  return new HttpProblem("unauthorized", detail, { headers: { "www-authenticate": challenge } });
}

/**
 * Creates the guards.
 *
 * @throws {RangeError} when a secret is malformed
 */
export function authenticate({ config, now }: AuthenticateOptions): Authentication {
  const isKey = keyVerifier(config.apiKeys);
  const webhooks = webhookVerifier(config.webhookSecrets, now);

  /** Returns `true` for a valid key, `false` without one. */
  function authenticateBearer(c: Context<AppEnv>): boolean {
    const entry = c.get("entry");
    const authorization = c.req.header("authorization");
    // a wrong X-API-Key is ignored: API gateways use that header for keys of their own
    if (isKey(c.req.header("x-api-key")) || isKey(parseBearer(authorization))) {
      entry.auth = "bearer";
      return true;
    }
    if (authorization !== undefined) {
      throw unauthorized("the bearer key is not valid", 'Bearer error="invalid_token"');
    }
    if (!config.allowUnauthenticated) return false;
    entry.auth = "unauthenticated";
    return true;
  }

  async function readRequest(c: Context<AppEnv>): Promise<Uint8Array> {
    checkContentType(c.req.raw.headers);
    return await readBody(c.req.raw, {
      timeout: config.timeout,
      connected: isConnected(c.env),
    });
  }

  /** Checks the signature headers before the body is read, and the signature after that. */
  async function readSigned(c: Context<AppEnv>): Promise<Uint8Array> {
    const signature = webhooks.parse(c.req.raw.headers);
    if ("problem" in signature) {
      throw unauthorized(`neither a valid key nor a valid signature: ${signature.problem}`);
    }
    const body = await readRequest(c);
    const entry = c.get("entry");
    if (await webhooks.verify(signature, body)) {
      entry.auth = "webhook";
      return body;
    }
    const hint = await webhooks.explain(signature, body);
    if (hint) entry.hint = hint;
    throw unauthorized("the signature does not match the body");
  }

  return {
    bearer(c) {
      if (!authenticateBearer(c)) throw unauthorized("a valid key is required");
    },
    async bearerOrWebhook(c) {
      const body = authenticateBearer(c) ? await readRequest(c) : await readSigned(c);
      c.set("json", parseJson(body));
    },
  };
}
