// Arguments of the command line: tasks, organizations and durations.
import { assertEquals, assertMatch } from "@std/assert";
import { parseDuration } from "../../src/cli/arguments.ts";
import { formatDuration } from "../../src/internal/duration.ts";
import { Credentials, Task } from "../../mod.ts";
import { TOKEN } from "../helpers/client.ts";
import { documents, ended, PLACE, platformWith, RESULT } from "../helpers/cli.ts";

Deno.test("a task argument is a web URL, an API URL with --organization, or three ids", async () => {
  await using server = platformWith();
  const task = server.platform.add({ id: "t-1", ...RESULT });
  const ways = [
    [task.webUrl],
    [task.url, "--organization", task.organization],
    [`${task.organization}/${task.workspace}/${task.id}`],
  ];
  const { host: instance } = new URL(server.platform.origin);
  const shown = await Promise.all(ways.map(async (words) => {
    const way = ["show", ...words, "--json", "--instance", `http://${instance}`];
    const { code, stdout } = await ended(server.run(way, { DEEPINT_INSTANCE: "app.deepint.net" }));
    assertEquals(code, 0);
    return stdout;
  }));
  assertEquals(new Set(shown).size, 1);
  const [{ result_url, ...dict }] = documents(shown[0] ?? "");
  assertMatch(result_url, /&s=source&i=s-1$/);
  const again = Task.fromDict(dict, { credentials: new Credentials({ token: TOKEN }) });
  assertEquals(again.toDict(), dict);
});

Deno.test("DEEPINT_ORGANIZATION completes every argument that names no organization", async () => {
  await using server = platformWith();
  const { origin } = server.platform;
  const api = `${origin}/api/v1/workspace/workspace-1/task/t-1`;
  const settings = { DEEPINT_ORGANIZATION: "organization-1" };
  const cases: [args: string[], settings: Record<string, string>][] = [
    ...["show", "wait", "result"].map((
      command,
    ): typeof cases[number] => [[command, api], settings]),
    [["delete", api, "--yes"], settings],
    [["show", "workspace-1/t-1"], settings],
    [["show", "workspace-1/t-1", "--organization=organization-1"], {}],
    [["list", "workspace-1"], settings],
    [["list", "workspace-1", "--organization=organization-1"], { DEEPINT_ORGANIZATION: "o-2" }],
    // an argument that names its organization needs no default
    [["list", PLACE], { DEEPINT_ORGANIZATION: "o-2" }],
    [["show", `${PLACE}/t-1`], { DEEPINT_ORGANIZATION: "o-2" }],
    [["show", `${origin}/o/organization-1/workspace?ws=workspace-1&s=task&i=t-1`], {
      DEEPINT_ORGANIZATION: "o-2",
    }],
  ];
  server.platform.add({ id: "t-1", ...RESULT });
  await Promise.all(cases.map(async ([args, settings]) => {
    const { code, stderr } = await ended(server.run([...args, "--json"], settings));
    assertEquals(code, 0, `${args}: ${stderr}`);
  }));
  const named = server.platform.requests.map(({ headers }) => headers["x-deepint-organization"]);
  assertEquals(new Set(named), new Set(["organization-1"]));
});

Deno.test("a duration has units and is positive", () => {
  const read = (text: string) => {
    try {
      return parseDuration(text);
    } catch {
      return "refused";
    }
  };
  const texts = ["250ms", "3s", "10m", "1.5h", "2d", "1h30m"];
  assertEquals(texts.map(read), [250, 3_000, 600_000, 5_400_000, 172_800_000, 5_400_000]);
  for (const text of ["", "10", "m", "-3s", "1.h", "0s", "3 s", "1e3s", "10M", "1w", "3s,"]) {
    assertEquals(read(text), "refused", text);
  }
  assertEquals(read(`${"9".repeat(400)}d`), "refused");
  const shown = [-1, 999, 59_999, 185_000, 7_620_000, 97_200_000].map(formatDuration);
  assertEquals(shown, ["0 s", "0 s", "59 s", "3 min 05 s", "2 h 07 min", "1 d 03 h"]);
});
