// What the fault server sends: heads, bodies that lie about their length, large and slow ones.
import { withTimeout } from "../../src/internal/deadline.ts";

/** A received request. */
export interface FaultRequest {
  /** The task's id. */
  readonly id: string;
  /** The token that came with it. */
  readonly token: string;
}

/** Data to send last, if any. */
export type Text = string | undefined;

/** The server's end of a connection. */
export interface Socket {
  /** Rejects when the client has gone. */
  send(data: string | Uint8Array): Promise<void>;
  /** Resolves when the client has closed its side, or the connection is broken. */
  readonly left: Promise<void>;
  /** Ends the connection with a reset, which `Deno.listen` has no way to send. */
  reset(): void;
}

/** Bytes of a megabyte, and headers by content type. */
export const MEGABYTE = 1 << 20;
const WHITE = new TextEncoder().encode(" ".repeat(MEGABYTE));
export const JSON_TYPE = { "content-type": "application/json" };
export const HTML = { "content-type": "text/html" };

/** Returns the head of a response. */
export function head(code: number, headers: Record<string, string>): string {
  const lines = Object.entries({ ...headers, connection: "close" });
  return `HTTP/1.1 ${code} -\r\n${
    lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")
  }\r\n`;
}

/** Returns the JSON of a task that has ended, whose name is the token. */
export function ended({ id, token }: FaultRequest): string {
  return JSON.stringify({
    id,
    name: token,
    status: "success",
    result: "s-1",
    result_type: "source",
  });
}

/** Returns that JSON without its end. */
export function half(request: FaultRequest): string {
  return ended(request).slice(0, -20);
}

/** Returns a task whose fields are all null. */
export function nulls(): Record<string, null> {
  const keys = ["id", "user_id", "created", "status", "duration", "name", "progress", "result"];
  return Object.fromEntries(keys.map((key) => [key, null]));
}

/** Returns a whole response with a JSON body, unless the headers say otherwise. */
export function reply(code: number, text: string, headers: Record<string, string> = {}): string {
  const length = String(new TextEncoder().encode(text).length);
  return head(code, { ...JSON_TYPE, "content-length": length, ...headers }) + text;
}

/** Returns text as one chunk. */
export function chunk(text: string): string {
  return `${new TextEncoder().encode(text).length.toString(16)}\r\n${text}\r\n`;
}

/** Marks the fault of a connection that is refused: no server sees the request. */
export function notServed(): Text {
  return undefined;
}

/** Sends a task one byte at a time. */
export async function trickle(socket: Socket, request: FaultRequest): Promise<Text> {
  await socket.send(head(200, { ...JSON_TYPE, "content-length": "1000000" }));
  for (const byte of ended(request).padEnd(1_000_000)) {
    await socket.send(byte);
    await withTimeout(() => socket.left, { ms: 10, onTimeout: () => {} });
  }
  return undefined;
}

/** A task, and then white space up to 50 MB. */
export async function pour(
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
export function bomb(): Promise<Uint8Array> {
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
