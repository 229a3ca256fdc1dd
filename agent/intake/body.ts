/** Reads a request's body, bounded in memory and in time. */
import type { IncomingMessage } from "node:http";
import type { BodyCoding } from "../../shared/intake/headers.ts";
import type { BodyShare } from "./body-budget.ts";
import type { BodyRead } from "./body-read.ts";
import { ByteBlocks } from "./byte-blocks.ts";
import type { Gunzip } from "./gunzip.ts";

/** Gzip may make what cannot be compressed a little larger. */
const GZIP_OVERHEAD_BYTES = 64 * 1024;
/** A body has this long, and a second more for each so many bytes that have come. */
const GRACE_MS = 10_000;
const BYTES_A_SECOND_MIN = 16 * 1024;

export interface BodyLimit {
  /** Bytes after inflation; inflating stops there. */
  readonly bytesMax: number;
  /** Takes what has come of the body and what that becomes. */
  readonly share: BodyShare;
}

export async function readBody(
  request: IncomingMessage,
  coding: BodyCoding,
  { bytesMax, share }: BodyLimit,
  gunzip: Gunzip,
): Promise<BodyRead> {
  if (coding === "identity") return readRaw(request, { bytesMax, share });
  const raw = await readRaw(request, { bytesMax: bytesMax + GZIP_OVERHEAD_BYTES, share });
  if (raw.kind !== "bytes") return raw;
  const inflated = await gunzip(raw.bytes, bytesMax, share);
  share.give(raw.bytes.length);
  return inflated;
}

/** The body as it is on the wire. */
export function readRaw(request: IncomingMessage, { bytesMax, share }: BodyLimit): Promise<BodyRead> {
  const declared = Number(request.headers["content-length"] ?? Number.NaN);
  if (declared > bytesMax) return Promise.resolve({ kind: "too-large" });
  return new Promise((resolve) => {
    const begun = performance.now();
    const blocks = new ByteBlocks();
    let whole: Uint8Array | null = null;
    let timer = setTimeout(onDeadline, GRACE_MS);
    function end(read: BodyRead): void {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      blocks.drop();
      resolve(read);
    }
    function onDeadline(): void {
      const allowedMs = GRACE_MS + (blocks.length / BYTES_A_SECOND_MIN) * 1000;
      const leftMs = begun + allowedMs - performance.now();
      if (leftMs <= 0) end({ kind: "slow" });
      else timer = setTimeout(onDeadline, leftMs);
    }
    function onData(chunk: Buffer): void {
      if (blocks.length + chunk.length > bytesMax) end({ kind: "too-large" });
      else if (!share.take(chunk.length)) end({ kind: "busy" });
      // Most bodies come in one piece, and need no copy.
      else if (chunk.length === declared) whole = chunk;
      else blocks.add(chunk);
    }
    function onEnd(): void {
      end({ kind: "bytes", bytes: whole ?? blocks.take() });
    }
    function onClose(): void {
      end({ kind: "gone" });
    }
    request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}
