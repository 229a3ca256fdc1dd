/** Bytes that come in chunks, up to a bound. */
export class BoundedBuffer {
  private buffer: Uint8Array;
  private total = 0;
  private readonly bytesMax: number;

  /** @param expected bytes, a guess; the buffer grows where it was too small. */
  constructor(expected: number, bytesMax: number) {
    this.buffer = new Uint8Array(Math.min(expected, bytesMax));
    this.bytesMax = bytesMax;
  }

  /** Copies a chunk; false, and nothing is copied, where it would go beyond the bound. */
  add(chunk: Uint8Array): boolean {
    const needed = this.total + chunk.length;
    if (needed > this.bytesMax) return false;
    if (needed > this.buffer.length) {
      const grown = new Uint8Array(Math.min(this.bytesMax, Math.max(this.buffer.length * 2, needed)));
      grown.set(this.buffer.subarray(0, this.total));
      this.buffer = grown;
    }
    this.buffer.set(chunk, this.total);
    this.total = needed;
    return true;
  }

  bytes(): Uint8Array {
    return this.buffer.subarray(0, this.total);
  }
}
