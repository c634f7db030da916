/**
 * The ways in which a platform can fail a client, and a loopback server that fails in each of them.
 * The server is written on sockets: `Deno.serve` does not lie about a length, or reset a connection. Where an answer can say something wrong, it echoes the token, or has a task that ended.
 */
import { createServer, type Server, type Socket as Connection } from "node:net";
import type { ProblemType } from "../../functions/http/problem.ts";
import { withTimeout } from "../../src/internal/deadline.ts";

/** Result of `load({ retries: 0 })`. */
export type ClientOutcome = "success" | {
  code: string;
  /** The status of the answer; undefined for the error of a timeout, which has none. */
  status?: number;
  retryable: boolean;
  /** Seconds, give or take one. */
  retryAfter?: number;
};

/** Result of `POST /resolve`: a problem, or a status without one. */
export type EndpointOutcome = 202 | ProblemType;

/** One way to fail, with its documented outcomes. */
export interface Fault {
  readonly name: string;
  /** The task's id that asks the server for it. */
  readonly id: string;
  readonly client: ClientOutcome;
  readonly endpoint: EndpointOutcome;
  /** Fails a request: what it returns is sent, then the server's side of the connection is closed. */
  readonly answer: (socket: Socket, request: FaultRequest) => Text | Promise<Text>;
}

/** A received request. */
export interface FaultRequest {
  /** The task's id. */
  readonly id: string;
  /** The token that came with it. */
  readonly token: string;
}

type Text = string | undefined;

/** The server's end of a connection. */
interface Socket {
  /** Rejects when the client has gone. */
  send(data: string | Uint8Array): Promise<void>;
  /** Resolves when the client has closed its side, or the connection is broken. */
  readonly left: Promise<void>;
  /** Ends the connection with a reset, which `Deno.listen` has no way to send. */
  reset(): void;
}

const MEGABYTE = 1 << 20;
const WHITE = new TextEncoder().encode(" ".repeat(MEGABYTE));
const JSON_TYPE = { "content-type": "application/json" };
const HTML = { "content-type": "text/html" };

const unusable = { code: "INVALID_RESPONSE", status: 200, retryable: false };
const notJson = { ...unusable, retryable: true };
const tooLarge = { code: "BODY_TOO_LARGE", status: 200, retryable: false };
const brokenOff = { code: "NETWORK_ERROR", status: 200, retryable: true };
const noAnswer = { code: "NETWORK_ERROR", status: 0, retryable: true };
const late = { code: "TIMEOUT", retryable: true };
const limited = { code: "HTTP_429", status: 429, retryable: true };

