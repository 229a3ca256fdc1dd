import { freeBytes } from "../buffer/tables/event-run.ts";

/** Blocks grow with what has come, so that a body of a few bytes takes little and a large one few blocks. */
const BLOCK_BYTES_MIN = 4 * 1024;
const BLOCK_BYTES_MAX = 256 * 1024;

/** Bytes that come in pieces: copied into few blocks, since a piece of one byte would keep alive whatever it is cut from. */
export class ByteBlocks {
  length = 0;
  private readonly blocks: Uint8Array[] = [];
  /** Bytes in the last block. */
  private used = 0;

  add(piece: Uint8Array): void {
    let rest = piece;
    while (rest.length > 0) {
      const block = this.open();
      const fitting = rest.subarray(0, block.length - this.used);
      block.set(fitting, this.used);
      this.used += fitting.length;
      this.length += fitting.length;
      rest = rest.subarray(fitting.length);
    }
  }

  /** All of them, in memory of their own; the blocks are freed one by one as they are copied. */
  take(): Uint8Array {
    const whole = new Uint8Array(this.length);
    let at = 0;
    for (const block of this.blocks.splice(0)) {
      const part = block.subarray(0, Math.min(block.length, whole.length - at));
      whole.set(part, at);
      at += part.length;
      freeBytes(block);
    }
    return whole;
  }

  /** Frees what has come. */
  drop(): void {
    for (const block of this.blocks.splice(0)) freeBytes(block);
  }

  private open(): Uint8Array {
    const last = this.blocks.at(-1);
    if (last !== undefined && this.used < last.length) return last;
    const block = new Uint8Array(Math.min(BLOCK_BYTES_MAX, Math.max(BLOCK_BYTES_MIN, this.length)));
    this.blocks.push(block);
    this.used = 0;
    return block;
  }
}
