// Ids that an attacker may pass to the client. `task_url_property_test.ts` tests hostile URLs.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { Credentials, Task, TaskInfo } from "../../mod.ts";
import { TOKEN } from "../helpers/client.ts";
import { hostileId } from "../helpers/hostile.ts";
import { checkProperty } from "../helpers/property.ts";

const ID = /^[A-Za-z0-9_-]{1,128}$/;

/** An answer for every kind of request. */
const ANY = { status: "running", result: "success", page: 0, pages_count: 0, items: [] };

Deno.test("a hostile id is a RangeError or requests the path of its task", async (t) => {
  const credentials = new Credentials({ token: TOKEN });
  const ways = ["build", "constructor", "fromDict", "delete", "list"] as const;
  let requested = 0;
  await checkProperty(
    t,
    fc.asyncProperty(
      hostileId,
      hostileId,
      hostileId,
      fc.constantFrom(...ways),
      async (organizationId, workspaceId, taskId, way) => {
        const seen: unknown[] = [];
        const fetch = (url: string, init: RequestInit) => {
          seen.push([init.method, url, new Headers(init.headers).get("x-deepint-organization")]);
          return Promise.resolve(Response.json(ANY));
        };
        const where = { organizationId, workspaceId, credentials, fetch };
        const dict = {
          organization_id: organizationId,
          workspace_id: workspaceId,
          task_id: taskId,
        };
        const made = () => new Task({ ...where, info: TaskInfo.fromDict({ id: taskId }) });
        try {
          if (way === "build") await Task.build({ ...where, taskId });
          else if (way === "constructor") await made().load();
          else if (way === "fromDict") await Task.fromDict(dict, { credentials, fetch }).load();
          else if (way === "delete") await made().delete();
          else await Array.fromAsync(Task.list(where));
        } catch (error) {
          assertInstanceOf(error, RangeError);
          assert(!/[\p{C}\p{Zl}\p{Zp}]/u.test(error.message), error.message);
          assertEquals(seen, []);
          return;
        }
        requested++;
        const used = way === "list"
          ? [organizationId, workspaceId]
          : [organizationId, workspaceId, taskId];
        for (const one of used) assert(ID.test(one), one);
        const path = way === "list"
          ? `/api/v1/workspace/${workspaceId}/tasks?page=0&limit=500`
          : `/api/v1/workspace/${workspaceId}/task/${taskId}`;
        const method = way === "delete" ? "DELETE" : "GET";
        assertEquals(seen, [[method, `https://app.deepint.net${path}`, organizationId]]);
      },
    ),
  );
  assert(requested > 1_000, `${requested} requests`);
});
