// The command line of the npm package by npx, on versions of Node that come from npm.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fileURLToPath } from "node:url";
import { PLACE, platformWith, RESULT } from "../helpers/cli.ts";
import { TOKEN } from "../helpers/client.ts";
import { scratch } from "../helpers/install.ts";
import { start } from "../helpers/process.ts";
import { openTerminal } from "../helpers/terminal.ts";
import { VERSION } from "../../src/internal/version.ts";
import { build } from "../tools/build.ts";
import { endBundling } from "../tools/bundle.ts";

/** Time in ms for npm to install Node. */
const INSTALL_TIMEOUT_MS = 180_000;

/** Settings of npm, and its cache, which is in the home directory by default. */
const NPM_SETTINGS = {
  ...Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => /^npm_config_|_proxy$/i.test(name)),
  ),
  npm_config_cache: Deno.env.get("npm_config_cache") ?? `${Deno.env.get("HOME")}/.npm`,
  npm_config_update_notifier: "false",
};

/** The package as a user gets it. */
interface Installation {
  /** Home directory of the user. */
  home: URL;
  /** Path of the tarball. */
  tarball: string;
}

/** The documented command with another Node, and the tarball in place of the registry's package. */
function npx(node: number, { tarball }: Installation): string[] {
  return ["npx", "-y", "-p", `node@${node}`, "-p", tarball, "deepint-task"];
}

/** Runs the command line to its end. */
async function run(
  installation: Installation,
  node: number,
  args: string[],
  settings: Record<string, string> = {},
) {
  const [command = "", ...words] = [...npx(node, installation), ...args];
  const environment = { ...NPM_SETTINGS, HOME: fileURLToPath(installation.home), ...settings };
  const process = start(command, words, environment, "{}", INSTALL_TIMEOUT_MS);
  const { code } = await process.status;
  return { code, ...process.output };
}

/** Runs each command, with the token in the credentials file. */
async function checkCommands(installation: Installation, node: number): Promise<void> {
  await using server = platformWith(
    { id: "t-1", ...RESULT },
    { id: "t-2", status: "running" },
    { id: "t-3", status: "failed" },
  );
  const ini = `[DEFAULT]\ntoken = ${TOKEN}\ninstance = ${server.platform.origin}\n`;
  await Deno.writeTextFile(new URL(".deepint.ini", installation.home), ini);
  const settings = { RESOLVE_WEBHOOK_SECRETS: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" };
  const cases: [args: string[], code: number, expected: RegExp][] = [
    [["help"], 0, /^Usage: deepint-task /],
    [["show", `${PLACE}/t-1`], 0, /^task +t-1\n/],
    [["wait", `${PLACE}/t-1`], 0, /^source s-1 /],
    [["wait", `${PLACE}/t-3`], 3, /^$/],
    [["result", `${PLACE}/t-1`, "--json"], 0, /"result":"s-1"/],
    [["list", PLACE], 0, /^TASK .*\nt-1 /],
    [["delete", `${PLACE}/t-2`, "--yes"], 0, /^$/],
    [["sign"], 0, /^-H 'webhook-id: /],
    [["completion", "bash"], 0, /^complete -F /m],
    [["nonsense"], 2, /^$/],
  ];
  for (const [args, code, expected] of cases) {
    const ran = await run(installation, node, args, settings);
    assertEquals(ran.code, code, `${args}: ${ran.stderr}`);
    assertMatch(ran.stdout, expected);
  }
  // the environment has precedence over the file
  const another = { DEEPINT_TOKEN: "another-token" };
  const refused = await run(installation, node, ["show", `${PLACE}/t-1`], another);
  assertEquals(refused.code, 5, refused.stderr);
}

Deno.test("the command line of the npm package runs by npx", async (t) => {
  await using folder = await scratch();
  const built = await build({ into: folder.url }).finally(endBundling);
  const tarball = fileURLToPath(new URL(built.tarball, folder.url));
  const installation = { home: folder.url, tarball };

  await t.step(
    "every command in Node 22, with the credentials file",
    () => checkCommands(installation, 22),
  );
  await t.step("Node 24", async () => {
    const { code, stdout } = await run(installation, 24, ["--version"]);
    assertEquals([code, stdout], [0, `${VERSION}\n`]);
  });
  await t.step("one Ctrl-C stops the running task", async () => {
    await using server = platformWith({ id: "t-1", status: "running", progress: 5 });
    await using terminal = openTerminal({
      command: [...npx(22, installation), "wait", `${PLACE}/t-1`, "--delete-on-interrupt"],
      settings: { ...NPM_SETTINGS, ...server.settings },
    });
    await terminal.saw(/5%/);
    await terminal.end("\x03");
    assertStringIncludes(terminal.output.stdout, "t-1 was stopped: failed STOPPED");
    assertEquals(server.platform.count(({ method }) => method === "DELETE"), 1);
  });
  await t.step("Node 20 gets the required version", async () => {
    const { code, stdout, stderr } = await run(installation, 20, ["help"]);
    assertEquals([code, stdout], [1, ""]);
    const [line] = stderr.match(/^error: .*/m) ?? [];
    assertMatch(
      line ?? "",
      /requires Node 22 or later, this is Node 20\.\d+\.\d+; update Node, or run: /,
    );
    assertStringIncludes(line ?? "", "npx -y -p node@22 -p @deepint/task deepint-task");
  });
});
