/**
 * Runs every command of deploy.md in a fresh clone of the project, which stays clean. The commands of the
 * platforms need an account: a script in their place records its arguments and requires the files they name.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { captureConsole } from "../helpers/endpoint.ts";
import { environment } from "../helpers/environment.ts";
import { freshClone } from "../helpers/fresh_clone.ts";
import { type Block, blockOf, BLOCKS, withThisDeno } from "../helpers/pages.ts";
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
    file://* | fileb://*) test -f "\${argument#*://}" || exit 1 ;;
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

/** Blocks that tests with the real programs run: HAProxy and PostgreSQL. */
const IN_SLOW_TESTS = ["haproxy", "sql"];

/** Converts the blocks of a section to a script; a JSON block is the file that its first line names. */
function toScript(blocks: readonly Block[]): string {
  return blocks.map(({ language, code }) => {
    if (language === "sh") return withThisDeno(code);
    const [comment = "", ...lines] = code.split("\n");
    assertEquals([language, comment.slice(0, 3)], ["jsonc", "// "]);
    return `cat > "${comment.slice(3)}" <<'END'\n${lines.join("\n")}END\n`;
  }).join("");
}

Deno.test("deploy.md: every command works in a fresh clone, which stays clean", async (t) => {
  await using clone = await freshClone();
  await using commands = await recorders();
  const env = { ...SETTINGS, PATH: `${commands.path}:${Deno.env.get("PATH")}` };
  const sections = Map.groupBy(
    BLOCKS.filter(({ page, language }) =>
      page === ".github/docs/deploy.md" && !IN_SLOW_TESTS.includes(language)
    ),
    ({ section }) => section,
  );
  assert(sections.size >= 8, `${sections.size} sections`);
  for (const [section, blocks] of sections) {
    await t.step(section, async () => {
      const script = toScript(blocks);
      const isServer = /^(PORT=\d+ (node|bun)|"[^"]+" serve) /m.test(script);
      if (isServer) return await serves(clone.inside(script), env);
      const ran = await clone.shell(script, env);
      assertMatch(
        ran,
        /^ran: (npx wrangler|npx vercel|supabase|netlify|aws lambda) .*(deploy|create)/m,
      );
    });
  }
  await clone.assertClean();
});

Deno.test("deploy.md: the event of EventBridge is a request to sweep", async () => {
  const json = blockOf(".github/docs/deploy.md", "jsonc").replace(/^\/\/.*/, "");
  const [{ Input }] = JSON.parse(json);
  const { DEEPINT_TOKEN, RESOLVE_API_KEYS } = SETTINGS;
  using _set = environment({ DEEPINT_TOKEN, RESOLVE_API_KEYS });
  using _log = captureConsole();
  const { handler } = await import("../../functions/aws_lambda.ts");
  const { statusCode, body } = await handler(JSON.parse(Input));
  assertEquals(statusCode, 404);
  assertMatch(JSON.parse(body).detail, /durable watches are not enabled/); // the route is known
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
