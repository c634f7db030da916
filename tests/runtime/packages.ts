/** Packages of the runtime tests, and the browser. */
import { deno, root } from "../helpers/run_deno.ts";

/** Time limits in ms. */
const INSTALL_DEADLINE = 90_000;
const BUNDLE_DEADLINE = 30_000;

/** Folder of the packages and of the files that the tests write. */
export const output = new URL("dist/runtimes/", root);
const packages = new URL("tests/runtime/packages/", root);
/** HOME of the child processes, instead of a developer's own. */
const home = new URL("home/", output);

/** Returns the path of a file in {@linkcode output}. */
export function path(name: string): string {
  return decodeURIComponent(new URL(name, output).pathname);
}

/**
 * Installs the runtimes that are packages, by a lock of their own (made with npm's option
 * `omit-lockfile-registry-resolved`): hundreds of megabytes that no user needs, so deno.lock does
 * without. No package's script runs; each binary is in a package for its platform.
 */
export async function install(): Promise<void> {
  await Deno.mkdir(home, { recursive: true });
  const lock = await Deno.readTextFile(new URL("package-lock.json", packages));
  const stamp = new URL("installed.json", output);
  if (await Deno.readTextFile(stamp).catch(() => "") === lock) return;
  for (const name of ["package.json", "package-lock.json"]) {
    await Deno.copyFile(new URL(name, packages), new URL(name, output));
  }
  // deno-lint-ignore no-console -- npm is silent for up to a minute
  console.log("Installing the runtimes into dist/runtimes (230 MB)");
  const { success, stdout, stderr } = await new Deno.Command("npm", {
    args: ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
    cwd: output,
    stdin: "null",
    signal: AbortSignal.timeout(INSTALL_DEADLINE),
  }).output();
  if (!success) {
    const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
    throw new Error(`npm cannot install the runtimes:\n${text}`);
  }
  await Deno.writeTextFile(stamp, lock);
}

/** Finds an installed Chromium. */
export async function findChromium(): Promise<string> {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
      const file = `${folder}/${name}`;
      if (folder && await Deno.stat(file).then((it) => it.isFile, () => false)) return file;
    }
  }
  throw new Error("there is no chromium: apt-get install chromium");
}

/** Bundles a module with `deno bundle`, which uses the packages of deno.lock. */
export async function make(entry: string, file: string, format = "esm"): Promise<void> {
  const args = ["bundle", "--quiet", "--frozen", "--minify", "--platform=browser"];
  const { code, output } = await deno([...args, `--format=${format}`, "-o", file, entry], {
    quiet: true,
    timeout: BUNDLE_DEADLINE,
  });
  if (code !== 0) throw new Error(`cannot bundle ${entry}:\n${output}`);
}

/** Creates the configuration of workerd: a module Worker on a port, with access to loopback only. */
export function workerdConfig(
  module: string,
  port: number,
  compatibilityDate: string,
  bindings: Record<string, string> = {},
): string {
  const texts = Object.entries(bindings).map(([name, text]) =>
    `(name = "${name}", text = "${text}")`
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "loopback", network = (allow = ["local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "worker")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "${module}")],
  bindings = [${texts.join(", ")}],
  compatibilityDate = "${compatibilityDate}",
  globalOutbound = "loopback",
);
`;
}

/** Finds the binary of an npm package. The script that starts it would leave it running. */
export async function binaryIn(scope: string, name: string): Promise<string> {
  for await (const entry of Deno.readDir(new URL(`node_modules/${scope}/`, output))) {
    const binary = path(`node_modules/${scope}/${entry.name}/bin/${name}`);
    if (await Deno.stat(binary).then(() => true, () => false)) return binary;
  }
  throw new Error(`npm has no ${name} for this platform`);
}

/** Returns a free port. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
