// The documented command itself, `deno task cli`, in the environment of a user: no NO_COLOR.
import { assertEquals, assertMatch } from "@std/assert";
import { platformWith, RESULT } from "../helpers/cli.ts";
import { start } from "../helpers/process.ts";

/** Runs `deno task cli` in a shell, with an empty standard input. */
function run(args: string, settings: Record<string, string> = {}, environment = "") {
  const command = `exec env -u NO_COLOR ${environment} "${Deno.execPath()}" task cli ${args}`;
  return start("bash", ["-c", command], settings);
}

/** Waits for a command to end. Returns its output without the line that `deno task` writes. */
async function ended(process: ReturnType<typeof run>) {
  const { code } = await process.status;
  const { stdout, stderr } = process.output;
  return { code, stdout, stderr: stderr.replace(/^.*Task.*cli.*deno run.*\n/, "") };
}

const COLOURS = ["", "NO_COLOR=1", "FORCE_COLOR=1", "CLICOLOR_FORCE=1", "NODE_DISABLE_COLORS=1"];

for (const environment of COLOURS) {
  Deno.test(`deno task cli prints its help with ${environment || "no colour setting"}`, async () => {
    const help = await Promise.all(
      ["help", "--help", "help wait", "wait --help"].map((args) =>
        ended(run(args, {}, environment))
      ),
    );
    for (const { code, stdout, stderr } of help) {
      assertEquals({ code, stderr }, { code: 0, stderr: "" });
      assertMatch(stdout, /^Usage: deepint-task /);
    }
    const { code, stdout, stderr } = await ended(run("", {}, environment));
    assertEquals({ code, stdout }, { code: 2, stdout: "" });
    assertMatch(stderr, /^Usage: deepint-task /);
  });
}

Deno.test("deno task cli runs every command", async () => {
  await using server = platformWith({ id: "t-1", ...RESULT });
  const task = "organization-1/workspace-1/t-1";
  const settings = {
    ...server.settings,
    RESOLVE_WEBHOOK_SECRETS: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  };
  const commands: Record<string, RegExp> = {
    [`show ${task}`]: /^task +t-1\n/,
    [`wait ${task}`]: /^source s-1 /,
    [`result ${task}`]: /^source s-1 /,
    "list organization-1/workspace-1": /^TASK .*\nt-1 /,
    [`delete ${task} --yes`]: /^$/,
    sign: /^-H 'webhook-id: /,
  };
  await Promise.all(
    Object.entries(commands).map(async ([args, expected]) => {
      const { code, stdout, stderr } = await ended(run(args, settings));
      assertEquals(code, 0, stderr);
      assertMatch(stdout, expected);
    }),
  );
});
