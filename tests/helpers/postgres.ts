/** A PostgreSQL server of the tests, from Debian's package, in a folder that is deleted in the end. */
import postgres from "postgres";
import { type Process, start } from "./process.ts";

const INSTALL_TIMEOUT_MS = 180_000;
const LIFE_MS = 900_000;
const START_TIMEOUT_MS = 30_000;

/** PostgreSQL refuses to run as root; its package creates this user. */
const SERVER_USER = "postgres";

/** A running server. */
export interface PostgresServer extends AsyncDisposable {
  /** Creates an empty database and returns its URL. */
  createDatabase(): Promise<string>;
  /** Starts the server again, on the same port. */
  start(): Promise<void>;
  /** Ends all connections and shuts down. */
  stop(): Promise<void>;
  /** Ends the server and its connections without any shutdown, as a power failure does. */
  kill(): Promise<void>;
  /** Stops every process of the server where it is, or lets them continue. */
  freeze(signal: "SIGSTOP" | "SIGCONT"): Promise<void>;
}

/** Runs a script and returns what it writes. */
async function run(script: string, timeout?: number): Promise<string> {
  const settings = { CI: Deno.env.get("CI") ?? "" };
  await using ran = start("sh", ["-c", script], settings, "", timeout);
  const { success } = await ran.status;
  if (!success) throw new Error(`${script}: ${ran.output.stderr}`);
  return ran.output.stdout.trim();
}

/** Finds the folder of the programs. Installs the package in CI and for root. */
export async function findPostgres(): Promise<string> {
  const script = `
    find() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }
    if [ -z "$(find)" ] && { [ -n "$CI" ] || [ "$(id -u)" = 0 ]; }; then
      as=; [ "$(id -u)" = 0 ] || as="sudo -n"
      export DEBIAN_FRONTEND=noninteractive
      { $as apt-get update -qq && $as apt-get install -y -qq --no-install-recommends postgresql; } >&2
    fi
    find
  `;
  const found = await run(script, INSTALL_TIMEOUT_MS);
  if (found === "") throw new Error("PostgreSQL is missing: apt-get install postgresql");
  return found;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Starts a server with the default settings, on a loopback port. */
export async function startPostgres(): Promise<PostgresServer> {
  const programs = await findPostgres();
  const folder = await Deno.makeTempDir();
  const isRoot = Deno.uid() === 0;
  const prefix = isRoot ? ["setpriv", `--reuid=${SERVER_USER}`, "--clear-groups", "--"] : [];
  if (isRoot) await run(`chown ${SERVER_USER} ${folder}`);
  const data = `${folder}/data`;
  const initdb = ["initdb", "-D", data, "-U", "watches", "-A", "trust", "-E", "UTF8", "--locale=C"];
  await run([...prefix, `${programs}/${initdb.join(" ")}`].join(" "));
  const port = freePort();
  const urlOf = (database: string) => `postgres://watches@127.0.0.1:${port}/${database}`;
  let server: Process | undefined;
  let databases = 0;

  /** Waits until the server accepts queries. */
  async function waitUntilReady(process: Process): Promise<void> {
    const end = Date.now() + START_TIMEOUT_MS;
    for (;;) {
      const sql = postgres(urlOf("postgres"), { max: 1, backoff: false, connect_timeout: 5 });
      try {
        await sql`select 1`;
        return;
      } catch (error) {
        if (Date.now() > end) throw new Error(`${error}: ${process.output.stderr}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      } finally {
        await sql.end({ timeout: 1 });
      }
    }
  }

  async function begin(): Promise<void> {
    const options = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=60"];
    const settings = options.flatMap((option) => ["-c", option]);
    const [command = "", ...args] = [...prefix, `${programs}/postgres`, "-D", data, "-p", `${port}`];
    server = start(command, [...args, ...settings], {}, "", LIFE_MS);
    await waitUntilReady(server);
  }

  /** Sends a signal to the server and the processes of its connections. */
  async function signalAll(signal: "KILL" | "STOP" | "CONT"): Promise<void> {
    await run(`kill -${signal} ${server?.pid} $(pgrep -P ${server?.pid})`);
  }

  await begin();
  return {
    async createDatabase() {
      const name = `test_${++databases}`;
      const sql = postgres(urlOf("postgres"), { max: 1 });
      await sql.unsafe(`create database ${name}`);
      await sql.end();
      return urlOf(name);
    },
    async start() {
      await begin();
    },
    async stop() {
      await server?.end("SIGINT");
    },
    async kill() {
      await signalAll("KILL");
      await server?.status;
    },
    async freeze(signal) {
      await signalAll(signal === "SIGSTOP" ? "STOP" : "CONT");
    },
    async [Symbol.asyncDispose]() {
      await server?.end("SIGQUIT").catch(() => {}); // it may have ended
      await run(`rm -rf ${folder}`);
    },
  };
}
