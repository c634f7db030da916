/** Fixtures of the command line tests. */
import { assertNoSecrets, TOKEN } from "./client.ts";
import { listenAs } from "./listen.ts";
import { type Process, start } from "./process.ts";
import { createFakePlatform, type FakeTask } from "./fake_platform.ts";

/**
 * The arguments of Deno that run the command line with the permissions of its task, but without access
 * to the home directory of the person who runs the tests, which may contain credentials.
 */
export const RUN: readonly string[] = [
  ...["run", "--quiet", "--frozen", "--no-prompt", "-P=cli", "--deny-env=HOME,USERPROFILE"],
  "src/cli.ts",
];

/** The organization and workspace of the tasks. */
export const PLACE = "organization-1/workspace-1";

/** Fields of a successful task. */
export const RESULT = { status: "success", result: "s-1", result_type: "source" };

const EVIL = "\x1b[2J\x1b]0;t\x07\u009b31m\u202eevil\u2066\u2028\u200f\r\n\x00\x7fend\ud800";

/** Fields of a failed task whose texts all contain control characters. */
export const HOSTILE = {
  status: "failed",
  name: EVIL,
  description: EVIL,
  subtask: EVIL,
  user_name: EVIL,
  result: EVIL,
  result_type: EVIL,
  error_code: EVIL,
  error_description: EVIL,
};

/** Starts a fake platform with tasks, and runs commands against it. */
export function platformWith(...tasks: FakeTask[]) {
  const platform = createFakePlatform({ token: TOKEN });
  const server = listenAs(platform);
  for (const task of tasks) platform.add(task);
  const settings = { DEEPINT_TOKEN: TOKEN, DEEPINT_INSTANCE: platform.origin };
  return {
    ...server,
    platform,
    settings,
    run: (args: string[], more: Record<string, string> = {}, input = "") =>
      start(Deno.execPath(), [...RUN, ...args], { ...settings, ...more }, input),
  };
}

/** Waits for a command to end and checks that its output does not contain the token. */
export async function ended(process: Process) {
  const { code } = await process.status;
  assertNoSecrets([process.output], TOKEN);
  return { code, ...process.output };
}

/** Parses lines of JSON. */
export function documents(text: string) {
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}
