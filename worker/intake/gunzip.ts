/**
 * Inflates gzip with a bound on memory that holds against any input.
 *
 * The runtime's own DecompressionStream inflates each chunk it is given whole before anybody can stop it: 50 KB
 * become 50 MB at once. Here the input is fed in pieces so small that none can make more than a megabyte, and
 * the output is counted after each. Checksum and size of the trailer are compared (RFC 1952, section 2.3).
 */
import { Inflate } from "fflate";
import { BoundedBuffer } from "./bounded-buffer.ts";

export type GunzipOutcome =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "too-large" }
  /** No gzip, cut short, or its trailer tells of other bytes. */
  | { readonly kind: "broken" };

/** Deflate makes at most 1,032 bytes of one. */
const PIECE_BYTES = 1024;
const TRAILER_BYTES = 8;

/** Thrown through fflate, which can be stopped in no other way. */
class TooLarge extends Error {}

export function gunzip(zipped: Uint8Array, bytesMax: number): GunzipOutcome {
  const start = headerLength(zipped);
  const end = zipped.length - TRAILER_BYTES;
  if (start === null || end <= start) return { kind: "broken" };
  const trailer = new DataView(zipped.buffer, zipped.byteOffset + end, TRAILER_BYTES);
  const size = trailer.getUint32(4, true);
  // The size is the sender's word: a guess for the buffer, proven only at the end.
  const output = new BoundedBuffer(size, bytesMax);
  try {
    const inflate = new Inflate((chunk) => {
      if (!output.add(chunk)) throw new TooLarge();
    });
    for (let at = start; at < end; at += PIECE_BYTES) {
      const next = Math.min(at + PIECE_BYTES, end);
      inflate.push(zipped.subarray(at, next), next === end);
    }
  } catch (error) {
    if (error instanceof TooLarge) return { kind: "too-large" };
    // fflate tells what is wrong with a stream by an Error of its own.
    if (error instanceof Error) return { kind: "broken" };
    throw error;
  }
  const bytes = output.bytes();
  const isWhole = bytes.length === size && crc32(bytes) === trailer.getUint32(0, true);
  return isWhole ? { kind: "bytes", bytes } : { kind: "broken" };
}

const FLAG = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;

/** Where the deflate stream begins; null for what is no gzip header. */
function headerLength(bytes: Uint8Array): number | null {
  const flags = bytes[3] ?? 0;
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8 || (flags & FLAG.reserved) !== 0) return null;
  let at = 10;
  if (flags & FLAG.extra) at += 2 + (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
  for (const text of [FLAG.name, FLAG.comment]) {
    if ((flags & text) === 0) continue;
    const zero = bytes.indexOf(0, at);
    if (zero < 0) return null;
    at = zero + 1;
  }
  if (flags & FLAG.headerCrc) at += 2;
  return at <= bytes.length ? at : null;
}

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** CRC-32 as gzip uses it (ISO 3309), unsigned. */
function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  return ~crc >>> 0;
}
