/** Token and instance. The token never leaves by print or JSON: it is in a private field. */
import { DeepintCredentialsError } from "./errors.ts";
import { DEFAULT_INSTANCE, parseInstance } from "./task_url.ts";
import { redactCause } from "./internal/redact.ts";

/** A token, or a function that gives one (called once for each attempt of a request). */
export type Token = string | (() => string | Promise<string>);

/** What {@linkcode Credentials} are made of. */
export interface CredentialsOptions {
  /** The token, or a function that gives it. */
  token: Token;
  /**
   * Where the token is valid, and the only place it is sent to: `host[:port]`, or an origin.
   * `http:` is allowed for loopback alone.
   *
   * @default "app.deepint.net"
   */
  instance?: string | undefined;
}

/** What is known already, for {@linkcode Credentials.build}. */
export interface CredentialsBuildOptions {
  /** The token. Otherwise `DEEPINT_TOKEN`, or `token` in `~/.deepint.ini`. */
  token?: Token | undefined;
  /** The instance. Otherwise `DEEPINT_INSTANCE`, or `instance` in `~/.deepint.ini`. */
  instance?: string | undefined;
}

/**
 * Reads the token of credentials, checked to be one that a header can carry. Internal.
 *
 * @throws {DeepintCredentialsError} `CREDENTIALS_INVALID` when the function that gives it fails, or
 * gives something else
 */
export let readToken: (credentials: Credentials) => string | Promise<string>;

/**
 * Credentials for one Deep Intelligence instance. They print and serialise without the token.
 * Source: `deepint.auth.credentials.Credentials`.
 *
 * @example
 * ```ts
 * import { Credentials } from "@deepint/task";
 *
 * const credentials = new Credentials({ token: "a-token", instance: "app.deepint.net" });
 * console.log(JSON.stringify(credentials)); // {"instance":"app.deepint.net"}
 * ```
 */
export class Credentials {
  readonly #token: Token;
  #last: string | undefined;
  /** `host[:port]`, or an origin for loopback HTTP. */
  readonly instance: string;

  static {
    readToken = (credentials) => {
      const token = credentials.#token;
      return typeof token === "string" ? token : credentials.#call(token);
    };
  }

  /**
   * Makes credentials of a token.
   *
   * @throws {DeepintCredentialsError} `CREDENTIALS_INVALID` when the token is one that no header
   * can carry
   * @throws {RangeError} when the instance is not `host[:port]` or an origin
   */
  constructor(options: CredentialsOptions) {
    const { token, instance = DEFAULT_INSTANCE } = options;
    this.#token = typeof token === "function" ? token : checkToken(token);
    this.instance = parseInstance(instance);
  }

  /**
   * Finds token and instance, each in the first of three places that has it: the parameter, the
   * environment (`DEEPINT_TOKEN`, `DEEPINT_INSTANCE`), and, under Deno, `~/.deepint.ini` (section
   * `[DEFAULT]`, keys `token`, `instance`). A place that may not be read counts as empty.
   *
   * @throws {DeepintCredentialsError} `CREDENTIALS_NOT_FOUND` when no place has a token,
   * `CREDENTIALS_INVALID` when it is one that no header can carry
   * @throws {RangeError} when the instance is not `host[:port]` or an origin
   */
  static async build(options: CredentialsBuildOptions = {}): Promise<Credentials> {
    let token = options.token ?? readEnvironment("DEEPINT_TOKEN");
    let instance = options.instance ?? readEnvironment("DEEPINT_INSTANCE");
    if (token === undefined || instance === undefined) {
      const file = await readIniFile();
      token ??= file.token;
      instance ??= file.instance;
    }
    if (token === undefined) {
      throw new DeepintCredentialsError(
        "CREDENTIALS_NOT_FOUND",
        "Cannot find a token: pass the parameter token, set the environment variable " +
          "DEEPINT_TOKEN, or (Deno only) set token under [DEFAULT] in ~/.deepint.ini",
      );
    }
    return new Credentials({ token, instance });
  }

  async #call(token: () => string | Promise<string>): Promise<string> {
    let value: string;
    try {
      value = await token();
    } catch (cause) {
      throw new DeepintCredentialsError(
        "CREDENTIALS_INVALID",
        "Cannot get the token: the function that gives it failed",
        redactCause(cause, this.#last), // a failed renewal may tell of the token before
      );
    }
    return this.#last = checkToken(value);
  }
}

function checkToken(token: unknown): string {
  if (typeof token === "string" && /^[!-~](?:[ -~]*[!-~])?$/.test(token)) return token;
  throw new DeepintCredentialsError(
    "CREDENTIALS_INVALID",
    "Cannot use the token: it must be printable ASCII without spaces at its ends",
  );
}

// the part of Deno and Node that is used here, where it is there
interface Runtime {
  Deno?: {
    env: { get(name: string): string | undefined };
    readTextFile(path: string): Promise<string>;
  };
  process?: { env?: Record<string, string | undefined> };
}

function readEnvironment(name: string): string | undefined {
  const { Deno, process } = globalThis as Runtime;
  try {
    return (Deno ? Deno.env.get(name) : process?.env?.[name]) || undefined;
  } catch {
    return undefined; // a denied permission counts as absent
  }
}

async function readIniFile(): Promise<{ token?: string; instance?: string }> {
  const home = readEnvironment("HOME") ?? readEnvironment("USERPROFILE");
  const { Deno } = globalThis as Runtime;
  if (!Deno || !home) return {};
  let text: string;
  try {
    text = await Deno.readTextFile(`${home}/.deepint.ini`);
  } catch {
    return {}; // not there, or a denied permission
  }
  const values: Record<string, string> = {};
  let section = "";
  for (const line of text.split(/\r?\n/)) {
    section = /^\s*\[(.*)\]\s*$/.exec(line)?.[1] ?? section;
    const [, key = "", value = ""] = /^([^#;\s=:]+)\s*[=:](.*)$/.exec(line.trim()) ?? [];
    if (section === "DEFAULT" && value.trim()) values[key.toLowerCase()] = value.trim();
  }
  return values;
}
