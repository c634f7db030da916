/** `Credentials`: token and instance. The token is in a private field, so that nothing prints it. */
import { DeepintCredentialsError } from "./errors.ts";
import { DEFAULT_INSTANCE, parseInstance } from "./task_url.ts";
import { redactCause } from "./internal/redact.ts";

/**
 * A token, or a function that returns one. Each attempt of a request calls the function; concurrent
 * requests share one call. After a 401 it is called again: if it returns another token, the request is
 * repeated once.
 */
export type Token = string | (() => string | Promise<string>);

/** Options of the {@linkcode Credentials} constructor. */
export interface CredentialsOptions {
  /** The token, or a function that returns it. */
  token: Token;
  /**
   * The only host that the token is sent to: `host[:port]`, or an origin. `http:` is allowed for
   * loopback hosts only.
   *
   * @default "app.deepint.net"
   */
  instance?: string | undefined;
}

/** Options of {@linkcode Credentials.build}. */
export interface CredentialsBuildOptions {
  /**
   * The token.
   *
   * @default `DEEPINT_TOKEN`, or `token` in `~/.deepint.ini`
   */
  token?: Token | undefined;
  /**
   * The instance.
   *
   * @default `DEEPINT_INSTANCE`, or `instance` in `~/.deepint.ini`
   */
  instance?: string | undefined;
}

/** An older call of the token function is not shared: it may be hanging. */
const MAX_SHARED_CALL_MS = 10_000;

/**
 * Returns the token of credentials, or the result of calling their token function.
 *
 * @throws {DeepintCredentialsError} `CREDENTIALS_INVALID` when the function fails, or returns a value
 * that a header cannot carry
 * @internal
 */
export let readToken: (credentials: Credentials) => string | Promise<string>;

function checkToken(token: unknown): string {
  if (typeof token === "string" && /^[!-~](?:[ -~]*[!-~])?$/.test(token)) return token;
  throw new DeepintCredentialsError(
    "CREDENTIALS_INVALID",
    "Cannot use the token: it must be printable ASCII without spaces at its ends",
  );
}

/**
 * Credentials for one Deep Intelligence instance. They print and serialise without the token.
 * Equivalent of `deepint.auth.credentials.Credentials`.
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
  /** The last token of the function, which its next error may contain. */
  #lastToken: string | undefined;
  /** The call of the token function in progress. */
  #call: { token: Promise<string>; startedAt: number } | undefined;
  /** `host[:port]`, or an origin for loopback HTTP. */
  declare readonly instance: string;

  static {
    readToken = (credentials) => {
      const token = credentials.#token;
      return typeof token === "string" ? token : credentials.#shareCall(token);
    };
  }

  /**
   * Creates credentials from a token.
   *
   * @throws {DeepintCredentialsError} `CREDENTIALS_INVALID` when a header cannot carry the token
   * @throws {RangeError} when the instance is not `host[:port]` or an origin
   */
  constructor(options: CredentialsOptions) {
    const { token, instance = DEFAULT_INSTANCE } = options;
    this.#token = typeof token === "function" ? token : checkToken(token);
    this.instance = parseInstance(instance);
  }

  /**
   * Finds the token and the instance. Each comes from the first of these places that has it: the
   * parameter, the environment (`DEEPINT_TOKEN`, `DEEPINT_INSTANCE`) and, under Deno, `~/.deepint.ini`
   * (section `[DEFAULT]`, keys `token` and `instance`). A place without read permission is skipped.
   *
   * @throws {DeepintCredentialsError} `CREDENTIALS_NOT_FOUND` when no place has a token; its `cause` is
   * Deno's error if the permission for `DEEPINT_TOKEN` is missing.
   * `CREDENTIALS_INVALID` when a header cannot carry the token
   * @throws {RangeError} when the instance is not `host[:port]` or an origin
   *
   * @example
   * ```ts
   * import { Credentials } from "@deepint/task";
   *
   * const credentials = await Credentials.build({ token: "a-token" });
   * console.log(credentials.instance); // app.deepint.net, unless DEEPINT_INSTANCE is set
   * ```
   */
  static async build(options: CredentialsBuildOptions = {}): Promise<Credentials> {
    const { findSettings } = await import("./internal/settings.ts");
    const { token, instance, problem, ...missing } = await findSettings(options);
    if (token === undefined) {
      throw new DeepintCredentialsError("CREDENTIALS_NOT_FOUND", problem, missing);
    }
    return new Credentials({ token, instance });
  }

  /** Joins the call in progress. If that fails, which began before this request, joins or makes another. */
  #shareCall(token: () => string | Promise<string>, isSecond = false): Promise<string> {
    const running = this.#call;
    if (running && performance.now() - running.startedAt < MAX_SHARED_CALL_MS) {
      return isSecond ? running.token : running.token.catch(() => this.#shareCall(token, true));
    }
    const call = { token: this.#callFunction(token), startedAt: performance.now() };
    const end = () => {
      if (this.#call === call) this.#call = undefined;
    };
    call.token.then(end, end);
    this.#call = call;
    return call.token;
  }

  async #callFunction(token: () => string | Promise<string>): Promise<string> {
    let value: string;
    try {
      value = await token();
    } catch (error) {
      const message = "Cannot get the token: the token function failed";
      // a failed renewal may mention the previous token
      const options = redactCause(error, this.#lastToken);
      throw new DeepintCredentialsError("CREDENTIALS_INVALID", message, options);
    }
    return this.#lastToken = checkToken(value);
  }
}
