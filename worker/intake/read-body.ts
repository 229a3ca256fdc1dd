/** Reads and inflates a request body, never holding more than the limit, nor anything that it has no room for. */
import { gzipSizeTold } from "../../shared/intake/gzip-size.ts";
import type { BodyCoding } from "../../shared/intake/headers.ts";
import type { Room } from "./admission.ts";
import { bodyWeight } from "./body-weight.ts";
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
  const length = declared === null ? null : Number(declared);
  if (length !== null && length > bytesMax) {
    // Said to whoever sends it, so that no more of it comes than is on its way.
    await stream?.cancel();
    return TOO_LARGE;
  }
  const read = stream === null ? NOTHING : await collect(stream, { length, bytesMax }, room);
  if (read.kind !== "bytes") return read;
  return coding === "gzip" ? inflate(read.bytes, bytesMax, room) : whenInTurn(read, room);
}

const NOTHING: ReadOutcome = { kind: "bytes", bytes: new Uint8Array(0) };
const TOO_LARGE: ReadOutcome = { kind: "too-large" };
const BUSY: ReadOutcome = { kind: "busy" };

async function whenInTurn(read: ReadOutcome & { kind: "bytes" }, room: Room): Promise<ReadOutcome> {
  return (await room.work(bodyWeight(read.bytes))) ? read : BUSY;
}

/** A zipped body waits as it came, and is inflated in its turn. */
async function inflate(zipped: Uint8Array, bytesMax: number, room: Room): Promise<ReadOutcome> {
  const told = Math.min(gzipSizeTold(zipped) ?? 0, bytesMax);
  if (!(await room.work(told + Math.min(told, EVENTS_BYTES)))) return BUSY;
  return gunzip(zipped, bytesMax);
}

/** What the events of a body that was not looked into may weigh beside its bytes. */
const EVENTS_BYTES = 400_000;

/** Bytes that a body is read into at first; less where its length is known to be. */
const FIRST_BYTES = 16_384;
/** How often a body that does not come is asked whether it still has its room. */
const LOOK_MS = 500;

/**
 * Reads a stream into one buffer, which grows as it fills and as there is room. A chunk of the stream's own making
 * would be garbage that the engine is in no hurry to collect.
 */
async function collect(
  stream: ReadableStream<Uint8Array>,
  { length, bytesMax }: { readonly length: number | null; readonly bytesMax: number },
  room: Room,
): Promise<ReadOutcome> {
  // One byte more, by which the end is seen, or that there is more.
  const most = (length ?? bytesMax) + 1;
  const reader = stream.getReader({ mode: "byob" });
  const give = async (outcome: ReadOutcome) => {
    await reader.cancel();
    return outcome;
  };
  let buffer = new ArrayBuffer(0);
  let filled = 0;
  try {
    for (;;) {
      if (filled > bytesMax) return await give(TOO_LARGE);
      if (filled === buffer.byteLength) {
        const grown = Math.min(most, Math.max(FIRST_BYTES, 2 * filled));
        if (!(await room.hold(grown - filled, most))) return await give(BUSY);
        // The old one's memory is free at once, without the collector.
        buffer = buffer.transfer(grown);
      }
      const read = await whileHeld(reader.read(new Uint8Array(buffer, filled)), room);
      if (read === null) return await give(BUSY);
      if (read.value !== undefined) {
        buffer = read.value.buffer;
        filled += read.value.length;
      }
      if (read.done) return { kind: "bytes", bytes: new Uint8Array(buffer, 0, filled) };
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
