/** A PostgreSQL server of the tests, from Debian's package, in a folder that is deleted in the end. */
import postgres from "postgres";
import { start } from "./process.ts";

const INSTALL_TIMEOUT_MS = 180_000;
const RUN_TIMEOUT_MS = 120_000;

/** PostgreSQL refuses to run as root; its package creates this user. */
const SERVER_USER = "postgres";

/** A running server. */
export interface PostgresServer extends AsyncDisposable {
  /** URL of the database `postgres`. */
  readonly url: string;
  /** Creates an empty database and returns its URL. */
  createDatabase(): Promise<string>;
  /** Starts the server again, on the same port. */
  start(): Promise<void>;
  /** Ends all connections and shuts down. */
  stop(): Promise<void>;
  /** Ends the server and its connections without any shutdown, as a power failure does. */
  kill(): Promise<void>;
  /** Stops every process of the server where it is. */
  freeze(): Promise<void>;
  /** Lets the processes of the server continue. */
  thaw(): Promise<void>;
}

/** Returns a command for a user that PostgreSQL accepts. */
function asServerUser(command: string): string {
  const prefix = `setpriv --reuid=${SERVER_USER} --clear-groups -- `;
  return `${Deno.uid() === 0 ? prefix : ""}${command}`;
}

/** Runs a script and returns what it writes. */
async function run(script: string, timeout = RUN_TIMEOUT_MS): Promise<string> {
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
    PATH="$PATH:/usr/sbin"
    if { [ -z "$(find)" ] || ! command -v pgbouncer >&2; } && { [ -n "$CI" ] || [ "$(id -u)" = 0 ]; }; then
      as=; [ "$(id -u)" = 0 ] || as="sudo -n"
      export DEBIAN_FRONTEND=noninteractive
      { $as apt-get update -qq && $as apt-get install -y -qq --no-install-recommends \
        postgresql pgbouncer; } >&2
    fi
    find
  `;
  const found = await run(script, INSTALL_TIMEOUT_MS);
  if (found === "") throw new Error("PostgreSQL is missing: apt-get install postgresql pgbouncer");
  return found;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Runs a script when this process ends, or on disposal. */
function atEnd(script: string): AsyncDisposable {
  const options = { stdin: "piped", stdout: "null", stderr: "null" } as const;
  const args = ["-c", `cat > /dev/null; ${script}`];
  const child = new Deno.Command("sh", { args, ...options }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      await child.stdin.close();
      await child.status;
    },
  };
}

async function makeServerFolder(): Promise<string> {
  const folder = await Deno.makeTempDir();
  if (Deno.uid() === 0) await run(`chown ${SERVER_USER} ${folder}`);
  return folder;
}

/** Starts a server with the default settings, on a loopback port. */
export async function startPostgres(): Promise<PostgresServer> {
  const programs = await findPostgres();
  const folder = await makeServerFolder();
  const port = freePort();
  const urlOf = (database: string) => `postgres://watches@127.0.0.1:${port}/${database}`;
  const control = asServerUser(`${programs}/pg_ctl -D ${folder}/data -w -t 90`);
  const settings = `-p ${port} -h 127.0.0.1 -k "" -N 60 -c recovery_init_sync_method=syncfs`;
  const begin = () => run(`${control} start -l ${folder}/log -o '${settings}'`);
  let databases = 0;

  /** Sends a signal to the server and the processes of its connections. */
  async function signalAll(signal: string): Promise<void> {
    const pid = (await run(`cat ${folder}/data/postmaster.pid`)).split("\n")[0];
    await run(`kill -${signal} ${pid} $(pgrep -P ${pid})`);
  }

  const end = atEnd(`${control} stop -m immediate; rm -rf ${folder}`);
  const initdb = `${programs}/initdb -D ${folder}/data -U watches -A trust -E UTF8 --locale=C`;
  await run(asServerUser(initdb));
  await begin();
  return {
    url: urlOf("postgres"),
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
      await run(`${control} stop -m fast`);
    },
    async kill() {
      await signalAll("KILL");
      // in a container the process may stay as a zombie, which the next start takes for a server
      await run(`rm ${folder}/data/postmaster.pid`);
    },
    freeze: () => signalAll("STOP"),
    thaw: () => signalAll("CONT"),
    [Symbol.asyncDispose]: () => end[Symbol.asyncDispose](),
  };
}

/** A running pooler. */
export interface Pooler extends AsyncDisposable {
  /** Returns the URL of a database behind the pooler. */
  urlOf(url: string): string;
}

/** Starts PgBouncer before a server. It gives each transaction any connection. */
export async function startPooler(server: PostgresServer): Promise<Pooler> {
  const folder = await makeServerFolder();
  const port = freePort();
  const config = `[databases]
* = host=127.0.0.1 port=${new URL(server.url).port} user=watches
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
pidfile = ${folder}/pid
logfile = ${folder}/log
`;
  await Deno.writeTextFile(`${folder}/pgbouncer.ini`, config);
  const end = atEnd(`kill $(cat ${folder}/pid); rm -rf ${folder}`);
  await run(asServerUser(`/usr/sbin/pgbouncer -d ${folder}/pgbouncer.ini`));
  return {
    urlOf: (url) => Object.assign(new URL(url), { port }).href,
    [Symbol.asyncDispose]: () => end[Symbol.asyncDispose](),
  };
}
