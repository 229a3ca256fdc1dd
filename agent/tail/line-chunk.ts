/** Whole lines of a followed file, a bounded run of them at a time. */
import { endOfLines, splitLines } from "../intake/lines.ts";
import type { ByteSource } from "./byte-source.ts";

export interface LineChunk {
  readonly lines: readonly Uint8Array[];
  /** Bytes of the lines with their newlines. */
  readonly bytes: number;
  /** The last bytes of the run, by which a file that changed meanwhile is found out. */
  readonly end: Buffer;
}

const CHUNK_BYTES = 1024 * 1024;
/** Of a line without end this much is looked at; it is no event, and is quarantined cut off. */
const LINE_BYTES_MAX = 2 * 1024 * 1024;
const LINES_MAX = 10_000;
const END_BYTES = 1024;

/** Whole lines from `offset` on; null where there is none yet. */
export async function readLineChunk(source: ByteSource, offset: number): Promise<LineChunk | null> {
  for (const wanted of [CHUNK_BYTES, LINE_BYTES_MAX]) {
    const bytes = await source.read(offset, wanted);
    const end = endOfLines(bytes);
    if (end > 0) return firstLines(bytes.subarray(0, end));
    if (bytes.length < wanted) return null;
    if (wanted === LINE_BYTES_MAX) {
      return { lines: [bytes.subarray(0, CHUNK_BYTES)], bytes: bytes.length, end: endOf(bytes) };
    }
  }
  return null;
}

function firstLines(bytes: Buffer): LineChunk {
  const lines = splitLines(bytes).slice(0, LINES_MAX);
  const length = lines.reduce((sum, line) => sum + line.length + 1, 0);
  return { lines, bytes: length, end: endOf(bytes.subarray(0, length)) };
}

function endOf(bytes: Buffer): Buffer {
  return bytes.subarray(Math.max(0, bytes.length - END_BYTES));
}
