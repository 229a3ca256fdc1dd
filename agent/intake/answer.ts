/** Writes answers: JSON, a request id on each, gzipped where the caller asks and it is worth it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import { acceptsGzip } from "../../shared/accept-encoding.ts";
import { isTrackId } from "../../shared/intake/headers.ts";
import { HEADER } from "../../shared/wire.ts";

const gzipAsync = promisify<Uint8Array, object, Buffer>(gzip);

/** For so long what a refused client still sends is read and dropped. */
export const LINGER_MS = 1_000;
/** A client has this long to take its answer. */
const ANSWER_MS = 60_000;

/** Answers up to this many bytes go out as they are. */
const PLAIN_BYTES_MAX = 1000;

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object becomes JSON; a text, its pieces and bytes go out as they are, their type in `headers`. */
  readonly body: object | string | Uint8Array | Generator<string>;
  /** Called once it is out, or its client has gone. */
  readonly sent?: () => void;
  /** Called once it is out, those before it in its connection too, or its connection is closed. */
  readonly closed?: () => void;
}

/** @returns null where it is out already, as most answers are: a promise for each would cost more than its writing. */
export function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  answer: Answer,
): Promise<void> | null {
  const { status, headers, body } = answer;
  if (isPieces(body)) return sendPieces(request, response, requestId, { ...answer, body });
  const plain = textOrBytes(body);
  const bytes = Buffer.byteLength(plain);
  const isSmall = bytes <= PLAIN_BYTES_MAX && (status < 400 || request.complete);
  if (!isSmall)
    return sendLarge(request, response, headOf(request, requestId, headers), { status, body: plain, bytes });
  if (response.destroyed) return null;
  const head = headOf(request, requestId, headers);
  head.push("content-length", String(bytes));
  // In one piece with its head.
  response.writeHead(status, head).end(plain);
  return whenOut(request, response);
}

interface LargeAnswer {
  readonly status: number;
  readonly body: string | Uint8Array;
  readonly bytes: number;
}

/** One that may be worth packing, or whose request is still coming. */
async function sendLarge(
  request: IncomingMessage,
  response: ServerResponse,
  head: string[],
  { status, body: plain, bytes }: LargeAnswer,
): Promise<void> {
  const isLong = typeof plain === "string" && bytes > PLAIN_BYTES_MAX;
  const zipped = isLong && acceptsGzip(request.headers[HEADER.acceptEncoding]?.toString());
  // A text goes out in one piece with its head, bytes in a piece of their own.
  const body = zipped ? await gzipAsync(Buffer.from(plain), { level: constants.Z_BEST_SPEED }) : plain;
  if (response.destroyed) return;
  if (isLong) head.push("vary", "accept-encoding");
  if (zipped) head.push(HEADER.contentEncoding, "gzip");
  head.push("content-length", String(zipped ? body.length : bytes));
  response.writeHead(status, head);
  if (status >= 400 && !request.complete) await restDropped(request, response, body);
  else response.end(body);
  await whenOut(request, response);
}

/** Names and values by turns; a header of the answer's own stands in the place of ours. */
function headOf(
  { headers: sent }: IncomingMessage,
  requestId: string,
  headers: Answer["headers"] = NO_HEADERS,
): string[] {
  const head: string[] = [];
  for (const name of Object.keys(headers)) head.push(name, headers[name] ?? "");
  const add = (name: string, value: string) => void (headers[name] === undefined && head.push(name, value));
  add(HEADER.contentType, "application/json");
  add(HEADER.requestId, requestId);
  const trackId = sent[HEADER.trackId];
  if (typeof trackId === "string" && isTrackId(trackId)) add(HEADER.trackId, trackId);
  return head;
}

const NO_HEADERS: Readonly<Record<string, string>> = {};

/** Waits until a client has taken its answer, or for too long; null where most of it is out at once. */
function whenOut(request: IncomingMessage, response: ServerResponse): Promise<void> | null {
  if (response.closed || request.socket.writableLength === 0) return null;
  return new Promise((resolve) => {
    const cut = setTimeout(() => request.socket.destroy(), ANSWER_MS);
    response.once("close", () => {
      clearTimeout(cut);
      resolve();
    });
  });
}

/**
 * Answers a request that is still coming, drops what comes of it for a moment, then closes its connection: closing on a
 * client that sends would cost it the answer, and one that goes on sending would hold the connection.
 */
async function restDropped(
  request: IncomingMessage,
  response: ServerResponse,
  body: string | Uint8Array,
): Promise<void> {
  response.write(body);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, LINGER_MS);
    request.once("close", resolve).once("end", resolve).resume();
    response.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
  response.end();
}

function isPieces(body: Answer["body"]): body is Generator<string> {
  return typeof body === "object" && Symbol.iterator in body && !(body instanceof Uint8Array) && !Array.isArray(body);
}

/** Writes an answer no faster than its client reads it. */
async function sendPieces(
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  { status, headers, body }: Answer & { readonly body: Generator<string> },
): Promise<void> {
  if (response.destroyed) return;
  response.writeHead(status, headOf(request, requestId, headers));
  const cut = setTimeout(() => request.socket.destroy(), ANSWER_MS);
  // A client that has gone reads nothing more, and is no failure here.
  await pipeline(Readable.from(body, { objectMode: true, highWaterMark: 1 }), response).catch(() => undefined);
  clearTimeout(cut);
}

function textOrBytes(body: Exclude<Answer["body"], Generator<string>>): string | Uint8Array {
  return body instanceof Uint8Array || typeof body === "string" ? body : JSON.stringify(body);
}
