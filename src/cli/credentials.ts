/** The token and the instance of the command line. Internal. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { Credentials, type CredentialsBuildOptions, DeepintCredentialsError } from "../../mod.ts";
import { parseIni } from "../internal/ini.ts";

/** Finds what the client finds under Deno only: the values of the credentials file. */
async function readNodeSettings(): Promise<CredentialsBuildOptions> {
  if ("Deno" in globalThis) return {};
  const { HOME, USERPROFILE, DEEPINT_TOKEN, DEEPINT_INSTANCE } = process.env;
  const file = await readFile(`${HOME || USERPROFILE}/.deepint.ini`, "utf8")
    .then(parseIni, () => ({} as Record<string, string>));
  return {
    token: DEEPINT_TOKEN || file.token,
    instance: DEEPINT_INSTANCE || file.instance,
  };
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
  const found = await readNodeSettings();
  try {
    return await Credentials.build({ token: found.token, instance: instance ?? found.instance });
  } catch (error) {
    if (!(error instanceof DeepintCredentialsError)) throw error;
    if (error.code !== "CREDENTIALS_NOT_FOUND") throw error;
    throw new DeepintCredentialsError(
      error.code, // the client names its own parameter, and that it reads the file under Deno only
      error.message.replace(" pass the parameter token,", "").replace("(Deno only) ", ""),
    );
  }
}
