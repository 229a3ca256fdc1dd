/** Reads and inflates a request body, never holding more than the limit. */
import type { BodyCoding } from "../../shared/intake/headers.ts";

export type ReadOutcome =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** More than the limit; the rest was neither inflated nor read. */
  | { readonly kind: "too-large" }
  /** Not gzip, a bad checksum, a cut-off stream, or bytes after its end. */
  | { readonly kind: "broken" };

/**
 * @param bytesMax after inflation; a body that inflates past it is cut off there, so a small bomb stays small.
 */
export async function readBody(
  body: ReadableStream<Uint8Array> | null,
  coding: BodyCoding,
  bytesMax: number,
): Promise<ReadOutcome> {
  if (body === null) return { kind: "bytes", bytes: new Uint8Array(0) };
  const inflated = coding === "gzip" ? body.pipeThrough(new DecompressionStream("gzip")) : body;
  const reader = inflated.getReader();
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { kind: "bytes", bytes: joined(chunks, total) };
      total += value.length;
      if (total > bytesMax) {
        await reader.cancel();
        return { kind: "too-large" };
      }
      chunks.push(value);
    }
  } catch (error) {
    // Whatever ends a body early, its sender's gzip or its connection, nothing of it may be taken.
    if (error instanceof Error) return { kind: "broken" };
    throw error;
  }
}

function joined(chunks: readonly Uint8Array[], total: number): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
