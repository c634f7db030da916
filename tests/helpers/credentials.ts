// Machines on which the tests look for credentials.
import { Credentials } from "../../mod.ts";
import { taskWith } from "./client.ts";
import { environment } from "./environment.ts";

/** Environment and files that a test of `Credentials.build` finds. */
export interface Machine {
  env?: Record<string, string>;
  /** The text of `~/.deepint.ini`. */
  ini?: string;
}

/** A file and an environment that both have a token and an instance. */
export const INI = "[DEFAULT]\ntoken = file-token\ninstance = file.example\n";
export const ENV = { DEEPINT_TOKEN: "env-token", DEEPINT_INSTANCE: "env.example" };

/** Creates a temporary home, with a settings file if `ini` is given. */
export async function homeWith({ ini }: Machine): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir();
  if (ini !== undefined) await Deno.writeTextFile(`${path}/.deepint.ini`, ini);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Runs `work` with a temporary home and only the given variables. */
export async function on<T>(machine: Machine, work: (home: string) => Promise<T>): Promise<T> {
  await using home = await homeWith(machine);
  using _set = environment({ HOME: home.path, ...machine.env });
  return await work(home.path);
}

/** Returns the token that a request with these credentials carries. */
export async function tokenOf(credentials: Credentials): Promise<string | null> {
  let token: string | null = null;
  const { task } = taskWith({
    credentials,
    fetch: (_, { headers }) => {
      token = new Headers(headers).get("x-auth-token");
      return Promise.resolve(Response.json({ status: "running" }));
    },
  });
  await task.load({ retries: 0 });
  return token;
}

/** Returns the token and the instance that `Credentials.build` finds on a machine. */
export function found(machine: Machine, options?: Parameters<typeof Credentials.build>[0]) {
  return on(machine, async () => {
    const credentials = await Credentials.build(options);
    return [await tokenOf(credentials), credentials.instance];
  });
}