/** Every way to fail: the cases of the fault matrix. */
export const FAULTS: readonly Fault[] = [
  fault("connection refused", noAnswer, "upstream-unavailable", notServed),
  fault("connection closed without a response", noAnswer, "upstream-unavailable", () => ""),
  fault("connection reset", noAnswer, "upstream-unavailable", (socket) => {
    socket.reset();
    return undefined;
  }),
  fault("no response headers", late, "upstream-timeout", async (socket) => {
    await socket.left;
    return undefined;
  }),
  fault(
    "headers, then half a body that never ends",
    late,
    "upstream-timeout",
    async (socket, request) => {
      await socket.send(head(200, { ...JSON_TYPE, "content-length": "1000" }) + half(request));
      await socket.left;
      return undefined;
    },
  ),
  fault("one byte at a time", late, "upstream-timeout", trickle),
  fault(
    "body shorter than its length",
    brokenOff,
    "upstream-unavailable",
    (_, request) => head(200, { ...JSON_TYPE, "content-length": "1000" }) + ended(request),
  ),
  fault(
    "chunked body that breaks off",
    brokenOff,
    "upstream-unavailable",
    (_, request) =>
      head(200, { ...JSON_TYPE, "transfer-encoding": "chunked" }) + chunk(ended(request)),
  ),
  fault(
    "half of a JSON body",
    notJson,
    "upstream-unavailable",
    (_, request) => reply(200, half(request)),
  ),
  fault(
    "HTML with 200",
    notJson,
    "upstream-unavailable",
    (_, { token }) => reply(200, `<html><title>Sign in, ${token}</title></html>`, HTML),
  ),
  fault(
    "HTML with 502",
    status("BAD_GATEWAY", 502, true),
    "upstream-unavailable",
    (_, { token }) => reply(502, `<html><h1>Bad gateway for ${token}</h1></html>`, HTML),
  ),
  fault(
    "204 without a body",
    { ...notJson, status: 204 },
    "upstream-unavailable",
    () => head(204, {}),
  ),
  fault("200 with an empty body", notJson, "upstream-unavailable", () => reply(200, "")),
  ...[301, 302, 303, 307, 308].map((code) =>
    fault(
      `${code} to another path`,
      status("REDIRECT", code),
      "upstream-unavailable",
      (_, request) =>
        reply(code, ended(request), { location: `/elsewhere?token=${request.token}` }),
    )
  ),
  fault(
    "304 to an unconditional request",
    status("REDIRECT", 304),
    "upstream-unavailable",
    () => head(304, {}),
  ),
  refusal(401, "HTTP_401", "upstream-credentials"),
  refusal(402, "HTTP_402", "upstream-credentials"),
  refusal(403, "HTTP_403", "upstream-credentials"),
  refusal(404, "HTTP_404", "not-found"),
  refusal(408, "HTTP_408", "upstream-unavailable", true),
  refusal(425, "HTTP_425", "upstream-unavailable", true),
  limit("429 without Retry-After", undefined),
  limit("429 with Retry-After in seconds", 30, () => "30"),
  limit("429 with Retry-After as a date", 60, () => new Date(Date.now() + 60_500).toUTCString()),
  limit("429 with a negative Retry-After", undefined, () => "-30"),
  limit("429 with a Retry-After of 1e9", 1e9, () => "1000000000"),
  limit("429 with an unreadable Retry-After", undefined, ({ token }) => `soon, ${token}`),
  refusal(500, "UNKNOWN_ERROR", "upstream-unavailable", true),
  refusal(502, "BAD_GATEWAY", "upstream-unavailable", true),
  refusal(503, "HTTP_503", "upstream-unavailable", true),
  refusal(504, "TIMEOUT_ERROR", "upstream-unavailable", true),
  refusal(501, "HTTP_501", "upstream-unavailable"),
  refusal(524, "HTTP_524", "upstream-unavailable", true),
  fault(
    "50 MB body with a content-length",
    tooLarge,
    "upstream-unavailable",
    (socket, request) => pour(socket, request, { "content-length": String(50 * MEGABYTE) }),
  ),
  fault(
    "50 MB body in chunks",
    tooLarge,
    "upstream-unavailable",
    (socket, request) => pour(socket, request, { "transfer-encoding": "chunked" }),
  ),
  fault(
    "50 MB body in chunks that says it has 5 B",
    tooLarge,
    "upstream-unavailable",
    (socket, request) =>
      pour(socket, request, { "content-length": "5", "transfer-encoding": "chunked" }),
  ),
  fault("100 MB gzip bomb", tooLarge, "upstream-unavailable", async (socket) => {
    const bytes = await bomb();
    const length = String(bytes.length);
    await socket.send(
      head(200, { ...JSON_TYPE, "content-encoding": "gzip", "content-length": length }),
    );
    await socket.send(bytes);
    return "";
  }),
  body("another task's id", unusable, ({ token }) => ({ id: token, status: "success" })),
  body("fields of the wrong types", unusable, ({ id, token }) => ({
    id,
    status: "success",
    name: [token],
    progress: {},
  })),
  body("null in every field", unusable, () => nulls()),
  fault(
    "null in every field but id and status",
    "success",
    202,
    (_, { id }) => reply(200, JSON.stringify({ ...nulls(), id, status: "running" })),
  ),
  body("null", unusable, () => null),
  body("an empty array", unusable, () => []),
];

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

