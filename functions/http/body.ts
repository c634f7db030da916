// Not hono/body-limit: trusts content-length, rebuilds the Request, has no deadline.
/** Request bodies: JSON of up to 20 kB, read within a deadline. */
import { HttpProblem, invalidRequest } from "./problem.ts";
import { raceCaller } from "./caller_race.ts";

const MAX_REQUEST_BYTES = 20_000;
const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * Checks that the headers declare plain JSON, before the body is read.
 *
 * @throws {HttpProblem} `unsupported-media-type`
 */
export function checkContentType(headers: Headers): void {
  const options = { headers: { "accept": "application/json" } };
  if (headers.has("content-encoding")) {
    throw new HttpProblem("unsupported-media-type", "Content-Encoding is not supported", options);
  }
  if (
    !/^(application\/json|[\w.-]+\/[\w.+-]+\+json)\s*(;|$)/i.test(headers.get("content-type") ?? "")
  ) {
    throw new HttpProblem(
      "unsupported-media-type",
      "Content-Type must be application/json",
      options,
    );
  }
}

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<ArrayBuffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > MAX_REQUEST_BYTES) throw tooLarge();
    chunks.push(value);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes.buffer;
}

function tooLarge(body?: ReadableStream | null): HttpProblem {
  body?.cancel().catch(() => {});
  return new HttpProblem("content-too-large", `the body is over ${MAX_REQUEST_BYTES} bytes`);
}

/** Options of {@linkcode readBody}. */
export interface ReadBodyOptions {
  /** Deadline for the whole body, in ms. */
  timeout: number;
  /**
   * `true` if the request arrived over a connection of this process: the server has checked its declared
   * length. A constructed `Request` may declare any length.
   */
  connected: boolean;
}

/**
 * Reads the body and stops at the size limit, whatever the declared length.
 *
 * @throws {HttpProblem} `content-too-large`, `request-timeout`, or `invalid-request` when the connection
 * breaks
 */
export async function readBody(
  request: Request,
  { timeout, connected }: ReadBodyOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { headers } = request;
  const caller = { request, connected };
  const onTimeout = () => {
    throw new HttpProblem("request-timeout", `the body did not arrive within ${timeout} ms`);
  };
  const length = headers.get("content-length");
  // Deno passes on a content-length next to transfer-encoding, which then decides the real length
  const isDeclared = length !== null && !headers.has("transfer-encoding") &&
    !headers.has("content-encoding");
  if (Number(length) > MAX_REQUEST_BYTES) throw tooLarge(request.body);
  // reading the stream ourselves costs about 40 µs more than `arrayBuffer()`
  const whole = connected && isDeclared;
  const reader = whole ? undefined : request.body?.getReader();
  if (!whole && !reader) return new Uint8Array();
  const body = reader ? readAll(reader) : request.arrayBuffer();
  try {
    return new Uint8Array(await raceCaller(body, { caller, ms: timeout, onTimeout }));
  } catch (error) {
    reader?.cancel().catch(() => {});
    if (error instanceof HttpProblem || request.signal.aborted) throw error;
    throw invalidRequest([{ pointer: "#", detail: "the body is incomplete" }]);
  }
}

/**
 * Parses JSON.
 *
 * @throws {HttpProblem} `invalid-request`
 */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    throw invalidRequest([{ pointer: "#", detail: "the body is not JSON in UTF-8" }]);
  }
}
