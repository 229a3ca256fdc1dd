/** Reads and inflates a request body, never holding more than the limit. */
import type { BodyCoding } from "../../shared/intake/headers.ts";
import { BoundedBuffer } from "./bounded-buffer.ts";
import { gunzip } from "./gunzip.ts";

export type ReadOutcome =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** More than the limit; the rest was neither inflated nor read. */
  | { readonly kind: "too-large" }
  /** Not gzip, a bad checksum, a cut-off stream, or bytes after its end. */
  | { readonly kind: "broken" };

/** @param bytesMax of the body as sent, and again after inflation. */
export async function readBody(
  body: ReadableStream<Uint8Array> | null,
  coding: BodyCoding,
  bytesMax: number,
): Promise<ReadOutcome> {
  if (body === null) return { kind: "bytes", bytes: new Uint8Array(0) };
  const read = await collect(body, bytesMax);
  return read.kind === "bytes" && coding === "gzip" ? gunzip(read.bytes, bytesMax) : read;
}

const CHUNK_BYTES = 65_536;

/**
 * Reads a stream through one buffer, again and again: chunks of the stream's own making would be garbage that
 * the engine is in no hurry to collect.
 */
async function collect(stream: ReadableStream<Uint8Array>, bytesMax: number): Promise<ReadOutcome> {
  const reader = stream.getReader({ mode: "byob" });
  let scratch = new ArrayBuffer(CHUNK_BYTES);
  const body = new BoundedBuffer(CHUNK_BYTES, bytesMax);
  try {
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(scratch));
      if (value !== undefined && !body.add(value)) {
        await reader.cancel();
        return { kind: "too-large" };
      }
      if (done) return { kind: "bytes", bytes: body.bytes() };
      scratch = value.buffer;
    }
  } catch (error) {
    // A sender that hangs up half-way is gone; nothing of its body may be taken.
    if (error instanceof Error) return { kind: "broken" };
    throw error;
  }
}
