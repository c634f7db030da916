// What others make of the document: types and a client by their tools, against the endpoint as a process.
import { assertEquals } from "@std/assert";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import project from "../../deno.json" with { type: "json" };
import { IDS, KEY, TOKEN } from "../helpers/endpoint.ts";
import { root } from "../helpers/run_deno.ts";
import { listen } from "../helpers/listen.ts";
import { start } from "../helpers/process.ts";
import { createFakePlatform } from "../helpers/fake_platform.ts";

/** A caller's program, as one would write it who has the generated types alone. */
const CLIENT = `
import createClient from "openapi-fetch";
import type { components, paths } from "./endpoint.d.ts";

const [baseUrl = "", key = "", organization = "", workspace = "", task = ""] = Deno.args;
const client = createClient<paths>({ baseUrl });
const headers = { authorization: \`Bearer \${key}\` };
const say = (value: unknown) => console.log(JSON.stringify(value));

const health = await client.GET("/health");
const alive: "ok" | undefined = health.data?.status;
say(alive);

const body = { organization_id: organization, workspace_id: workspace, task_id: task };
for (let turn = 0; turn < 2; turn++) {
  const { data, response } = await client.POST("/resolve", { body, headers });
  // by its members, one of two answers
  if (data && "retry_after" in data) {
    const wait: number = data.retry_after;
    say([response.status, data.status, wait >= 1]);
  } else if (data) {
    const result: Record<string, string> = data.result;
    say([response.status, data.status, result]);
  }
}

const path = { organization, workspace, task };
const followed = await client.GET(
  "/organizations/{organization}/workspaces/{workspace}/tasks/{task}",
  { params: { path }, headers },
);
say([followed.response.status, followed.data?.task.info.name]);

const { data, error } = await client.POST("/resolve", { body });
const problem: components["schemas"]["Problem"] | undefined = error;
say([data === undefined, problem?.status, problem?.type, problem?.code]);

// what the types refuse
client.GET satisfies (path: "/health") => unknown;
// @ts-expect-error no such route
client.GET satisfies (path: "/none") => unknown;
// @ts-expect-error not a boolean
({ raise_on_error: "no" }) satisfies components["schemas"]["ResolveRequest"];
// @ts-expect-error no such status
"paused" satisfies components["schemas"]["Running"]["status"];
`;

/** Runs Deno to its end and gives what it wrote; the folder of the test is the one place to write to. */
async function deno(...args: string[]): Promise<string> {
  await using child = start(Deno.execPath(), args, {});
  const { code } = await child.status;
  const { stdout, stderr } = child.output;
  assertEquals(code, 0, `deno ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

Deno.test("a client generated from the served document compiles and works", async () => {
  const platform = createFakePlatform({ token: TOKEN });
  platform.add({
    id: IDS.task_id,
    name: "train",
    steps: [{ status: "running" }, { status: "success", result: "m-1", result_type: "model" }],
  });
  await using server = listen(platform.fetch);
  await using endpoint = start(Deno.execPath(), ["task", "start"], {
    DEEPINT_TOKEN: TOKEN,
    DEEPINT_INSTANCE: server.origin,
    RESOLVE_API_KEYS: KEY,
    PORT: "0",
  });
  const port = await endpoint.waitForOutput(/http:\/\/[^/\s]+:(\d+)\/.*\n/);
  const origin = `http://127.0.0.1:${port}`;

  const folder = await Deno.makeTempDir({ dir: tmpdir(), prefix: "openapi-" });
  try {
    const [types, client] = [`${folder}/endpoint.d.ts`, `${folder}/client.ts`];
    const config = `--config=${fileURLToPath(new URL("deno.json", root))}`;
    const allowed = ["--allow-read", "--allow-env", "--allow-sys", `--allow-write=${folder}`];
    const generator = ["run", "--frozen", ...allowed, "--allow-net=127.0.0.1"];
    await deno(
      ...generator,
      project.imports["openapi-typescript"],
      `${origin}/openapi.json`,
      "-o",
      types,
    );
    await Deno.writeTextFile(client, CLIENT);
    await deno("check", "--frozen", config, client);

    const ids = [IDS.organization_id, IDS.workspace_id, IDS.task_id];
    const run = ["run", "--frozen", config, `--allow-net=127.0.0.1`];
    const said = await deno(...run, client, origin, KEY, ...ids);
    assertEquals(said.trim().split("\n").map((line) => JSON.parse(line)), [
      "ok",
      [202, "running", true],
      [200, "success", { model: "m-1" }],
      [200, "train"],
      [true, 401, "/problems/unauthorized", "UNAUTHORIZED"],
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
