/** Reads a call's body off the socket, inflated, within bounds. */
import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

const inflate = promisify(gunzip);

/** Beyond this the twin stops listening to a body that it has long refused. */
const WIRE_BYTES_MAX = 64_000_000;

export type CallBody =
  | {
      readonly kind: "body";
      /** Inflated. */
      readonly bytes: Buffer;
      readonly wireBytes: number;
      readonly gzip: boolean;
    }
  | { readonly kind: "too-large"; readonly wireBytes: number }
  | { readonly kind: "bad-coding"; readonly wireBytes: number; readonly message: string };

/** @param bytesMax bytes after inflation. Throws when the client hangs up half-way. */
export async function readCallBody(request: IncomingMessage, bytesMax: number): Promise<CallBody> {
  const coding = (request.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  const wire = await collect(request, bytesMax);
  if (wire.kind === "too-large") return wire;
  const { bytes } = wire;
  if (coding === "identity" || coding === "") {
    return { kind: "body", bytes, wireBytes: bytes.length, gzip: false };
  }
  if (coding !== "gzip") {
    return { kind: "bad-coding", wireBytes: bytes.length, message: `content encoding ${coding} is not accepted` };
  }
  try {
    const inflated = await inflate(bytes, { maxOutputLength: bytesMax });
    return { kind: "body", bytes: inflated, wireBytes: bytes.length, gzip: true };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_BUFFER_TOO_LARGE") {
      return { kind: "too-large", wireBytes: bytes.length };
    }
    return { kind: "bad-coding", wireBytes: bytes.length, message: "the body is not gzip" };
  }
}

type WireBody = { readonly kind: "wire"; readonly bytes: Buffer } | { readonly kind: "too-large"; wireBytes: number };

/**
 * Collects the bytes as sent. A body over the limit is read on to its end, unkept, so that the client has
 * finished writing and can read its 413.
 */
async function collect(request: IncomingMessage, bytesMax: number): Promise<WireBody> {
  const chunks: Buffer[] = [];
  let wireBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    wireBytes += chunk.length;
    if (wireBytes > WIRE_BYTES_MAX) break;
    if (wireBytes <= bytesMax) chunks.push(chunk);
  }
  return wireBytes > bytesMax ? { kind: "too-large", wireBytes } : { kind: "wire", bytes: Buffer.concat(chunks) };
}
