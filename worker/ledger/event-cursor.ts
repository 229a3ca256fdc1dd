/**
 * Where a list of events goes on: a mark for each stream that it has read from. Within a stream batches are read by
 * `seq`, which rises with every commit; an order over several streams, drawn before the commits, would let one that
 * came late slip behind the cursor. A stream without a mark is read from its beginning.
 */
import { toHex } from "../../shared/identity.ts";
import { sha256OfText } from "../../shared/sha256.ts";

/** The next entry to read of a stream. */
export interface Mark {
  readonly seq: number;
  readonly entry: number;
}

/** By {@link streamMark}. */
export type EventCursor = ReadonlyMap<string, Mark>;

export const BEGINNING: EventCursor = new Map();

/** Ten hex digits that stand for a stream in a cursor; a name may be 256 characters long. */
export function streamMark(stream: string): string {
  return toHex(sha256OfText(stream).subarray(0, 5));
}

/** @returns `STREAM.SEQ.ENTRY`, joined by `~`; numbers to base 36, an entry 0 left out. */
export function cursorText(cursor: EventCursor): string {
  return [...cursor]
    .map(([stream, { seq, entry }]) =>
      [stream, seq.toString(36), ...(entry === 0 ? [] : [entry.toString(36)])].join("."),
    )
    .join("~");
}

const MARK = /^([0-9a-f]{10})\.([0-9a-z]{1,11})(?:\.([0-9a-z]{1,6}))?$/;

/** @returns null for a text that {@link cursorText} never gives. */
export function parseCursor(text: string): EventCursor | null {
  const marks = new Map<string, Mark>();
  for (const part of text.split("~")) {
    const [, stream, seqText, entryText = "0"] = MARK.exec(part) ?? [];
    if (stream === undefined || seqText === undefined) return null;
    const seq = Number.parseInt(seqText, 36);
    if (seq > Number.MAX_SAFE_INTEGER) return null;
    marks.set(stream, { seq, entry: Number.parseInt(entryText, 36) });
  }
  return marks;
}
