/**
 * Inflates gzip with a bound on memory that holds against any input, as at the edge: one member is taken, with nothing behind
 * it, so that its own trailer tells what the body becomes, and room is taken for that before a byte is inflated.
 */
import { promisify } from "node:util";
import { gunzip, gunzipSync } from "node:zlib";
import { gzipSizeTold } from "../../shared/intake/gzip-size.ts";
import type { BodyShare } from "./body-budget.ts";
import type { BodyRead } from "./body-read.ts";

export type Gunzip = (zipped: Uint8Array, bytesMax: number, share: BodyShare) => Promise<BodyRead>;

/** With `info`. */
interface Inflated {
  readonly buffer: Uint8Array;
  /** Its bytesWritten: those of the input that were used. */
  readonly engine: { readonly bytesWritten: number };
}

/** As many as there are threads for it: one that waits for a thread takes memory for nothing. */
const AT_ONCE_MAX = 4;
/** Less than this is inflated at once: handing it to another thread would cost more. */
const SMALL_BYTES_MAX = 64 * 1024;
/** Deflate makes nothing smaller than a 1032nd (zlib's technical details). */
const DEFLATE_RATIO_MAX = 1032;
/** zlib's own least chunk; one chunk holds all that is told of, and the one byte by which a lie is found. */
const CHUNK_BYTES_MIN = 64;

const BAD_GZIP = { kind: "bad-gzip", message: "the body ended early or is not valid gzip" } as const;

const gunzipAsync = promisify<Uint8Array, object, unknown>(gunzip);

/** @returns what inflates a few large bodies at once, the others in turn. */
export function createGunzipQueue(): Gunzip {
  const waiting: (() => void)[] = [];
  let running = 0;
  const inTurn = async (zipped: Uint8Array, options: object): Promise<unknown> => {
    if (running >= AT_ONCE_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await gunzipAsync(zipped, options);
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
  return async function gunzipBody(zipped, bytesMax, share) {
    const told = gzipSizeTold(zipped);
    if (told === null) return BAD_GZIP;
    // A size that no gzip of this length has is a lie.
    if (told > bytesMax) return told <= zipped.length * DEFLATE_RATIO_MAX ? { kind: "too-large" } : BAD_GZIP;
    // Before a thread is waited for: whoever has one of them waits for nothing else.
    if (!(await share.wait(told))) return { kind: "busy" };
    const most = Math.max(1, told);
    const options = { maxOutputLength: most, chunkSize: Math.max(CHUNK_BYTES_MIN, most + 1), info: true };
    try {
      const isSmall = told <= SMALL_BYTES_MAX && zipped.length <= SMALL_BYTES_MAX;
      const found = isSmall ? gunzipSync(zipped, options) : await inTurn(zipped, options);
      const { buffer, engine } = found as unknown as Inflated;
      // zlib inflates several members, whose sizes the last trailer does not add up, and passes over zeros behind the end.
      const isWhole = buffer.length === told && engine.bytesWritten === zipped.length;
      return isWhole ? { kind: "bytes", bytes: buffer } : BAD_GZIP;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return BAD_GZIP;
    }
  };
}
