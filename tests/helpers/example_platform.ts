/**
 * Loaded before the examples in docstrings run: their requests go to a fake platform with one finished task,
 * so that the examples need neither a network nor code that users would not write.
 */
import { createFakePlatform } from "./fake_platform.ts";

const TOKEN = "a-token";
const platform = createFakePlatform({ token: TOKEN });
platform.add({
  organization: "o-1",
  workspace: "w-1",
  id: "t-1",
  name: "import orders",
  status: "success",
  result: "s-1",
  result_type: "source",
});
Deno.env.set("DEEPINT_TOKEN", TOKEN);
globalThis.fetch = platform.fetch;
