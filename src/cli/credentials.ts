/** The token and the instance of the command line. Internal. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { Credentials, DeepintCredentialsError } from "../../mod.ts";
import { parseIni } from "../internal/ini.ts";

/** Reads the credentials file, which the client reads under Deno only. */
async function readCredentialsFile(): Promise<Record<string, string>> {
  const { HOME, USERPROFILE } = process.env;
  const home = HOME || USERPROFILE;
  if (!home || "Deno" in globalThis) return {};
  return await readFile(`${home}/.deepint.ini`, "utf8").then(parseIni, () => ({}));
}

/**
 * Finds the token and the instance: in the options, the environment or the credentials file.
 *
 * @throws {DeepintCredentialsError} when the token is missing, or a header cannot carry it
 * @throws {RangeError} when the instance is not `host[:port]` or an origin
 */
export async function findCredentials(
  { instance }: { instance?: string },
): Promise<Credentials> {
  const file = await readCredentialsFile();
  const { DEEPINT_TOKEN, DEEPINT_INSTANCE } = process.env;
  try {
    return await Credentials.build({
      token: DEEPINT_TOKEN || file.token,
      instance: instance ?? (DEEPINT_INSTANCE || file.instance),
    });
  } catch (error) {
    if (!(error instanceof DeepintCredentialsError)) throw error;
    if (error.code !== "CREDENTIALS_NOT_FOUND") throw error;
    throw new DeepintCredentialsError(
      error.code, // the client names its own parameter
      "Cannot find a token: set DEEPINT_TOKEN, or token under [DEFAULT] in ~/.deepint.ini",
    );
  }
}