function fault(
  name: string,
  client: ClientOutcome,
  endpoint: EndpointOutcome,
  answer: Fault["answer"],
): Fault {
  return { name, id: name.replaceAll(/[^A-Za-z0-9]+/g, "-"), client, endpoint, answer };
}

/** A JSON body with 200 that does not describe a task. */
function body(
  name: string,
  client: ClientOutcome,
  make: (request: FaultRequest) => unknown,
): Fault {
  return fault(
    name,
    client,
    "upstream-unavailable",
    (_, request) => reply(200, JSON.stringify(make(request))),
  );
}

/** A status that is an error, with a body as the platform sends it. */
function refusal(code: number, name: string, endpoint: EndpointOutcome, retryable = false): Fault {
  return fault(
    String(code),
    status(name, code, retryable),
    endpoint,
    (_, { token }) => reply(code, JSON.stringify({ message: `no, ${token}` })),
  );
}

function limit(
  name: string,
  retryAfter: number | undefined,
  header?: (request: FaultRequest) => string,
): Fault {
  const client = retryAfter === undefined ? limited : { ...limited, retryAfter };
  return fault(
    name,
    client,
    "rate-limited",
    (_, request) => reply(429, "{}", header && { "retry-after": header(request) }),
  );
}

function status(code: string, status: number, retryable = false): ClientOutcome {
  return { code, status, retryable };
}

function notServed(): Text {
  return undefined;
}

/** A task as it should be; it runs, unless its id says that it has ended. */
function sound(_socket: Socket, { id }: FaultRequest): Text {
  const status = id.startsWith("ended") ? "success" : "running";
  return reply(200, JSON.stringify({ id, status }));
}

async function trickle(socket: Socket, request: FaultRequest): Promise<Text> {
  await socket.send(head(200, { ...JSON_TYPE, "content-length": "1000000" }));
  for (const byte of ended(request).padEnd(1_000_000)) {
    await socket.send(byte);
    await withTimeout(() => socket.left, { ms: 10, onTimeout: () => {} });
  }
  return undefined;
}

/** A task, and then white space up to 50 MB. */
async function pour(
  socket: Socket,
  request: FaultRequest,
  framing: Record<string, string>,
): Promise<Text> {
  const chunked = "transfer-encoding" in framing;
  await socket.send(head(200, { ...JSON_TYPE, ...framing }));
  for (let at = 0; at < 50; at++) {
    if (chunked) await socket.send(`${MEGABYTE.toString(16)}\r\n`);
    const text = at === 0 ? ended(request) : "";
    await socket.send(text);
    await socket.send(WHITE.subarray(text.length));
    if (chunked) await socket.send("\r\n");
  }
  return chunked ? "0\r\n\r\n" : "";
}

let made: Promise<Uint8Array> | undefined;

/** 100 MB of white space, zipped: made once, and never held unzipped. */
function bomb(): Promise<Uint8Array> {
  let left = 100;
  const plain = new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      if (left-- > 0) controller.enqueue(WHITE);
      else controller.close();
    },
  });
  made ??= new Response(plain.pipeThrough(new CompressionStream("gzip"))).bytes();
  return made;
}

function ended({ id, token }: FaultRequest): string {
  return JSON.stringify({
    id,
    name: token,
    status: "success",
    result: "s-1",
    result_type: "source",
  });
}

function half(request: FaultRequest): string {
  return ended(request).slice(0, -20);
}

function nulls(): Record<string, null> {
  const keys = ["id", "user_id", "created", "status", "duration", "name", "progress", "result"];
  return Object.fromEntries(keys.map((key) => [key, null]));
}

function reply(code: number, text: string, headers: Record<string, string> = {}): string {
  const length = String(new TextEncoder().encode(text).length);
  return head(code, { ...JSON_TYPE, "content-length": length, ...headers }) + text;
}

function head(code: number, headers: Record<string, string>): string {
  const lines = Object.entries({ ...headers, connection: "close" });
  return `HTTP/1.1 ${code} -\r\n${
    lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")
  }\r\n`;
}

function chunk(text: string): string {
  return `${new TextEncoder().encode(text).length.toString(16)}\r\n${text}\r\n`;
}
