/**
 * The token and the instance of the environment or the credentials file. Loaded on demand: browsers and
 * Workers have neither. The only file that detects `Deno` and `process`.
 */
import { parseIni } from "./ini.ts";

/** A token and an instance, as far as they are known. */
export interface Settings<Token> {
  readonly token?: Token | undefined;
  readonly instance?: string | undefined;
}

/** Result of {@linkcode findSettings}. */
export interface FoundSettings<Token> extends Settings<Token | string> {
  /** The reason for a missing token, and the remedy. */
  readonly problem: string;
  /** The error from reading the variable, if Deno lacks the permission. */
  readonly cause?: unknown;
}

// the parts of Deno and Node that are used here, where they exist
interface Runtime {
  Deno?: {
    env: { get(name: string): string | undefined };
    readTextFile(path: string): Promise<string>;
  };
  process?: { env?: Record<string, string | undefined> };
}

/** Reads a variable. A denied permission counts as absent, with its error as `cause`. */
function readVariable(name: string): { value?: string | undefined; cause?: unknown } {
  const { Deno, process } = globalThis as Runtime;
  try {
    return { value: (Deno ? Deno.env.get(name) : process?.env?.[name]) || undefined };
  } catch (cause) {
    return { cause };
  }
}

/** Reads the credentials file under Deno. A missing file, or a denied permission, counts as absent. */
async function readIniFile(): Promise<Settings<string>> {
  const home = readVariable("HOME").value ?? readVariable("USERPROFILE").value;
  const { Deno } = globalThis as Runtime;
  if (!Deno || !home) return {};
  return await Deno.readTextFile(`${home}/.deepint.ini`).then(parseIni, () => ({}));
}

/** Completes settings from the environment and, under Deno, the file `~/.deepint.ini`. */
export async function findSettings<Token>(given: Settings<Token>): Promise<FoundSettings<Token>> {
  const variable = readVariable("DEEPINT_TOKEN");
  let token = given.token ?? variable.value;
  let instance = given.instance ?? readVariable("DEEPINT_INSTANCE").value;
  if (token === undefined || instance === undefined) {
    const file = await readIniFile();
    token ??= file.token;
    instance ??= file.instance;
  }
  const { cause } = variable;
  const problem = cause
    ? "Cannot read the environment variable DEEPINT_TOKEN: run Deno with " +
      "--allow-env=DEEPINT_TOKEN,DEEPINT_INSTANCE, pass the parameter token, or set token under " +
      "[DEFAULT] in ~/.deepint.ini"
    : "Cannot find a token: pass the parameter token, set the environment variable " +
      "DEEPINT_TOKEN, or (Deno only) set token under [DEFAULT] in ~/.deepint.ini";
  return { token, instance, problem, ...(cause !== undefined && { cause }) };
}
