// The command `delete` without a terminal.
import { assertEquals, assertMatch } from "@std/assert";
import { documents, ended, PLACE, platformWith, RESULT } from "../helpers/cli.ts";

Deno.test("delete requires --yes without a terminal", async () => {
  await using server = platformWith({ id: "t-1", status: "running" });
  const { code, stderr } = await ended(server.run(["delete", `${PLACE}/t-1`]));
  assertEquals({ code, requests: server.platform.count() }, { code: 2, requests: 0 });
  assertMatch(stderr, /^error: Cannot ask for confirmation .*: pass --yes to stop the task\n$/);
});

Deno.test("delete prints the state that the platform shows after the DELETE", async () => {
  const failed = { status: "failed", error_code: "QUOTA" };
  await using server = platformWith(
    { id: "t-1", status: "running" },
    { id: "t-2", ...RESULT },
    { id: "t-3", ...failed },
    { id: "t-4", status: "failed" },
  );
  const stop = (id: string, ...flags: string[]) =>
    ended(server.run(["delete", `${PLACE}/${id}`, "--yes", ...flags]));
  const messages = {
    "t-1": "t-1 was stopped: failed STOPPED\n",
    "t-2": "t-2 had already finished: success source s-1\n",
    "t-3": "t-3 had already finished: failed QUOTA\n",
    "t-4": "t-4 had already finished: failed UNKNOWN\n",
  };
  for (const [id, stderr] of Object.entries(messages)) {
    assertEquals(await stop(id), { code: 0, stdout: "", stderr });
  }
  assertEquals(
    server.platform.requests.map(({ method }) => method),
    Object.keys(messages).flatMap(() => ["DELETE", "GET"]),
  );
  server.platform.add({ id: "t-1", status: "running" });
  const shown = await Promise.all([stop("t-1", "--json"), stop("t-2", "--json")]);
  assertEquals(shown.map(({ stdout }) => documents(stdout)[0].stopped), [true, false]);
  assertEquals(documents(shown[0]?.stdout ?? "")[0].info.error_code, "STOPPED");
  assertEquals(await stop("t-1", "--quiet"), { code: 0, stdout: "", stderr: "" });
});

Deno.test("delete succeeds when the platform no longer has the task afterwards", async () => {
  await using server = platformWith({ id: "t-1", status: "running" });
  server.platform.inject(() => Response.json({ result: "success" }));
  server.platform.inject(() => Response.json({ code: "NOT_FOUND" }, { status: 404 }));
  const { code, stderr } = await ended(server.run(["delete", `${PLACE}/t-1`, "--yes"]));
  assertEquals({ code, stderr }, { code: 0, stderr: "t-1 was stopped: it no longer exists\n" });
});
