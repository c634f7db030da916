// The client as a bundler splits it, where a browser without a network cannot load a chunk.
import { assertEquals, assertRejects } from "@std/assert";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bundle, endBundling } from "../tools/bundle.ts";
import { root } from "../helpers/run_deno.ts";

Deno.test("a failed connection is NETWORK_ERROR without a reason if its chunk is missing", async () => {
  const { outputs, metafile } = await bundle("mod.ts", { splitting: true }).finally(endBundling);
  const dist = fileURLToPath(new URL("dist/", root));
  await Deno.mkdir(dist, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: dist });
  try {
    let missing = 0;
    for (const [name, code] of Object.entries(outputs)) {
      const isMissing = "src/internal/redact.ts" in (metafile.outputs[name]?.inputs ?? {});
      if (isMissing) missing++;
      else await Deno.writeFile(`${folder}/${name.replace("dist/", "")}`, code);
    }
    assertEquals(missing, 1, "the module is not in a chunk of its own");
    const client: typeof import("../../mod.ts") = await import(`${pathToFileURL(folder)}/mod.js`);
    const credentials = new client.Credentials({ token: "a-token-for-tests" });
    const fetch = () => Promise.reject(new TypeError("a reason with a-token-for-tests"));
    const task = client.Task.fromDict(
      { organization_id: "o-1", workspace_id: "w-1", task_id: "t-1" },
      { credentials, fetch },
    );
    const error = await assertRejects(() => task.load({ retries: 0 }), client.DeepintHTTPError);
    assertEquals(error.code, "NETWORK_ERROR");
    assertEquals(error.retryable, true);
    assertEquals(
      error.message,
      "Error on HTTP GET https://app.deepint.net/api/v1/workspace/w-1/task/t-1: no response",
    );
    assertEquals("cause" in error, false);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
