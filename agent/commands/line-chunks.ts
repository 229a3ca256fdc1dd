/** Cuts a byte stream into chunks of whole lines, with their numbers, in constant memory. */
import type { Readable } from "node:stream";
import { endOfLines, splitLines } from "../intake/lines.ts";

export interface LineChunk {
  readonly lines: readonly Uint8Array[];
  /** Number of the first line, from 1. */
  readonly firstLine: number;
  /** Bytes of the chunk, newlines included. */
  readonly bytes: number;
}

/** Bytes handed on in one go; a chunk is one append to the log. */
const CHUNK_BYTES = 1024 * 1024;
/** A line longer than this is no event, and is not read to its end. */
const LINE_BYTES_MAX = 2_000_000;
const LINES_MAX = 10_000;

/** The last line counts without a newline too. Throws RangeError for a line that is longer than any event. */
export async function* readLineChunks(stream: Readable): AsyncGenerator<LineChunk> {
  let rest: Buffer = Buffer.alloc(0);
  let firstLine = 1;
  for await (const part of stream) {
    rest = Buffer.concat([rest, part as Buffer]);
    const end = endOfLines(rest);
    if (rest.length - end > LINE_BYTES_MAX) throw new RangeError(`a line has more than ${LINE_BYTES_MAX} bytes`);
    if (end < CHUNK_BYTES) continue;
    const chunks = cut(rest.subarray(0, end), firstLine);
    yield* chunks;
    firstLine += chunks.reduce((sum, chunk) => sum + chunk.lines.length, 0);
    rest = rest.subarray(end);
  }
  yield* cut(rest, firstLine);
}

function cut(bytes: Buffer, firstLine: number): LineChunk[] {
  const lines = splitLines(bytes);
  const chunks: LineChunk[] = [];
  for (let from = 0; from < lines.length; ) {
    let size = 0;
    let to = from;
    while (to < lines.length && to - from < LINES_MAX) {
      const next = (lines[to]?.length ?? 0) + 1;
      if (to > from && size + next > CHUNK_BYTES) break;
      size += next;
      to++;
    }
    chunks.push({ lines: lines.slice(from, to), firstLine: firstLine + from, bytes: size });
    from = to;
  }
  return chunks;
}
