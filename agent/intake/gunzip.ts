/**
 * Inflates gzip off the main thread, counted as it grows. One member is taken, with nothing behind it, as at the edge:
 * what a body becomes is then told by its own trailer.
 */
import { createGunzip } from "node:zlib";
import { gzipSizeTold } from "../../shared/intake/gzip-size.ts";
import type { BodyShare } from "./body-budget.ts";
import type { BodyRead } from "./body-read.ts";
import { ByteBlocks } from "./byte-blocks.ts";

export type Gunzip = (zipped: Uint8Array, bytesMax: number, share: BodyShare) => Promise<BodyRead>;

/** As many as there are threads for it: a stream that waits for one takes memory for nothing. */
const AT_ONCE_MAX = 4;

/** @returns what inflates a few bodies at once, the others in turn. */
export function createGunzipQueue(): Gunzip {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async function gunzipInTurn(zipped, bytesMax, share) {
    if (running >= AT_ONCE_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await gunzip(zipped, bytesMax, share);
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}

const BAD_GZIP = { kind: "bad-gzip", message: "the body ended early or is not valid gzip" } as const;

async function gunzip(zipped: Uint8Array, bytesMax: number, share: BodyShare): Promise<BodyRead> {
  const stream = createGunzip();
  const inflated = new ByteBlocks();
  let refusal: BodyRead | null = null;
  stream.on("data", (piece: Buffer) => {
    if (inflated.length + piece.length > bytesMax) refusal = { kind: "too-large" };
    else if (!share.take(piece.length)) refusal = { kind: "busy" };
    else inflated.add(piece);
    if (refusal !== null) stream.destroy();
  });
  const isSound = await new Promise<boolean>((resolve) => {
    stream.on("error", () => resolve(false)).on("close", () => resolve(!stream.errored));
    stream.end(zipped);
  });
  // Zeros behind the last member are passed over, but not as read; of several, the last tells of its own size alone.
  const isWhole = isSound && stream.bytesWritten === zipped.length && inflated.length === gzipSizeTold(zipped);
  if (refusal === null && isWhole) return { kind: "bytes", bytes: inflated.take() };
  inflated.drop();
  return refusal ?? BAD_GZIP;
}
