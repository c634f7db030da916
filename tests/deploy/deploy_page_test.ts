/**
 * Runs every command of deploy.md in a fresh clone of the project, which stays clean. The commands of the
 * platforms need an account: a script in their place records its arguments and requires the files they name.
 */
import { assert, assertEquals } from "@std/assert";
import { freshClone } from "../helpers/fresh_clone.ts";
import { BLOCKS, withThisDeno } from "../helpers/pages.ts";
import { start } from "../helpers/process.ts";
import { bunCommand } from "../helpers/servers.ts";

/** Time for one block: it bundles an entry. */
const TIMEOUT_MS = 120_000;
const SETTINGS = {
  PORT: "0",
  DEEPINT_TOKEN: "the-token-of-the-platform",
  RESOLVE_API_KEYS: "a-key-of-16-characters-or-more",
  ROLE_ARN: "arn:aws:iam::123456789012:role/resolve-task",
};

/** Stands in for the command of a platform. */
const RECORDER = `#!/bin/sh
echo "ran: $(basename "$0") $*"
for argument in "$@"; do
  case $argument in
    file*://*) test -f "\${argument#file*://}" || exit 1 ;;
    */*.mjs | */*.zip) test -f "$argument" || exit 1 ;;
  esac
done
`;
const RECORDED = ["npx", "supabase", "netlify", "aws"];

/** Creates the recorders in a folder for PATH. */
async function recorders(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "commands-" });
  for (const name of RECORDED) {
    await Deno.writeTextFile(`${path}/${name}`, RECORDER, { mode: 0o755 });
  }
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("deploy.md: every command works in a fresh clone, which stays clean", async (t) => {
  await using clone = await freshClone();
  await using commands = await recorders();
  const env = { ...SETTINGS, PATH: `${commands.path}:${Deno.env.get("PATH")}` };
  const blocks = BLOCKS.filter(({ page, language }) =>
    // the others are in tests/slow/
    page === ".github/docs/deploy.md" && language !== "haproxy" && language !== "sql"
  );
  assert(blocks.length >= 8, `${blocks.length} blocks`);
  for (const { language, code } of blocks) {
    await t.step(code.split("\n").find((line) => /functions\/\w/.test(line)) ?? code, async () => {
      assertEquals(language, "sh");
      const script = withThisDeno(code);
      const isServer = /^(PORT=\d+ (node|bun)|deno serve) /m.test(code);
      if (isServer) return await serves(clone.inside(script), env);
      const ran = await clone.shell(script, env);
      assert(
        /^ran: (npx wrangler|npx vercel|supabase|netlify|aws) .*(deploy|create|put-targets)/m.test(
          ran,
        ),
        ran,
      );
    });
  }
  await clone.assertClean();
});

/** Runs a script whose last command is a server, until it listens on a port of its own choice. */
async function serves(script: string, env: Record<string, string>): Promise<void> {
  const bun = script.includes("bun dist/") ? await bunCommand() : "";
  const command = script.replace(/--port=\d+/, "--port=0")
    .replace(/^PORT=\d+ (node|bun)/m, (_, name) => `exec ${name === "bun" ? bun : name}`)
    .replace(/^("[^"]+" serve)/m, "exec $1");
  await using server = start("bash", ["-euo", "pipefail", "-c", command], env, "", TIMEOUT_MS);
  const port = await server.waitForOutput(/http:\/\/[^/\s]+:(\d+)\b/);
  const response = await fetch(`http://127.0.0.1:${port}/health`);
  assertEquals([response.status, (await response.json()).status], [200, "ok"]);
}
