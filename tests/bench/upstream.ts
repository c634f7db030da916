/** The platform of the bench: responds as fast as possible, with a finished task in one workspace. */
import { FINISHED_WORKSPACE, TASK, UPSTREAM_PATH } from "./task.ts";

const headers = { "content-type": "application/json" };
const finished = UPSTREAM_PATH(FINISHED_WORKSPACE, "");
const split = (task: object) => JSON.stringify({ ...task, id: "$" }).split("$");
const [before = "", after = ""] = split(TASK);
const end = split({ ...TASK, status: "success", result: "source-1", result_type: "source" })[1];

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  // deno-lint-ignore no-console -- as the endpoint says it
  onListen: ({ port }) => console.error(`Listening on http://localhost:${port}`),
}, ({ url }) => {
  const id = url.slice(url.lastIndexOf("/") + 1);
  return new Response(before + id + (url.includes(finished) ? end : after), { headers });
});
