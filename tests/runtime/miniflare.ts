// Cloudflare's emulator with a Worker, a Workflow and settings. Arguments: the folder of the packages and
// the options as JSON. Ends with SIGTERM.
import { createRequire } from "node:module";

interface Emulator {
  readonly ready: Promise<URL>;
  dispose(): Promise<void>;
}

const [packages = "", options = "{}"] = Deno.args;
// `require` from the folder of the packages, which a type check cannot read
const { Miniflare }: { Miniflare: new (options: unknown) => Emulator } = createRequire(packages)(
  "miniflare",
);
const emulator = new Miniflare(JSON.parse(options));
await emulator.ready;
Deno.addSignalListener("SIGTERM", async () => {
  await emulator.dispose();
  Deno.exit(0);
});
