/**
 * A loopback server that fails in each way of the fault matrix. It is written on sockets: `Deno.serve` does
 * not lie about a length, and does not reset a connection.
 */
import { createServer, type Server, type Socket as Connection } from "node:net";
import { type Fault, FAULTS } from "./matrix.ts";
import { bomb, type FaultRequest, notServed, reply, type Socket, type Text } from "./responses.ts";

/** A server whose answer to a task's request is the fault that the task's id names. */
export interface FaultServer extends AsyncDisposable {
  /** Returns the origin for the task of a fault. */
  originOf(fault: Fault): string;
  /** Origin of all faults except the refused connection. */
  readonly origin: string;
  /**
   * Sockets that are open: each counts until the client has closed its side too. Every answer says
   * `connection: close`, so that none is kept for a next request, which would be no leak.
   */
  readonly open: number;
  /** Sockets so far. */
  readonly accepted: number;
  /** Waits until no socket is open. */
  idle(): Promise<void>;
}

/** Options of {@linkcode startFaultServer}. */
export interface FaultServerOptions {
  /** Which fault a request gets, if any. @default the one that the task's id names */
  choose?: (request: FaultRequest) => Fault | undefined;
}

/** Returns a task as it should be: running, unless its id says that it has ended. */
function sound(_socket: Socket, { id }: FaultRequest): Text {
  const status = id.startsWith("ended") ? "success" : "running";
  return reply(200, JSON.stringify({ id, status }));
}

/** Starts a server on a free port. A request that no fault is chosen for gets a sound task. */
export async function startFaultServer(options: FaultServerOptions = {}): Promise<FaultServer> {
  await bomb(); // to make it takes longer than a client may wait
  const { choose = ({ id }) => FAULTS.find((fault) => fault.id === id) } = options;
  const open = new Set<Connection>();
  let accepted = 0;
  let wake = () => {};
  // half-open: the server closes its side before the client
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    accepted++;
    open.add(connection);
    connection.once("close", () => {
      open.delete(connection);
      wake();
    });
    serve(connection, choose);
  });
  const origin = `http://127.0.0.1:${await listen(server)}`;
  const unused = createServer();
  const refusing = `http://127.0.0.1:${await listen(unused)}`;
  await new Promise((resolve) => unused.close(resolve));

  async function idle(): Promise<void> {
    while (open.size > 0) await new Promise<void>((resolve) => wake = resolve);
  }
  return {
    origin,
    originOf: ({ answer }) => answer === notServed ? refusing : origin,
    get open() {
      return open.size;
    },
    get accepted() {
      return accepted;
    },
    idle,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const connection of open) connection.destroy();
      await Promise.all([closed, idle()]);
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : 0);
    });
  });
}

/** Answers the one request of a connection. It never rejects: a client may leave at any time. */
async function serve(
  connection: Connection,
  choose: (request: FaultRequest) => Fault | undefined,
): Promise<void> {
  let here = true;
  const left = new Promise<void>((resolve) => {
    for (const event of ["end", "error", "close"]) connection.once(event, () => resolve());
  }).then(() => void (here = false));
  const socket: Socket = {
    left,
    async send(data) {
      const sent = new Promise((resolve) => connection.write(data, resolve));
      await Promise.race([sent, left]);
      if (!here) throw new Error("the client has left");
    },
    reset: () => connection.resetAndDestroy(),
  };
  try {
    const request = await read(connection, left);
    const text = request && await (choose(request)?.answer ?? sound)(socket, request);
    if (text) await socket.send(text);
  } catch {
    // the client has disconnected
  }
  connection.end();
}

/** Reads a request, which has no body. */
async function read(
  connection: Connection,
  left: Promise<void>,
): Promise<FaultRequest | undefined> {
  let text = "";
  const whole = new Promise<void>((resolve) => {
    connection.on("data", (data) => {
      text += data;
      if (text.endsWith("\r\n\r\n")) resolve();
    });
  });
  await Promise.race([whole, left]);
  const [, id] = /^GET \/api\/v1\/workspace\/[^/ ]+\/task\/([^/ ]+) /.exec(text) ?? [];
  const [, token = ""] = /^x-auth-token: *(.*)\r$/im.exec(text) ?? [];
  return id === undefined ? undefined : { id, token };
}
