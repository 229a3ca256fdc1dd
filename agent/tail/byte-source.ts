/** The bytes of a followed file, of its copy or of its compressed copy, read by place. */
import type { FileHandle } from "node:fs/promises";
import { createGunzip } from "node:zlib";

export interface ByteSource {
  /**
   * Bytes from `from` on; fewer than asked for only at the end. A compressed source is read forwards: it keeps its first
   * `WINDOW_BYTES` and those before the last place that was asked for, and refuses places before them.
   */
  read(from: number, bytes: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** How far back a compressed source can be read, and how much of its beginning it keeps. */
export const WINDOW_BYTES = 1024;

const STEP_BYTES = 256 * 1024;

/** How many bytes a source has, read through from its start: a compressed one tells in no other way. */
export async function lengthOf(source: ByteSource): Promise<number> {
  for (let at = 0; ; ) {
    const { length } = await source.read(at, STEP_BYTES);
    at += length;
    if (length < STEP_BYTES) return at;
  }
}

/** Reads by an open handle, whatever its file is called by now. */
export function plainSource(file: FileHandle): ByteSource {
  return {
    async read(from, bytes) {
      const buffer = Buffer.alloc(bytes);
      let filled = 0;
      while (filled < bytes) {
        const { bytesRead } = await file.read(buffer, filled, bytes - filled, from + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return buffer.subarray(0, filled);
    },
    close: () => file.close(),
  };
}

/** Reads a gzipped file as what it holds. A file that is cut short or no gzip throws when it is read. */
export function gzipSource(file: FileHandle): ByteSource {
  const raw = file.createReadStream({ start: 0, autoClose: false });
  const inflating = createGunzip();
  raw.on("error", (error) => inflating.destroy(error));
  const chunks = raw.pipe(inflating)[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  /** What is kept: bytes from `start` on. */
  let kept = Buffer.alloc(0);
  let start = 0;
  let ended = false;

  async function fillTo(end: number): Promise<void> {
    const parts = [kept];
    let have = start + kept.length;
    while (!ended && have < end) {
      const next = await chunks.next();
      if (next.done === true) ended = true;
      else {
        parts.push(next.value);
        have += next.value.length;
      }
    }
    if (parts.length > 1) kept = Buffer.concat(parts);
    if (start === 0 && head.length < WINDOW_BYTES) head = Buffer.from(kept.subarray(0, WINDOW_BYTES));
  }

  /** Lets go of what lies before `from`, piece by piece, so that a long way forward is never held whole. */
  async function forwardTo(from: number): Promise<void> {
    while (start + kept.length < from && !ended) {
      await fillTo(Math.min(from, start + kept.length + 1));
      drop(Math.min(from, start + kept.length));
    }
    drop(from);
  }

  function drop(from: number): void {
    const keepFrom = Math.min(Math.max(start, from - WINDOW_BYTES), start + kept.length);
    kept = kept.subarray(keepFrom - start);
    start = keepFrom;
  }

  return {
    async read(from, bytes) {
      if (head.length < WINDOW_BYTES && start === 0) await fillTo(WINDOW_BYTES);
      if (from + bytes <= head.length) return head.subarray(from, from + bytes);
      if (from < start) throw new RangeError("a compressed file is read forwards only");
      await forwardTo(from);
      await fillTo(from + bytes);
      return kept.subarray(from - start, from - start + bytes);
    },
    async close() {
      raw.destroy();
      inflating.destroy();
      await file.close();
    },
  };
}
