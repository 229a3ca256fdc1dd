/**
 * Inflates gzip with a bound on memory that holds against any input: the runtime's own zlib stops at its first byte beyond
 * the bound, where a DecompressionStream inflates each chunk whole before anybody can stop it (50 KB became 50 MB).
 * Checksum and size are compared (RFC 1952, section 2.3). One member is taken, with nothing behind it, as at the agent.
 */
import { gunzipSync } from "node:zlib";
import { gzipSizeTold } from "../../shared/intake/gzip-size.ts";

export type GunzipOutcome =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "too-large" }
  /** No gzip, cut short, or not what its trailer tells of. */
  | { readonly kind: "broken" };

/** With `info`. */
interface Inflated {
  readonly buffer: Uint8Array;
  /** Its bytesWritten: those of the input that were used. */
  readonly engine: { readonly bytesWritten: number };
}

/** Deflate makes nothing smaller than a 1032nd (zlib's technical details). */
const DEFLATE_RATIO_MAX = 1032;
/** zlib's own least chunk; one chunk holds all that is told of, and the one byte by which a lie is found. */
const CHUNK_BYTES_MIN = 64;

export function gunzip(zipped: Uint8Array, bytesMax: number): GunzipOutcome {
  const told = gzipSizeTold(zipped);
  if (told === null) return { kind: "broken" };
  // Not inflated at all: many bombs at once would each take what is allowed. A size that no gzip of this length has is a lie.
  if (told > bytesMax) return { kind: told <= zipped.length * DEFLATE_RATIO_MAX ? "too-large" : "broken" };
  const most = Math.max(1, told);
  try {
    const options = { maxOutputLength: most, chunkSize: Math.max(CHUNK_BYTES_MIN, most + 1), info: true } as const;
    const { buffer, engine } = gunzipSync(zipped, options) as unknown as Inflated;
    // zlib inflates several members, whose sizes the last trailer does not add up, and passes over zeros behind the end.
    const isWhole = buffer.length === told && engine.bytesWritten === zipped.length;
    return isWhole ? { kind: "bytes", bytes: buffer } : { kind: "broken" };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // What goes beyond the size that it tells itself is a lie, not a large body.
    return { kind: "broken" };
  }
}
