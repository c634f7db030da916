/**
 * Settings of the endpoint, read from the environment and validated once. An error names the variable.
 *
 * @module
 */
import * as v from "valibot";
import { type Settings, settingsSchema } from "./settings.ts";
import { isLoopback } from "../src/internal/loopback.ts";

/** Configuration of the endpoint. `.github/docs/settings.md` describes each setting. */
export interface Config {
  /** `DEEPINT_TOKEN`: the endpoint's token for Deep Intelligence. */
  token: string;
  /** `DEEPINT_INSTANCE`: `host[:port]` or an origin. @default "app.deepint.net" */
  instance: string;
  /** `DEEPINT_ORGANIZATION`: organization of requests that do not name one. @default none */
  organization?: string;
  /** `RESOLVE_API_KEYS`: keys of bearer callers. @default [] */
  apiKeys: readonly string[];
  /** `RESOLVE_WEBHOOK_SECRETS`: secrets of inbound webhooks, `whsec_<base64>` each. @default [] */
  webhookSecrets: readonly string[];
  /** `RESOLVE_ALLOWED_ORGANIZATIONS`: allow-list; empty allows all. @default [] */
  allowedOrganizations: readonly string[];
  /** `RESOLVE_ALLOWED_WORKSPACES`: allow-list; empty allows all. @default [] */
  allowedWorkspaces: readonly string[];
  /** `RESOLVE_TIMEOUT_MS`: deadline of a poll, and of the arrival of a body, in ms. @default 8000 */
  timeout: number;
  /** `RESOLVE_PENDING`: response while a task runs. @default depends on the kind of caller */
  pending?: "accepted" | "retry";
  /** `RESOLVE_BASE_PATH`: prefix of incoming paths, without a trailing slash. @default "" */
  basePath: string;
  /** `RESOLVE_PUBLIC_URL`: what callers see in place of `basePath`, without a trailing slash. @default basePath */
  publicUrl?: string;
  /** `RESOLVE_CORS_ORIGINS`: exact origins that may call from a browser. @default [] */
  corsOrigins: readonly string[];
  /** `RESOLVE_LINK_SECRETS`: secrets of the status page; the first signs. @default no status page */
  linkSecrets?: readonly string[];
  /** `RESOLVE_LINK_TTL_S`: lifetime of a link, in ms. @default 86_400_000 */
  linkTtl?: number;
  /** `RESOLVE_ALLOW_UNAUTHENTICATED`: serves loopback without authentication. @default false */
  allowUnauthenticated: boolean;
  /** `HOST`: address to listen on. @default all addresses, IPv6 and IPv4 */
  host?: string;
  /** `PORT`: port to listen on; 0 for any free one. @default 8000 */
  port: number;
  /** `RESOLVE_CALLBACK_HOSTS`: receivers of the events of watches. @default no watches */
  callbackHosts?: readonly CallbackHost[];
  /** `RESOLVE_DATABASE_URL`: PostgreSQL store of the watches; contains a password. @default none */
  databaseUrl?: string;
  /** `RESOLVE_KV_PATH`: file of the Deno KV store. @default Deno's default location */
  kvPath?: string;
  /** `RESOLVE_SWEEP_MS`: time limit of a request to `/watches/sweep`, in ms. @default 25_000 */
  sweepTimeout?: number;
  /** `RESOLVE_MAX_WATCHES`: limit of open watches. @default 10000 */
  maxWatches?: number;
}

/** A host that receives the events of watches. */
export interface CallbackHost {
  /** Host and port, for example `hooks.example.com:443`. */
  host: string;
  /** Path that limits the allowed URLs, as in `/hooks/mine`. @default any path */
  path?: string;
  /** `whsec_<base64>`, the secret that signs the events. */
  secret: string;
}

/** Error for a missing or malformed setting. The message is one line and never contains a secret. */
export class ConfigError extends Error {
  static {
    this.prototype.name = "ConfigError"; // also where a bundler renames the class
  }
  /** The environment variable to correct. */
  readonly variable: string;

  /** Creates an error with the message `<variable>: <problem>`. */
  constructor(variable: string, problem: string) {
    super(`${variable}: ${problem}`);
    this.variable = variable;
  }
}

/** Environment variables, or the bindings of a Worker, which may have values that are not text. */
export type Environment = { readonly [name: string]: unknown };

/** Names of all settings, for entries that read them one by one. */
export const SETTING_NAMES: readonly string[] = Object.keys(settingsSchema(false).entries);

