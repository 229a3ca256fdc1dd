/** Reads a request's body, bounded in memory, and inflates it off the main thread. */
import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { BodyCoding } from "../../shared/intake/headers.ts";
import type { BodyShare } from "./body-budget.ts";

export type BodyRead =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "too-large" }
  | { readonly kind: "bad-gzip"; readonly message: string }
  /** With it there would be more in memory than is allowed, over all clients. */
  | { readonly kind: "busy" }
  /** The client left before its body was whole. */
  | { readonly kind: "gone" };

/** A header, an empty block, a checksum and a size (RFC 1952). */
const GZIP_BYTES_MIN = 18;
/** Gzip may make what cannot be compressed a little larger. */
const GZIP_OVERHEAD_BYTES = 64 * 1024;

const gunzipAsync = promisify<Uint8Array, object, Buffer>(gunzip);

/**
 * @param bytesMax bytes after inflation; inflating stops there.
 * @param share takes what the body needs in memory; what is declared of it was taken before.
 */
export async function readBody(
  request: IncomingMessage,
  coding: BodyCoding,
  bytesMax: number,
  share: BodyShare,
): Promise<BodyRead> {
  const wireMax = coding === "gzip" ? bytesMax + GZIP_OVERHEAD_BYTES : bytesMax;
  const raw = await readRaw(request, wireMax, share);
  return raw.kind === "bytes" && coding === "gzip" ? inflate(raw.bytes, bytesMax, share) : raw;
}

async function inflate(bytes: Uint8Array, bytesMax: number, share: BodyShare): Promise<BodyRead> {
  if (bytes.length < GZIP_BYTES_MIN) return BAD_GZIP;
  const told = sizeTold(bytes);
  const most = Math.min(told, bytesMax);
  if (!share.take(most)) return { kind: "busy" };
  try {
    const inflated = await gunzipAsync(bytes, { maxOutputLength: Math.max(1, most) });
    // Node inflates a second member too and passes over what follows the last; the edge takes one, and nothing behind it.
    return told === inflated.length ? { kind: "bytes", bytes: inflated } : BAD_GZIP;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // More than it says comes out of a broken one only.
    const isCutOff = "code" in error && error.code === "ERR_BUFFER_TOO_LARGE";
    return isCutOff && told > bytesMax ? { kind: "too-large" } : BAD_GZIP;
  }
}

const BAD_GZIP = { kind: "bad-gzip", message: "the body ended early or is not valid gzip" } as const;

/** The size after inflation that a gzip member ends with (RFC 1952, section 2.3.1). */
function sizeTold(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.byteLength - 4, true);
}

function readRaw(request: IncomingMessage, bytesMax: number, share: BodyShare): Promise<BodyRead> {
  const declared = request.headers["content-length"];
  if (Number(declared ?? 0) > bytesMax) return Promise.resolve({ kind: "too-large" });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (read: BodyRead) => {
      request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      // The rest of a refused body is read and dropped: closing on a client that still sends would cost it
      // our answer. The server's request timeout bounds that.
      request.resume();
      resolve(read);
    };
    const onData = (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) end({ kind: "too-large" });
      else if (declared === undefined && !share.take(chunk.length)) end({ kind: "busy" });
      else chunks.push(chunk);
    };
    const onEnd = () =>
      end({ kind: "bytes", bytes: chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks) });
    const onClose = () => end({ kind: "gone" });
    request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}
