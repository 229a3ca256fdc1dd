const FIRST = 8;

/** Whole numbers below 2^32, four bytes each, however many: an array of them would be copied each time that it grows. */
export class Numbers {
  length = 0;
  private words = new Uint32Array(FIRST);

  push(value: number): void {
    if (this.length === this.words.length) {
      const { buffer } = this.words;
      this.words = new Uint32Array(buffer.transfer(2 * buffer.byteLength));
    }
    this.words[this.length++] = value;
  }

  /** All of them; a view, for as long as none is added. */
  get all(): Uint32Array {
    return this.words.subarray(0, this.length);
  }
}