/** Options of {@linkcode readConfig}. */
export interface ReadConfigOptions {
  /** Accepts `RESOLVE_ALLOW_UNAUTHENTICATED=1`. @default false */
  allowUnauthenticated?: boolean;
  /**
   * Parses the entries of `RESOLVE_CALLBACK_HOSTS`; throws {@linkcode ConfigError}. Passed in by entries
   * that have an engine for watches, so that the others don't carry the parser.
   *
   * @default the setting is refused
   */
  parseCallbackHosts?: (entries: readonly string[], config: Config) => readonly CallbackHost[];
}

/** Throws for settings that contradict each other. */
function checkTogether(settings: Settings): void {
  const isOpen = settings.RESOLVE_ALLOW_UNAUTHENTICATED === "1";
  if (!isOpen && !settings.RESOLVE_API_KEYS.length && !settings.RESOLVE_WEBHOOK_SECRETS.length) {
    throw new ConfigError(
      "RESOLVE_API_KEYS",
      "set this or RESOLVE_WEBHOOK_SECRETS; otherwise no request can be authenticated",
    );
  }
  if (isOpen && settings.HOST && !isLoopback(settings.HOST)) {
    throw new ConfigError("HOST", "must be a loopback address with RESOLVE_ALLOW_UNAUTHENTICATED");
  }
  if (settings.RESOLVE_DATABASE_URL && settings.RESOLVE_KV_PATH) {
    throw new ConfigError("RESOLVE_DATABASE_URL", "set either this or RESOLVE_KV_PATH, not both");
  }
}

function toConfig(settings: Settings): Config {
  return {
    token: settings.DEEPINT_TOKEN,
    instance: settings.DEEPINT_INSTANCE || "app.deepint.net",
    ...(settings.DEEPINT_ORGANIZATION && { organization: settings.DEEPINT_ORGANIZATION }),
    apiKeys: settings.RESOLVE_API_KEYS,
    webhookSecrets: settings.RESOLVE_WEBHOOK_SECRETS,
    allowedOrganizations: settings.RESOLVE_ALLOWED_ORGANIZATIONS,
    allowedWorkspaces: settings.RESOLVE_ALLOWED_WORKSPACES,
    timeout: settings.RESOLVE_TIMEOUT_MS,
    ...(settings.RESOLVE_PENDING && { pending: settings.RESOLVE_PENDING }),
    basePath: settings.RESOLVE_BASE_PATH,
    ...(settings.RESOLVE_PUBLIC_URL && { publicUrl: settings.RESOLVE_PUBLIC_URL }),
    corsOrigins: settings.RESOLVE_CORS_ORIGINS,
    ...(settings.RESOLVE_LINK_SECRETS.length && {
      linkSecrets: settings.RESOLVE_LINK_SECRETS,
      linkTtl: settings.RESOLVE_LINK_TTL_S * 1000,
    }),
    allowUnauthenticated: settings.RESOLVE_ALLOW_UNAUTHENTICATED === "1",
    ...(settings.HOST && { host: settings.HOST }),
    port: settings.PORT,
  };
}

/**
 * Reads and validates the settings. The environment is an argument, because platforms differ in where
 * it is and when it may be read.
 *
 * @throws {ConfigError} for the first setting that is missing or malformed, in the order of
 * {@linkcode SETTING_NAMES}; then for settings that contradict each other, or if neither a key nor a
 * secret is set
 */
export function readConfig(env: Environment, options: ReadConfigOptions = {}): Config {
  const schema = settingsSchema(options.allowUnauthenticated ?? false);
  const { success, issues, output: settings } = v.safeParse(schema, env);
  if (!success) {
    const [issue] = issues; // not kept as the cause, because it contains the value
    throw new ConfigError(String(issue.path?.[0]?.key ?? "environment"), issue.message);
  }
  checkTogether(settings);
  const config = toConfig(settings);
  const { RESOLVE_CALLBACK_HOSTS: entries } = settings;
  if (!entries.length) return config;
  if (!options.parseCallbackHosts) {
    throw new ConfigError(
      "RESOLVE_CALLBACK_HOSTS",
      "this platform does not support durable watches",
    );
  }
  const { RESOLVE_DATABASE_URL: databaseUrl, RESOLVE_KV_PATH: kvPath } = settings;
  return {
    ...config,
    callbackHosts: options.parseCallbackHosts(entries, config),
    ...(databaseUrl && { databaseUrl }),
    ...(kvPath && { kvPath }),
    sweepTimeout: settings.RESOLVE_SWEEP_MS,
    maxWatches: settings.RESOLVE_MAX_WATCHES,
  };
}
