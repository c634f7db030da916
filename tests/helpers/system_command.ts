/** Commands that come from packages of the system. */
import { start } from "./process.ts";

/** Finds a command. Installs the package of the same name in CI and for root. */
export async function findSystemCommand(name: string): Promise<string> {
  const script = `
    PATH="$PATH:/usr/sbin:/usr/local/sbin"
    if ! command -v ${name} && { [ -n "$CI" ] || [ "$(id -u)" = 0 ]; }; then
      as=; [ "$(id -u)" = 0 ] || as="sudo -n"
      export DEBIAN_FRONTEND=noninteractive
      { $as apt-get update -qq && $as apt-get install -y -qq --no-install-recommends ${name}; } >&2
      command -v ${name}
    fi
  `;
  const settings = { CI: Deno.env.get("CI") ?? "" };
  await using found = start("sh", ["-c", script], settings, "", 120_000);
  await found.status;
  const command = /^\/.+/m.exec(found.output.stdout)?.[0];
  if (command === undefined) throw new Error(`${name} is missing: apt-get install ${name}`);
  return command;
}
