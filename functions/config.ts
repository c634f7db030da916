/**
 * Settings of the endpoint, read from the environment and validated once. An error names the variable.
 *
 * @module
 */
import * as v from "valibot";
import { Credentials } from "../mod.ts";
import {
  findSecretProblem,
  normalizeSecret,
  splitSecrets,
} from "../src/internal/webhook_secret.ts";
import { sanitizeText } from "../src/internal/text.ts";

/** Configuration of the endpoint. See the table of settings in the README. */
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

const ID = "an id: 1 to 128 characters of A-Z a-z 0-9 _ -";
const isId = (text: string) => /^[\w-]{1,128}$/.test(text);

/** Returns `true` if the check returns `true`, `false` if it returns `false` or throws. */
function doesNotThrow(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}

// checked by the client itself, so that a server that starts can also poll
const isCredentials = (token: string, instance?: string) =>
  doesNotThrow(() => !!new Credentials({ token, instance }));

// by the same rule as http: instances
const isLoopbackHost = (host: string) =>
  isCredentials("-", `http://${host.includes(":") ? `[${host}]` : host}`);

const isOrigin = (text: string) =>
  doesNotThrow(() => /^https?:/.test(text) && new URL(text).origin === text);

/** Returns the normalized URL without a trailing slash, or `undefined` if it is not usable as a prefix. */
function parsePublicUrl(text: string): string | undefined {
  if (!/^https?:\/\/[^\s?#@]+$/i.test(text) || !URL.canParse(text)) return undefined;
  const { origin, href } = new URL(text);
  return isCredentials("-", origin) ? href.replace(/\/$/, "") : undefined;
}

const isDatabaseUrl = (text: string) =>
  /^postgres(ql)?:\/\/[^\s]+$/.test(text) && URL.canParse(text);

const isPending = (text: string) => text === "accepted" || text === "retry";

/** Quotes a value for a message, unless it may contain a credential by mistake. */
const quoted = (text: string) => /@|whsec_/.test(text) ? "" : `, not "${sanitizeText(text)}"`;

/** Checks a text that is not secret, so that the message may quote it. */
const checkFormat = (valid: (text: string) => boolean, wanted: string) =>
  v.check(valid, (issue: v.CheckIssue<string>) => `must be ${wanted}${quoted(issue.input)}`);

// An empty variable counts as unset. `docker run --env-file` keeps the quotes around a value.
const emptyAsUnset = v.pipe(
  v.optional(v.string("must be text"), ""),
  v.check(
    (text) => !/^(["'])[^]*\1$/.test(text),
    "the value is in quotes; remove them (docker run --env-file keeps quotes)",
  ),
);

const optionalText = (valid: (text: string) => boolean, wanted: string) =>
  v.pipe(emptyAsUnset, checkFormat((text) => text === "" || valid(text), wanted));

const optionalInteger = (min: number, max: number, unset: number) =>
  v.pipe(
    optionalText((text) => {
      const number = Number(text);
      return String(Math.round(number)) === text && number >= min && number <= max;
    }, `a whole number from ${min} to ${max}`),
    v.transform((text) => text === "" ? unset : Number(text)),
  );

/** Returns what is wrong with an entry of a list. */
type FindProblem = (entry: string) => string | undefined;

const splitEntries = (text: string) => text.split(",").map((entry) => entry.trim());

// Not v.array: +65 B. An empty entry is refused: `$A,$B` with both unset must not mean "any".
const listOf = (split: (text: string) => string[], findProblem: FindProblem) =>
  v.pipe(
    emptyAsUnset,
    v.transform((text) => text === "" ? [] : split(text)),
    v.check(
      (entries) => !entries.some(findProblem),
      ({ input }) => input.map(findProblem).find(Boolean) ?? "",
    ),
  );

const listOfIds = listOf(
  splitEntries,
  (entry) => isId(entry) ? undefined : `must be ${ID}${quoted(entry)}`,
);

function findKeyProblem(key: string): string | undefined {
  if (key.length < 16) return "each key must have at least 16 characters";
  return /^[!-~]+$/.test(key) ? undefined : "each key must be printable ASCII without spaces";
}

function findOriginProblem(origin: string): string | undefined {
  if (origin.includes("*")) return "* is refused; list each origin";
  if (isOrigin(origin)) return undefined;
  return `must be an exact origin such as https://app.example.com${quoted(origin)}`;
}

function findEntryProblem(secret: string): string | undefined {
  const problem = findSecretProblem(secret);
  return problem && `each secret ${problem}`;
}

const secrets = v.pipe(
  listOf(splitSecrets, findEntryProblem),
  v.transform((entries) => entries.map(normalizeSecret)),
);

function findCallbackHostProblem(entry: string): string | undefined {
  return /^[^=]+=[^]/.test(entry)
    ? findEntryProblem(entry.replace(/^[^=]+=[ \t]*/, ""))
    : "each entry must be host[:port][/path]=whsec_ and the base64 of 24 to 64 bytes";
}

/** Schema of the settings, in the order in which they are checked. */
const settingsSchema = (allowOpen: boolean) =>
  v.object({
    DEEPINT_TOKEN: v.pipe(
      emptyAsUnset,
      v.check((token) => token !== "", "must be set"),
      v.check(
        (token) => isCredentials(token),
        "must be printable ASCII without leading or trailing spaces",
      ),
    ),
    DEEPINT_INSTANCE: optionalText(
      (instance) => isCredentials("-", instance),
      "host[:port] or an origin (http for loopback only)",
    ),
    DEEPINT_ORGANIZATION: optionalText(isId, ID),
    RESOLVE_API_KEYS: listOf(splitEntries, findKeyProblem),
    RESOLVE_WEBHOOK_SECRETS: secrets,
    RESOLVE_ALLOWED_ORGANIZATIONS: listOfIds,
    RESOLVE_ALLOWED_WORKSPACES: listOfIds,
    RESOLVE_TIMEOUT_MS: optionalInteger(100, 60_000, 8000),
    RESOLVE_PENDING: v.pipe(
      optionalText(isPending, '"accepted" or "retry"'),
      v.transform((text) => isPending(text) ? text : undefined),
    ),
    RESOLVE_BASE_PATH: v.pipe(
      optionalText(
        (path) =>
          /^(\/[\w~.-]+)*\/?$/.test(path) && !path.split("/").some((part) => /^\.\.?$/.test(part)),
        "a path such as /resolve-task, of A-Z a-z 0-9 _ ~ . -",
      ),
      v.transform((path) => path.replace(/\/$/, "")),
    ),
    RESOLVE_PUBLIC_URL: v.pipe(
      optionalText(
        (url) => parsePublicUrl(url) !== undefined,
        "an absolute https URL without query (http for loopback only)",
      ),
      v.transform(parsePublicUrl),
    ),
    RESOLVE_CORS_ORIGINS: listOf(splitEntries, findOriginProblem),
    RESOLVE_LINK_SECRETS: secrets,
    RESOLVE_LINK_TTL_S: optionalInteger(60, 2_592_000, 86_400),
    RESOLVE_ALLOW_UNAUTHENTICATED: v.pipe(
      optionalText((text) => text === "0" || text === "1", "1 or 0"),
      v.check(
        (text) => text !== "1" || allowOpen,
        "only functions/main.ts and deno task start accept it",
      ),
    ),
    RESOLVE_CALLBACK_HOSTS: listOf(splitSecrets, findCallbackHostProblem),
    RESOLVE_DATABASE_URL: v.pipe(
      emptyAsUnset, // not quoted: it contains a password
      v.check(
        (url) => url === "" || isDatabaseUrl(url),
        "must be a URL such as postgres://host/name",
      ),
    ),
    // `deno task start` passes the path to lists of permissions, which a comma would split
    RESOLVE_KV_PATH: optionalText(
      (path) => !/^(https?|:memory):|,/.test(path),
      "the path of a file, without a comma",
    ),
    RESOLVE_SWEEP_MS: optionalInteger(1_000, 300_000, 25_000),
    RESOLVE_MAX_WATCHES: optionalInteger(1, 1_000_000, 10_000),
    HOST: optionalText((host) => /^[\w.:-]+$/.test(host), "an IP address or a host name"),
    PORT: optionalInteger(0, 65_535, 8000),
  }, "must be an object");

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

type Settings = v.InferOutput<ReturnType<typeof settingsSchema>>;

/** Throws for settings that contradict each other. */
function checkTogether(settings: Settings): void {
  const isOpen = settings.RESOLVE_ALLOW_UNAUTHENTICATED === "1";
  if (!isOpen && !settings.RESOLVE_API_KEYS.length && !settings.RESOLVE_WEBHOOK_SECRETS.length) {
    throw new ConfigError(
      "RESOLVE_API_KEYS",
      "set this or RESOLVE_WEBHOOK_SECRETS; otherwise no request can be authenticated",
    );
  }
  if (isOpen && settings.HOST && !isLoopbackHost(settings.HOST)) {
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
