/** Reads and inflates a request body, never holding more than the limit, nor anything that it has no room for. */
import { gzipSizeTold } from "../../shared/intake/gzip-size.ts";
import type { BodyCoding } from "../../shared/intake/headers.ts";
import type { Room } from "./admission.ts";
import { BoundedBuffer } from "./bounded-buffer.ts";
import { gunzip } from "./gunzip.ts";

export type ReadOutcome =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** More than the limit; the rest was neither inflated nor read. */
  | { readonly kind: "too-large" }
  /** Not gzip, a bad checksum, a cut-off stream, or bytes after its end. */
  | { readonly kind: "broken" }
  /** No room for it among the others, or it came too slowly for them. */
  | { readonly kind: "busy" };

export interface SentBody {
  readonly stream: ReadableStream<Uint8Array> | null;
  readonly coding: BodyCoding;
  /** The Content-Length as it was sent; null where there is none. */
  readonly declared: string | null;
}

/**
 * Reads a body and waits until it may be worked on.
 * @param bytesMax of the body as sent, and again after inflation.
 */
export async function readBody(
  { stream, coding, declared }: SentBody,
  bytesMax: number,
  room: Room,
): Promise<ReadOutcome> {
  if (Number(declared ?? 0) > bytesMax) {
    // Said to whoever sends it, so that no more of it comes than is on its way.
    await stream?.cancel();
    return TOO_LARGE;
  }
  const read = stream === null ? NOTHING : await collect(stream, bytesMax, room);
  if (read.kind !== "bytes") return read;
  const size = coding === "gzip" ? Math.min(gzipSizeTold(read.bytes) ?? 0, bytesMax) : read.bytes.length;
  if (!(await room.work(size))) return BUSY;
  return coding === "gzip" ? gunzip(read.bytes, bytesMax) : read;
}

const NOTHING: ReadOutcome = { kind: "bytes", bytes: new Uint8Array(0) };
const TOO_LARGE: ReadOutcome = { kind: "too-large" };
const BUSY: ReadOutcome = { kind: "busy" };

const CHUNK_BYTES = 65_536;
/** How often a body that does not come is asked whether it still has its room. */
const LOOK_MS = 500;

/**
 * Reads a stream through one buffer, again and again: chunks of the stream's own making would be garbage that
 * the engine is in no hurry to collect.
 */
async function collect(stream: ReadableStream<Uint8Array>, bytesMax: number, room: Room): Promise<ReadOutcome> {
  const reader = stream.getReader({ mode: "byob" });
  let scratch = new ArrayBuffer(CHUNK_BYTES);
  const body = new BoundedBuffer(CHUNK_BYTES, bytesMax);
  const give = async (outcome: ReadOutcome) => {
    await reader.cancel();
    return outcome;
  };
  try {
    for (;;) {
      const read = await whileHeld(reader.read(new Uint8Array(scratch)), room);
      if (read === null) return await give(BUSY);
      const { done, value } = read;
      if (value !== undefined && value.length > 0) {
        if (!(await room.hold(value.length))) return await give(BUSY);
        if (!body.add(value)) return await give(TOO_LARGE);
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

/** Null where the room is gone before anything comes. */
async function whileHeld<T>(coming: Promise<T>, room: Room): Promise<T | null> {
  for (;;) {
    const { promise: late, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(resolve, LOOK_MS, null);
    const first = await Promise.race([coming, late]).finally(() => clearTimeout(timer));
    if (first !== null) return first;
    if (!room.isHeld()) return null;
  }
}
