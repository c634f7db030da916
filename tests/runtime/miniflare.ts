// Cloudflare's own emulator with a Worker in it, a Workflow beside it, and settings: `deno run` with
// where the packages are, and the options. Ends with SIGTERM.
import { createRequire } from "node:module";

interface Emulator {
  readonly ready: Promise<URL>;
  dispose(): Promise<void>;
}

const [packages = "", options = "{}"] = Deno.args;
// by `require` of where the runtimes are installed, which is no place that a type check could look at
const { Miniflare }: { Miniflare: new (options: unknown) => Emulator } = createRequire(packages)(
  "miniflare",
);
const emulator = new Miniflare(JSON.parse(options));
await emulator.ready;
Deno.addSignalListener("SIGTERM", async () => {
  await emulator.dispose();
  Deno.exit(0);
});
