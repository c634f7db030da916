/** Schema of the settings. An error never contains a secret. */
import * as v from "valibot";
import { Credentials } from "../mod.ts";
import { sanitizeText } from "../src/internal/text.ts";
import {
  findSecretProblem,
  normalizeSecret,
  splitSecrets,
} from "../src/internal/webhook_secret.ts";

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

/** Returns `true` for https, and for http on this machine. */
const isKvServiceUrl = (text: string) =>
  /^https?:\/\/[^\s?#@,]+$/.test(text) && URL.canParse(text) &&
  isCredentials("-", new URL(text).origin);

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
function listOf(split: (text: string) => string[], findProblem: FindProblem) {
  const find: FindProblem = (entry) =>
    entry === "" ? "must not have an empty entry" : findProblem(entry);
  return v.pipe(
    emptyAsUnset,
    v.transform((text) => text === "" ? [] : split(text)),
    v.check(
      (entries) => !entries.some(find),
      ({ input }) => input.map(find).find(Boolean) ?? "",
    ),
  );
}

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
export const settingsSchema = (allowOpen: boolean) =>
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
        "an https URL without query (http for loopback only)",
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
      (path) => /^https?:/i.test(path) ? isKvServiceUrl(path) : !/^:memory:|,/.test(path),
      "the path of a file, or the https URL of a KV service, without a comma",
    ),
    RESOLVE_SWEEP_MS: optionalInteger(1_000, 300_000, 25_000),
    RESOLVE_MAX_WATCHES: optionalInteger(1, 1_000_000, 10_000),
    HOST: optionalText((host) => /^[\w.:-]+$/.test(host), "an IP address or a host name"),
    PORT: optionalInteger(0, 65_535, 8000),
  }, "must be an object");

/** The validated settings. */
export type Settings = v.InferOutput<ReturnType<typeof settingsSchema>>;
