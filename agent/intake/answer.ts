/** Writes answers: JSON, a request id on each, gzipped where the caller asks and it is worth it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { constants, gzip } from "node:zlib";
import { acceptsGzip } from "../../shared/accept-encoding.ts";
import { isTrackId } from "../../shared/intake/headers.ts";
import { HEADER } from "../../shared/wire.ts";

const gzipAsync = promisify<Uint8Array, object, Buffer>(gzip);

/** Answers up to this many bytes go out as they are. */
const PLAIN_BYTES_MAX = 1000;

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object becomes JSON; a text and bytes go out as they are, their type in `headers`. */
  readonly body: object | string | Uint8Array;
}

export async function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  answer: Answer,
): Promise<void> {
  const isOurs = !(answer.body instanceof Uint8Array);
  const plain = bytesOf(answer.body);
  const isLong = isOurs && plain.length > PLAIN_BYTES_MAX;
  const zipped = isLong && acceptsGzip(request.headers[HEADER.acceptEncoding]?.toString());
  const body = zipped ? await gzipAsync(plain, { level: constants.Z_BEST_SPEED }) : plain;
  if (response.destroyed) return;
  response.writeHead(answer.status, {
    [HEADER.contentType]: "application/json",
    [HEADER.requestId]: requestId,
    ...echoedTrackId(request),
    ...answer.headers,
    ...(isLong ? { vary: "accept-encoding" } : {}),
    ...(zipped ? { [HEADER.contentEncoding]: "gzip" } : {}),
    "content-length": String(body.length),
  });
  response.end(body);
}

function bytesOf(body: Answer["body"]): Uint8Array {
  if (body instanceof Uint8Array) return body;
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body), "utf8");
}

function echoedTrackId(request: IncomingMessage): Record<string, string> {
  const trackId = request.headers[HEADER.trackId];
  return typeof trackId === "string" && isTrackId(trackId) ? { [HEADER.trackId]: trackId } : {};
}
